package usecases

import (
	"context"
	"errors"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// RecoverTurn makes another attempt at a turn whose process stopped or died before it had finished it.
type RecoverTurn struct {
	RunTurn
	Leases ports.Leases
	Attend AttendTurn
}

const maxAttempts = 3 // model calls for one turn, the first included

// Do recovers a turn, or gives it up after maxAttempts attempts. The call in the context is that of the turn's operation. Started
// is called when the turn is resumed and its model is about to be asked. A turn without a thread is
// recovered as AttendTurn.Resume says. The error is fail.ErrInProgress where another process recovers the turn.
func (u RecoverTurn) Do(ctx context.Context, lost ports.Abandoned, started func()) error {
	if lost.Attempt >= maxAttempts {
		_, err := u.Leases.Free(ctx, lost.ThreadID, 0, "given up after three attempts that did not live to an answer")
		return err
	}
	a := u.attempt(&domain.Turn{ThreadID: lost.ThreadID, ActorID: lost.ActorID, OperationID: lost.OperationID}, nil)
	op := a.operation()
	op.Work = func(ctx context.Context) error {
		started()
		return a.work(ctx)
	}
	err := u.Attend.Resume(ctx, func() error { return u.Operations.Recover(ctx, op) })
	if errors.Is(err, ports.ErrTurnWaiting) {
		return nil
	}
	return err
}
