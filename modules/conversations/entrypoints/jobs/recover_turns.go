// Package jobs has the background work of conversations.
package jobs

import (
	"context"
	"errors"
	"sync"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/background"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/fail"
)

// RecoverTurns goes on with turns whose process did not live to finish them.
type RecoverTurns struct {
	Leases   ports.Leases
	Commands *command.Pipeline
	// Steps are those of the call that began the turn, so that its answer is the one that the call would have given.
	Steps func(turn *domain.Turn) command.Long
}

const (
	mostAttempts = 3 // model calls for one turn, the first included, before it is given up
	batch        = 4 // turns taken up at once; a model may take its time with each
)

// Do takes up what it finds. One turn's failure keeps no other from its turn: the model's is stored with the turn.
func (r RecoverTurns) Do(ctx context.Context) error {
	abandoned, err := r.Leases.Abandoned(ctx, batch)
	if err != nil {
		return err
	}
	failures := make([]error, len(abandoned))
	var turns sync.WaitGroup
	for i, a := range abandoned {
		turns.Go(func() {
			err := background.Survive(ctx, func(ctx context.Context) error { return r.recover(ctx, a) })
			if !isKept(err) {
				failures[i] = err
			}
		})
	}
	turns.Wait()
	return errors.Join(failures...)
}

// isKept tells whether an error is what became of a turn, which is stored with it, and no trouble of the recovery.
func isKept(err error) bool {
	for _, known := range []error{command.ErrInProgress, ports.ErrModel, ports.ErrCancel, fail.ErrLimitReached} {
		if errors.Is(err, known) {
			return true
		}
	}
	return err == nil || ports.PermanentModelFailure(err)
}

func (r RecoverTurns) recover(ctx context.Context, a ports.Abandoned) error {
	ctx = call.With(ctx, &call.Call{
		TraceID:   "recovery-" + a.OperationID.String(),
		Principal: call.Principal{WorkspaceID: a.WorkspaceID, UserID: a.ActorID},
		Operation: call.Operation{ID: a.OperationID},
	})
	if a.Attempt >= mostAttempts {
		_, err := r.Leases.Free(ctx, a.ThreadID, "given up after three attempts that did not live to an answer")
		return err
	}
	turn := domain.Turn{ThreadID: a.ThreadID, ActorID: a.ActorID, OperationID: a.OperationID}
	return r.Commands.Recover(ctx, r.Steps(&turn))
}
