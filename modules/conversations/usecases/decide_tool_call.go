package usecases

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// DecideToolCall settles calls of tools that wait, in the transaction of the context.
type DecideToolCall struct {
	Calls ports.ToolCalls
	Now   func() time.Time
}

// PersonDecision is the input of DecideToolCall.Do.
type PersonDecision struct {
	Approve   bool
	Arguments json.RawMessage // nil: those of the model
	Reason    string
}

const maxArguments = 64 << 10 // bytes

// Do approves or denies a call by the decision of a person. The first decision counts: ports.ErrToolCallDecided for another.
func (u DecideToolCall) Do(ctx context.Context, call, by uuid.UUID, p PersonDecision) (domain.ToolCall, error) {
	if len(p.Arguments) > maxArguments {
		return domain.ToolCall{}, fail.Fields(fail.Field{Field: "arguments", Code: "TOO_LONG", Message: "must have at most 65536 bytes"})
	}
	if !p.Approve && p.Arguments != nil {
		return domain.ToolCall{}, fail.Fields(fail.Field{Field: "arguments", Code: "NOT_ALLOWED", Message: "must not be given with a denial"})
	}
	d := domain.Decision{Call: call, Status: domain.CallDenied, Reason: p.Reason, By: by, At: u.Now()}
	if p.Approve {
		d.Status, d.Arguments = domain.CallApproved, p.Arguments
	}
	return u.decide(ctx, d, func(c domain.ToolCall) error {
		if c.Kind == domain.ClientTool {
			return ports.ErrNotForPeople
		}
		return nil
	})
}

// Answer stores the result of a client's tool.
func (u DecideToolCall) Answer(ctx context.Context, call, by uuid.UUID, content string, failed bool) (domain.ToolCall, error) {
	d := domain.Decision{Call: call, Status: domain.CallSucceeded, Result: content, By: by, At: u.Now()}
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
