package usecases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
)

// AnswerEvent answers a received message with the bot of its endpoint, in the thread of the sender's conversation,
// after the messages received before it. The turn has the operation of the event, so that there is one turn however
// often Do is called.
type AnswerEvent struct {
	Inbox  ports.Inbox
	Turn   TakeTurn
	Models ports.ModelGuard
	Now    func() time.Time
}

// Postponed is the error of a message that cannot be answered yet. Nothing has failed.
type Postponed struct {
	Reason string
	Wait   time.Duration // until the next try
}

func (p *Postponed) Error() string { return p.Reason }

// Unanswerable is the error of a message that a retry would not answer either.
type Unanswerable struct{ error }

// Unwrap returns why the message cannot be answered.
func (u *Unanswerable) Unwrap() error { return u.error }

const (
	turnWait    = time.Second // while another turn runs in the thread
	earlierWait = time.Second // for each message received before
	limitWait   = 10 * time.Minute
	maxBotWait  = 7 * 24 * time.Hour // for an archived bot, after the message was received
	modelAway   = "the model has failed too often just now"
)

// Do answers a message, unless it is already answered. Finish runs in the transaction that stores that the message is
// answered. Errors are *Postponed, *Unanswerable, and any other where a retry may succeed.
func (u AnswerEvent) Do(ctx context.Context, event uuid.UUID, finish func(ctx context.Context) error) error {
	w, err := u.Inbox.ToAnswer(ctx, event)
	switch {
	case errors.Is(err, ports.ErrEventNotFound):
		return &Unanswerable{err}
	case err != nil:
		return err
	case w.Status != domain.EventReceived:
		return nil
	case w.Earlier > 0:
		return &Postponed{"an earlier message of the conversation is not answered yet", max(0, w.EarlierDue) + time.Duration(w.Earlier)*earlierWait}
	}
	prompt := ports.Prompt{Pinned: &domain.Pinned{Settings: w.Settings}, Defaults: w.Defaults}
	if wait := u.Models.Away(ctx, prompt, w.OwnKeys); wait > 0 {
		return &Postponed{modelAway, wait}
	}
	message, err := w.Message()
	if err != nil {
		return &Unanswerable{fmt.Errorf("the event is no message that can be answered: %w", err)}
	}
	if !w.ThreadReady {
		channel := domain.Channel{EndpointID: w.EndpointID, ConversationID: message.ConversationID}
		if w.Thread, err = u.Inbox.OpenThread(ctx, channel); err != nil {
			return err
		}
	}
	own := call.For(ctx, call.From(ctx).Principal.WorkspaceID, w.EndpointID, w.OperationID)
	_, err = u.Turn.Do(own, NewTurn{ThreadID: w.Thread, Content: message.Text, NoWait: true, Checked: true})
	if err = u.outcome(err, w.ReceivedAt); err != nil {
		return err
	}
	return u.Inbox.Answered(ctx, w, finish)
}

// outcome converts the error of the message's turn: nil where the message needs no retry.
func (u AnswerEvent) outcome(err error, received time.Time) error {
	wait, notAsked := u.Models.NotAsked(err)
	waited := u.Now().Sub(received)
	switch {
	case err == nil, errors.Is(err, ports.ErrCancel): // the answer was cancelled
		return nil
	case notAsked:
		return &Postponed{modelAway, wait}
	case errors.Is(err, ports.ErrTooManyTurns):
		return &Postponed{"as many turns as may run at once are running", turnWait}
	case errors.Is(err, ports.ErrThreadBusy):
		return &Postponed{"another turn has the thread", turnWait}
	case errors.Is(err, fail.ErrInProgress):
		return &Postponed{"the turn was begun and is not given up yet", turnWait}
	case errors.Is(err, ports.ErrBotArchived) && waited < maxBotWait: // until it is active again, or the endpoint has another bot
		return &Postponed{"the bot of the endpoint is archived", archivedWait(waited)}
	case errors.Is(err, fail.ErrLimitReached): // until a new month, or until an operator raises the limit
		return &Postponed{"the workspace has reached a limit", limitWait}
	case ports.PermanentModelFailure(err), errors.Is(err, ports.ErrTurnMovedOn), errors.Is(err, ports.ErrThreadNotFound), errors.Is(err, ports.ErrThreadArchived),
		errors.Is(err, ports.ErrBotArchived), errors.Is(err, fail.ErrExpired), errors.Is(err, fail.ErrReused):
		return &Unanswerable{err}
	default:
		return err
	}
}

// archivedWait returns how long a message whose bot is archived waits for the next try: as long as it has waited so
// far, so that a bot that was archived for a moment answers soon, and at most limitWait.
func archivedWait(waited time.Duration) time.Duration { return min(max(waited, turnWait), limitWait) }
