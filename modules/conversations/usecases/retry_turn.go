package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// RetryTurn makes another attempt at a turn that failed and is the last of its thread, under an operation of its own.
type RetryTurn struct {
	RunTurn
	Views  ports.TurnViews
	Stream StreamTurn
}

// Do retries a turn and returns its answer. Errors are ports.ErrTurnNotFound, ports.ErrNotRetryable and those of TakeTurn.
func (u RetryTurn) Do(ctx context.Context, thread, turn uuid.UUID) (ports.Answer, error) {
	view, err := u.Views.Get(ctx, thread, turn)
	if err != nil {
		return ports.Answer{}, err
	}
	return u.retry(ctx, view, nil)
}

// DoStreamed retries a turn while a reader reads its events from a position on.
func (u RetryTurn) DoStreamed(ctx context.Context, thread, turn uuid.UUID, position int64, read Reader) error {
	view, err := u.Views.Get(ctx, thread, turn)
	if err != nil {
		return err
	}
	take := func(started func(uuid.UUID)) (ports.Answer, error) { return u.retry(ctx, view, started) }
	find := func(context.Context) (uuid.UUID, error) { return turn, nil }
	return u.Stream.do(ctx, streamedTurn{take: take, find: find, position: position, read: read})
}

func (u RetryTurn) retry(ctx context.Context, r domain.TurnView, started func(uuid.UUID)) (ports.Answer, error) {
	turn := domain.Turn{ID: r.ID, ThreadID: r.ThreadID, ActorID: r.ActorID, OperationID: r.OperationID}
	a := u.attempt(&turn, started)
	op := a.operation()
	op.Audit.Action, op.Wide = "turn.retry", true
	op.Begin = func(ctx context.Context) error {
		err := a.resume(ctx)
		if errors.Is(err, fail.ErrInProgress) || err == nil && turn.Done != nil {
			return ports.ErrNotRetryable.With("turn_id", r.ID)
		}
		return err
	}
	return u.Operations.Run(ctx, op)
}
