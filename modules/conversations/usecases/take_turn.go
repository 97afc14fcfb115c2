package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
)

// TakeTurn takes a turn in a thread from its beginning to its end: it stores the user's message, has a model answer and stores
// the answer. A turn that an earlier call under the same operation has begun is resumed; one that is done is not repeated.
type TakeTurn struct {
	RunTurn
	Leases  ports.Leases
	Threads ports.Threads
	Queue   ports.ThreadQueue
	Views   ports.TurnViews
	Stream  StreamTurn
}

// NewTurn is what TakeTurn needs. The turn is that of the actor and the operation of the call in the context.
type NewTurn struct {
	ThreadID uuid.UUID
	Content  string // of the user's message
	Enqueue  bool   // wait for the turns before it in the thread; else a busy thread is refused
	NoWait   bool   // do not wait for a place among the turns that run at once
	Checked  bool   // the content was checked when it was received
}

// Do takes the turn and returns its answer. Errors are wrong fields, those of ports.Operations, ports.ErrThreadBusy with the turn
// that runs, ports.ErrTooManyTurns, and why the model has failed.
func (u TakeTurn) Do(ctx context.Context, in NewTurn) (ports.Answer, error) {
	return u.take(ctx, in, nil)
}

// DoStreamed takes the turn while a reader reads its events. Position is that of a reader who has read some of them in an earlier
// call under the same operation; 0 for any other.
func (u TakeTurn) DoStreamed(ctx context.Context, in NewTurn, position int64, read Reader) error {
	take := func(started func(uuid.UUID)) (ports.Answer, error) { return u.take(ctx, in, started) }
	return u.Stream.do(ctx, streamedTurn{take: take, find: u.Views.OfOperation, position: position, read: read})
}

// take takes a turn. Started is called when it is stored and its model is asked; nil: nobody reads its events.
func (u TakeTurn) take(ctx context.Context, in NewTurn, started func(uuid.UUID)) (ports.Answer, error) {
	turn, err := u.prepare(ctx, in)
	if err != nil {
		return ports.Answer{}, err
	}
	a := u.attempt(&turn, started)
	a.noWait = in.NoWait
	if in.Enqueue {
		return u.enqueue(ctx, in, a)
	}
	return u.runIfFree(ctx, a)
}

// prepare makes the turn. Nothing is stored.
func (u TakeTurn) prepare(ctx context.Context, in NewTurn) (domain.Turn, error) {
	c := call.From(ctx)
	actor, operation, now := c.Principal.UserID, c.Operation.ID, u.Now()
	if in.Checked {
		return domain.NewTurnOfEvent(in.ThreadID, actor, operation, in.Content, u.Lease, now), nil
	}
	turn, err := domain.NewTurn(in.ThreadID, actor, operation, in.Content, u.Lease, now)
	if err != nil {
		return turn, wrongContent("content", err)
	}
	return turn, nil
}

// wrongContent says what is wrong with the text of a message.
func wrongContent(field string, err error) error {
	code := "INVALID"
	if errors.Is(err, domain.ErrBlank) {
		code = "BLANK"
	}
	return fail.Fields(fail.Field{Field: field, Code: code, Message: err.Error()})
}
