package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/conversations/ports"
)

// lastTryTime is the remaining time of a request when it stops waiting in the queue: enough to begin a turn or to be
// refused.
const lastTryTime = 500 * time.Millisecond

// enqueue runs a turn when the turns before it in its thread have ended. It holds no connection while it waits. It
// reads the thread first, which checks the caller's permission: a caller that may not take a turn there neither waits
// nor learns whether the queue is full.
func (u TakeTurn) enqueue(ctx context.Context, in NewTurn, a *attempt) (ports.Answer, error) {
	if _, err := u.Threads.Get(ctx, in.ThreadID); err != nil {
		return ports.Answer{}, err
	}
	place, err := u.Queue.Enter(ctx, in.ThreadID)
	if err != nil {
		return ports.Answer{}, err
	}
	defer place.Leave()
	waiting := ctx
	if end, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		waiting, cancel = context.WithDeadline(ctx, end.Add(-lastTryTime))
		defer cancel()
	}
	busy := error(ports.ErrThreadBusy)
	for place.Wait(waiting) == nil {
		if *a.turn, err = u.prepare(ctx, in); err != nil { // its lease begins now
			return ports.Answer{}, err
		}
		answer, err := u.runIfFree(ctx, a)
		if !errors.Is(err, ports.ErrThreadBusy) {
			return answer, err
		}
		busy = err
	}
	return ports.Answer{}, busy
}
