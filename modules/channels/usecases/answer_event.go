package usecases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// AnswerEvent answers a received message with the bot of its endpoint, in the thread of the sender's conversation,
// after the messages received before it. The turn has the operation of the event, so that there is one turn however
// often Do is called.
type AnswerEvent struct {
	Inbox         ports.Inbox
	Conversations ports.Conversations
	Now           func() time.Time
}

const (
	earlierWait = time.Second // for each message received before
	minBotWait  = time.Second // for an archived bot
	maxBotWait  = 10 * time.Minute
	giveUpBot   = 7 * 24 * time.Hour // after the message was received
)

// Do answers a message, unless it is already answered. Finish runs in the transaction that stores that the message is
// answered. Errors are *ports.Postponed, *ports.Unanswerable, and any other where a retry may succeed.
func (u AnswerEvent) Do(ctx context.Context, event uuid.UUID, finish func(ctx context.Context) error) error {
	w, err := u.Inbox.ToAnswer(ctx, event)
	switch {
	case errors.Is(err, ports.ErrEventNotFound):
		return &ports.Unanswerable{Cause: err}
	case err != nil:
		return err
	case w.Status != domain.EventReceived:
		return nil
	case w.Earlier > 0:
		return &ports.Postponed{
			Reason: "an earlier message of the conversation is not answered yet", Wait: max(0, w.EarlierDue) + time.Duration(w.Earlier)*earlierWait,
		}
	}
	if wait := u.Conversations.ModelsAway(ctx, w.Models); wait > 0 {
		return &ports.Postponed{Reason: "the model has failed too often just now", Wait: wait}
	}
	message, err := w.Message()
	if err != nil {
		return &ports.Unanswerable{Cause: fmt.Errorf("the event is no message that can be answered: %w", err)}
	}
	if !w.ThreadReady {
		if w.Thread, err = u.Conversations.OpenThread(ctx, w.EndpointID, message.ConversationID); err != nil {
			return err
		}
	}
	own := callctx.For(ctx, callctx.From(ctx).Principal.WorkspaceID, w.EndpointID, w.OperationID)
	if err := u.Conversations.Answer(own, w.Thread, message.Text); err != nil {
		return u.awaitBot(err, w.ReceivedAt)
	}
	return u.Inbox.Answered(ctx, w, finish)
}

// awaitBot postpones a message whose bot is archived, until the bot is active again or the endpoint has another bot, and at
// most giveUpBot. It waits as long as it has waited so far, so that a bot that was archived for a moment answers soon.
func (u AnswerEvent) awaitBot(err error, received time.Time) error {
	waited := u.Now().Sub(received)
	if e, ok := errors.AsType[*ports.Unanswerable](err); ok && e.BotArchived && waited < giveUpBot {
		return &ports.Postponed{Reason: "the bot of the endpoint is archived", Wait: min(max(waited, minBotWait), maxBotWait)}
	}
	return err
}
