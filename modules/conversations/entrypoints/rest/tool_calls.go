package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/operations"
	"github.com/parley/parley/platform/request/page"
)

// ListToolCalls lists the calls of tools, newest first.
func (s Server) ListToolCalls(ctx context.Context, r ListToolCallsRequestObject) (ListToolCallsResponseObject, error) {
	f := ports.ToolCallFilter{TurnID: r.Params.TurnID}
	if r.Params.Status != nil {
		f.Status = new(domain.ToolCallStatus(*r.Params.Status))
	}
	filter, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	p, err := page.List[domain.ToolCall, ports.ToolCallPosition]{
		Name: "tool-calls", Filter: string(filter), Size: bytesOfToolCall,
		Position: func(c domain.ToolCall) ports.ToolCallPosition { return ports.ToolCallPosition{ID: c.ID} },
		Read: func(ctx context.Context, before *ports.ToolCallPosition, limit int) ([]domain.ToolCall, error) {
			return s.ToolCalls.List(ctx, f, before, limit)
		},
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListToolCalls200JSONResponse{Items: page.Map(p.Items, toToolCall), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func bytesOfToolCall(c domain.ToolCall) int { return len(c.Arguments) + len(c.Result) + len(c.Reason) }

// GetToolCall returns a call of a tool.
func (s Server) GetToolCall(ctx context.Context, r GetToolCallRequestObject) (GetToolCallResponseObject, error) {
	c, err := s.ToolCalls.Get(ctx, r.ToolCallID)
	return GetToolCall200JSONResponse(toToolCall(c)), err
}

// statusAfter returns the status that a call has after a decision.
func statusAfter(d ToolCallDecisionDecision) domain.ToolCallStatus {
	switch d {
	case DecisionApprove:
		return domain.CallApproved
	case DecisionDeny:
		return domain.CallDenied
	case DecisionSucceeded:
		return domain.CallSucceeded
	default:
		return domain.CallFailed
	}
}

// DecideToolCall settles a call. The audit log has neither arguments nor reason.
func (s Server) DecideToolCall(ctx context.Context, r DecideToolCallRequestObject) (DecideToolCallResponseObject, error) {
	in := usecases.PersonDecision{Status: statusAfter(r.Body.Decision)}
	if r.Body.Reason != nil {
		in.Reason = *r.Body.Reason
	}
	if r.Body.Result != nil {
		in.Result = *r.Body.Result
	}
	if r.Body.Arguments != nil {
		in.Arguments = *r.Body.Arguments
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		c, err := s.Decide.Do(ctx, r.ToolCallID, callctx.From(ctx).Principal.UserID, in)
		return command.Outcome{
			Answer: DecideToolCall200JSONResponse(toToolCall(c)).VisitDecideToolCallResponse,
			Audit:  toolCallEntry("tool_call.decide", c, map[string]any{"decision": r.Body.Decision, "changed": in.Arguments != nil}), Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// AnswerToolCall stores the result of a client's tool.
func (s Server) AnswerToolCall(ctx context.Context, r AnswerToolCallRequestObject) (AnswerToolCallResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		failed := r.Body.Failed != nil && *r.Body.Failed
		c, err := s.Decide.Answer(ctx, r.ToolCallID, callctx.From(ctx).Principal.UserID, r.Body.Content, failed)
		return command.Outcome{
			Answer: AnswerToolCall200JSONResponse(toToolCall(c)).VisitAnswerToolCallResponse,
			Audit:  toolCallEntry("tool_call.answer", c, map[string]any{"failed": failed}), Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// toolCallEntry is an entry of the audit log about a call. The thread is its resource, so that its deletion finds the stored answer.
func toolCallEntry(action string, c domain.ToolCall, changes map[string]any) audit.Entry {
	changes["turn_id"], changes["tool_call_id"], changes["name"] = c.TurnID, c.ID, c.Name
	return audit.Entry{Action: action, Resource: "thread", ResourceID: c.ThreadID, Changes: changes}
}

func toToolCall(c domain.ToolCall) ToolCall {
	effect := Read
	if c.Writes {
		effect = Write
	}
	return ToolCall{
		ID: c.ID, TurnID: c.TurnID, ThreadID: c.ThreadID, BotID: c.BotID, Step: c.Step, Name: c.Name, ToolID: c.ToolID, ToolVersion: c.Version,
		Kind: string(c.Kind), Effect: effect, Arguments: c.Arguments, Status: ToolCallStatus(c.Status), Result: optional(c.Result), Attempts: c.Sent,
		DecidedBy: c.DecidedBy, DecidedAt: c.DecidedAt, Reason: optional(c.Reason), ExpiresAt: c.ExpiresAt, CreatedAt: c.CreatedAt,
		StartedAt: c.StartedAt, FinishedAt: c.FinishedAt,
	}
}

// optional returns nil for an empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// toWaiting returns the response of an operation whose turn waits; false for another error.
func toWaiting(thread uuid.UUID, err error) (stored, bool) {
	e, ok := errors.AsType[*fail.Error](err)
	if !ok || !errors.Is(err, ports.ErrTurnWaiting) {
		return stored{}, false
	}
	turn, _ := e.Details["turn_id"].(uuid.UUID)
	calls, _ := e.Details["tool_calls"].([]uuid.UUID)
	body, err := json.Marshal(TurnWaiting{TurnID: turn, ThreadID: thread, Status: TurnWaitingStatusWaiting, ToolCallIds: append([]uuid.UUID{}, calls...)})
	return stored{command.Answer{Answer: operations.Answer{Status: http.StatusAccepted, ContentType: "application/json", Body: body}}}, err == nil
}
