package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
)

const (
	// maxBusyTries is how often a turn is tried in a thread whose running turn ends before its id can be read: the refusal
	// names that turn.
	maxBusyTries = 50
	// lastTryTime is what is left of a request's time when it stops waiting in the queue: enough to begin a turn or to be refused.
	lastTryTime = 500 * time.Millisecond
	// recoverFirst is for how long after the end of its lease a turn is left to RecoverTurn, before another turn may take its
	// thread.
	recoverFirst = 10 * time.Second
)

// runIfFree runs a turn unless another one runs in its thread: then the error is ports.ErrThreadBusy with that turn. The unique
// index llm_turns_one_running decides, when the turn is stored.
func (u TakeTurn) runIfFree(ctx context.Context, a *attempt) (ports.Answer, error) {
	for range maxBusyTries {
		answer, err := u.Operations.Run(ctx, a.operation())
		if !errors.Is(err, ports.ErrThreadBusy) {
			return answer, err
		}
		if err := u.freeThread(ctx, a.turn.ThreadID); err != nil {
			return ports.Answer{}, err
		}
	}
	return ports.Answer{}, ports.ErrThreadBusy
}

// freeThread ends the turn that runs in a busy thread where its lease ran out long ago and nothing has recovered it. It returns
// nil where the thread is free by now, and else ports.ErrThreadBusy with the turn that runs.
func (u TakeTurn) freeThread(ctx context.Context, thread uuid.UUID) error {
	freed, err := u.Leases.Free(ctx, thread, recoverFirst, "its lease ran out and another turn took the thread")
	if err != nil || freed {
		return err
	}
	active, err := u.Leases.Busy(ctx, thread)
	if err != nil || active == uuid.Nil {
		return err
	}
	return ports.ErrThreadBusy.With("active_turn_id", active)
}

// enqueue runs a turn when those before it in its thread have ended. It holds nothing while it waits. The thread is read first,
// which checks the caller's permission: a caller that may not take a turn there neither waits nor learns whether the queue is full.
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
