// Package conversations calls the conversations module for channels.
package conversations

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/platform/request/fail"
)

var _ ports.Conversations = Conversations{}

// Conversations answers received messages. It is safe for concurrent use.
type Conversations struct{ Answers conversations.Answers }

// CheckText returns what is wrong with the text of a message; nil: nothing.
func (c Conversations) CheckText(text string) *fail.Field {
	if wrong := c.Answers.CheckText(text); wrong != nil {
		return &fail.Field{Code: wrong.Code, Message: wrong.Message}
	}
	return nil
}

// ModelsAway returns for how long none of the models of a message will be called.
func (c Conversations) ModelsAway(ctx context.Context, m ports.ModelChoice) time.Duration {
	return c.Answers.ModelsAway(ctx, conversations.ModelChoice(m))
}

// OpenThread returns the thread of a conversation of an endpoint.
func (c Conversations) OpenThread(ctx context.Context, endpoint uuid.UUID, conversation string) (uuid.UUID, error) {
	return c.Answers.OpenThread(ctx, endpoint, conversation)
}

// Answer takes the turn of a message.
func (c Conversations) Answer(ctx context.Context, thread uuid.UUID, text string) error {
	err := c.Answers.Answer(ctx, thread, text)
	if d, ok := errors.AsType[*conversations.Delayed](err); ok {
		return &ports.Postponed{Reason: d.Reason, Wait: d.Wait}
	}
	if r, ok := errors.AsType[*conversations.Rejected](err); ok {
		return &ports.Unanswerable{Cause: r.Cause, BotArchived: r.BotArchived}
	}
	return err
}
