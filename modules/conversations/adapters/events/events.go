// Package events publishes the ends of turns to the webhook subscriptions of their workspace.
package events

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/outbound"
)

// The types of the events; api/openapi.yaml has their data.
const (
	turnCompleted = "turn.completed"
	turnFailed    = "turn.failed"
	toolWaiting   = "tool_call.waiting"
)

// Events publishes turns to the webhook subscriptions of their workspace.
type Events struct{ Publisher *outbound.Publisher }

type turn struct {
	TurnID      uuid.UUID  `json:"turn_id"`
	ThreadID    uuid.UUID  `json:"thread_id"`
	OperationID uuid.UUID  `json:"operation_id"`
	Attempt     int        `json:"attempt"`
	BotID       *uuid.UUID `json:"bot_id"`
	BotVersion  *int       `json:"bot_version"`
	Channel     *channel   `json:"channel"`
}

type channel struct {
	EndpointID     uuid.UUID `json:"endpoint_id"`
	ConversationID string    `json:"conversation_id"`
}

type completed struct {
	turn
	ParentTurnID     *uuid.UUID `json:"parent_turn_id"`
	UserMessage      message    `json:"user_message"`
	AssistantMessage message    `json:"assistant_message"`
	Provider         string     `json:"provider"`
	Model            string     `json:"model"`
	FinishReason     *string    `json:"finish_reason"`
	LatencyMS        int64      `json:"latency_ms"`
	FirstTokenMS     *int64     `json:"first_token_ms"`
	InputTokens      *int       `json:"input_tokens"`
	CachedTokens     *int       `json:"cached_tokens"`
	OutputTokens     *int       `json:"output_tokens"`
	CostMicros       *int64     `json:"cost_micros"`
	UsageEstimated   bool       `json:"usage_estimated"`
}

type message struct {
	ID        uuid.UUID `json:"id"`
	Seq       int64     `json:"seq"`
	Content   string    `json:"content"`
	CreatedAt time.Time `json:"created_at"`
}

type failed struct {
	turn
	Error failure `json:"error"`
}

type failure struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"`
}

func (e Events) TurnCompleted(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error {
	if t.Trial {
		return nil
	}
	return e.publish(ctx, turnCompleted, t, completed{
		turn: toTurn(t), ParentTurnID: t.ParentID, UserMessage: toMessage(t.User), AssistantMessage: toMessage(answer),
		Provider: reply.Provider, Model: reply.Model, FinishReason: reply.FinishedBy(),
		LatencyMS: reply.Latency.Milliseconds(), FirstTokenMS: reply.FirstTokenMS(),
		InputTokens: reply.InputTokens, CachedTokens: reply.CachedTokens, OutputTokens: reply.OutputTokens, CostMicros: reply.CostMicros,
		UsageEstimated: reply.Estimated,
	})
}

func (e Events) TurnFailed(ctx context.Context, t domain.Turn, _ domain.Reply, why *fail.Error) error {
	if t.Trial {
		return nil
	}
	return e.publish(ctx, turnFailed, t, failed{turn: toTurn(t), Error: failure{Code: why.Code, Message: why.Message, Details: why.Details}})
}

type toolCall struct {
	turn
	ToolCallID uuid.UUID       `json:"tool_call_id"`
	Name       string          `json:"name"`
	Kind       string          `json:"kind"`
	Arguments  json.RawMessage `json:"arguments"`
	ExpiresAt  *time.Time      `json:"expires_at"`
}

func (e Events) ToolCallWaiting(ctx context.Context, t domain.Turn, c domain.ToolCall) error {
	return e.publish(ctx, toolWaiting, t, toolCall{
		turn: toTurn(t), ToolCallID: c.ID, Name: c.Name, Kind: string(c.Kind), Arguments: c.Arguments, ExpiresAt: c.ExpiresAt,
	})
}

func (e Events) publish(ctx context.Context, kind string, t domain.Turn, data any) error {
	event := outbound.Event{Type: kind, Data: data}
	if t.Channel != nil {
		event.EndpointID = &t.Channel.EndpointID
	}
	return e.Publisher.Publish(ctx, event)
}

func toTurn(t domain.Turn) turn {
	out := turn{TurnID: t.ID, ThreadID: t.ThreadID, OperationID: t.OperationID, Attempt: t.Attempt}
	if t.Pinned != nil {
		out.BotID, out.BotVersion = &t.Pinned.BotID, &t.Pinned.Version
	}
	if t.Channel != nil {
		out.Channel = &channel{EndpointID: t.Channel.EndpointID, ConversationID: t.Channel.ConversationID}
	}
	return out
}

func toMessage(m domain.Message) message {
	return message{ID: m.ID, Seq: m.Seq, Content: m.Content, CreatedAt: m.CreatedAt}
}
