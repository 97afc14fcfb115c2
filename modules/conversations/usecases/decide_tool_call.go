package usecases

import (
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// DecideToolCall settles calls of tools, in the transaction of the context.
type DecideToolCall struct {
	Calls ports.ToolCalls
	Tools ports.Tools
	Now   func() time.Time
}

// PersonDecision is the input of DecideToolCall.Do.
type PersonDecision struct {
	// Status is CallApproved or CallDenied for a call that waits, CallSucceeded or CallFailed for one whose outcome is unknown.
	Status    domain.ToolCallStatus
	Arguments json.RawMessage // of a call that is approved; nil: those of the model
	Result    string          // of a call whose outcome was unknown; empty: nobody knows it
	Reason    string
}

const maxArguments = 64 << 10 // bytes

// Do settles a call by the decision of a person. The first decision counts: ports.ErrToolCallDecided for another.
func (u DecideToolCall) Do(ctx context.Context, call, by uuid.UUID, p PersonDecision) (domain.ToolCall, error) {
	d := domain.Decision{Call: call, Current: domain.CallWaiting, Status: p.Status, Arguments: p.Arguments, Reason: p.Reason, Result: p.Result, By: by, At: u.Now()}
	settles := p.Status == domain.CallSucceeded || p.Status == domain.CallFailed
	if settles {
		d.Current = domain.CallUnknown
	}
	switch {
	case len(p.Arguments) > maxArguments:
		return domain.ToolCall{}, wrongDecision("arguments", "TOO_LONG", "must have at most 65536 bytes")
	case p.Arguments != nil && p.Status != domain.CallApproved:
		return domain.ToolCall{}, wrongDecision("arguments", "NOT_ALLOWED", "must be given only with the decision approve")
	case p.Result != "" && !settles:
		return domain.ToolCall{}, wrongDecision("result", "NOT_ALLOWED", "must be given only with the decision succeeded or failed")
	}
	return u.decide(ctx, d, func(c domain.ToolCall) error {
		switch {
		case settles && c.Status != domain.CallUnknown && c.DecidedBy == nil:
			return ports.ErrNotUnknown.With("status", c.Status)
		case !settles && c.Kind == domain.ClientTool:
			return ports.ErrNotForPeople
		}
		return u.checkArguments(ctx, c, p.Arguments)
	})
}

func wrongDecision(field, code, message string) error {
	return fail.Fields(fail.Field{Field: field, Code: code, Message: message})
}

const maxShownProblem = 300 // characters

// checkArguments returns an error where arguments of a person do not match the schema of the tool. A tool that is deleted has none: its
// call fails.
func (u DecideToolCall) checkArguments(ctx context.Context, c domain.ToolCall, arguments json.RawMessage) error {
	if arguments == nil || c.ToolID == nil {
		return nil
	}
	tools, err := u.Tools.Pin(ctx, []domain.ToolUse{{ID: *c.ToolID, Version: c.Version}})
	if err != nil || len(tools) == 0 {
		return err
	}
	problem, err := tools[0].Check(arguments)
	if err != nil || problem == "" {
		return err
	}
	if utf8.RuneCountInString(problem) > maxShownProblem {
		problem = string([]rune(problem)[:maxShownProblem]) + "…"
	}
	return wrongDecision("arguments", "INVALID", "must match the schema of the tool: "+problem)
}

// Answer stores the result of a client's tool.
func (u DecideToolCall) Answer(ctx context.Context, call, by uuid.UUID, content string, failed bool) (domain.ToolCall, error) {
	d := domain.Decision{Call: call, Current: domain.CallWaiting, Status: domain.CallSucceeded, Result: content, By: by, At: u.Now()}
	if failed {
		d.Status = domain.CallFailed
	}
	return u.decide(ctx, d, func(c domain.ToolCall) error {
		if c.Kind != domain.ClientTool {
			return ports.ErrNotForClients
		}
		return nil
	})
}

func (u DecideToolCall) decide(ctx context.Context, d domain.Decision, check func(domain.ToolCall) error) (domain.ToolCall, error) {
	c, err := u.Calls.Get(ctx, d.Call)
	if err == nil {
		err = check(c)
	}
	if err != nil {
		return domain.ToolCall{}, err
	}
	return u.Calls.Decide(ctx, d)
}
