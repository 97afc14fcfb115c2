package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// DeleteMessage erases a message, and with the message of a user the answer to it. A turn that runs in the thread is stopped, as its model
// may have read the message.
type DeleteMessage struct {
	Erasures ports.Erasures
	Discard  DiscardTurn
}

// Do erases a message in the transaction of the context, and returns its thread; ports.ErrMessageNotFound where there is no such message.
func (u DeleteMessage) Do(ctx context.Context, message uuid.UUID) (thread uuid.UUID, err error) {
	if thread, err = u.Erasures.ThreadOf(ctx, message); err != nil {
		return thread, err
	}
	running, err := u.Erasures.Lock(ctx, thread)
	if err != nil {
		return thread, err
	}
	if err := u.Discard.Do(ctx, thread, running); err != nil {
		return thread, err
	}
	if _, err := u.Erasures.ThreadOf(ctx, message); err != nil { // another call has erased it before the lock
		return thread, err
	}
	return thread, u.Erasures.DeleteMessage(ctx, message)
}

// DiscardTurn ends a running turn as cancelled, without the text that its model has sent so far.
type DiscardTurn struct {
	Views   ports.TurnViews
	Chunks  ports.Chunks
	Cancels ports.Cancels
	Now     func() time.Time
}

// Do ends a turn that runs and is locked, in the transaction of the context. The zero id is no turn.
func (u DiscardTurn) Do(ctx context.Context, thread, turn uuid.UUID) error {
	if turn == uuid.Nil {
		return nil
	}
	view, err := u.Views.Get(ctx, thread, turn)
	if err != nil {
		return err
	}
	chunks, _, err := u.Chunks.List(ctx, turn, view.Attempt, 0)
	if err != nil {
		return err
	}
	view.Usage = lostUsage(view, domain.TextOf(chunks)) // the process that has it stores nothing any more
	t := domain.Turn{
		ID: view.ID, ThreadID: thread, OperationID: view.OperationID, User: view.User, Attempt: view.Attempt, StartedAt: view.CreatedAt,
		Asked: domain.ModelName{Provider: view.Provider, Name: view.Model},
	}
	return u.Cancels.Cancel(ctx, t, t.Partial(nil, u.Now()), view.Reply)
}
