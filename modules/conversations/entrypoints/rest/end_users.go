package rest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// End users see what was said, and nothing of how a bot is made or what it costs. What they receive goes through the functions here,
// also where it is stored as others would receive it.

func isEndUser(ctx context.Context) bool { return callctx.From(ctx).Principal.EndUser != nil }

// threadFor returns a thread as the caller receives it. Metadata and variables are of the business.
func threadFor(ctx context.Context, t domain.Thread) Thread {
	if isEndUser(ctx) {
		t.Metadata, t.Variables = json.RawMessage("{}"), nil
	}
	return toThread(t)
}

// recordFor returns a turn as the caller receives it.
func recordFor(ctx context.Context, r TurnRecord) TurnRecord {
	if !isEndUser(ctx) {
		return r
	}
	r.Provider, r.Model, r.BotVersion, r.Usage, r.LatencyMs, r.FirstTokenMs = "", "", nil, TurnUsage{}, nil, nil
	r.Variables = map[string]string{}
	if r.Error != nil {
		code, message, details := fail.ForEndUser(r.Error.Code, r.Error.Message, r.Error.Details)
		r.Error = &TurnFailure{Code: code, Message: message, Details: details}
	}
	return r
}

// turnFor returns a completed turn as the caller receives it.
func turnFor(ctx context.Context, t Turn) Turn {
	if !isEndUser(ctx) {
		return t
	}
	return Turn{
		TurnID: t.TurnID, ThreadID: t.ThreadID, ParentTurnID: t.ParentTurnID, BotID: t.BotID, UserMessage: t.UserMessage, AssistantMessage: t.AssistantMessage, FinishReason: t.FinishReason,
	}
}

// answerFor returns the stored answer of an operation on a turn as the caller receives it.
func answerFor[T any](ctx context.Context, a ports.Answer, as func(context.Context, T) T) (ports.Answer, error) {
	if !isEndUser(ctx) {
		return a, nil
	}
	var body T
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return a, fmt.Errorf("decode a stored answer: %w", err)
	}
	raw, err := json.Marshal(as(ctx, body))
	if err != nil {
		return a, fmt.Errorf("encode an answer: %w", err)
	}
	a.Body = append(raw, '\n')
	return a, nil
}

// eventFor returns an event of a stream as the reader receives it; nil for one that is not for it.
func eventFor(ctx context.Context, event any) any {
	if !isEndUser(ctx) {
		return event
	}
	switch e := event.(type) {
	case RetrievalCompleted:
		return nil
	case ToolCallCreated:
		if e.ToolCall.Kind != string(domain.ClientTool) {
			return nil
		}
		return e
	case ToolCallCompleted:
		if e.ToolCall.Kind != string(domain.ClientTool) {
			return nil
		}
		return e
	case TurnCreated:
		e.BotVersion = nil
		return e
	case TurnCompleted:
		e.Usage, e.LatencyMs = TurnUsage{}, 0
		return e
	case TurnFailed:
		code, message, details := fail.ForEndUser(string(e.Error.Code), e.Error.Message, e.Error.Details)
		e.Error.Code, e.Error.Message, e.Error.Details = ErrorCode(code), message, details
		return e
	}
	return event
}

// checkBusiness refuses a field that was sent by an end user, where it is the business's.
func checkBusiness(ctx context.Context, field string, sent bool) error {
	if isEndUser(ctx) && sent {
		return fail.Fields(fail.Field{Field: field, Code: "INVALID", Message: "must be left out: end users do not set it"})
	}
	return nil
}
