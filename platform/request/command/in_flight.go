package command

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// inFlight lets one call at a time through for an operation, so that of many repetitions in this process at most one
// holds a connection; the others wait here.
type inFlight struct {
	mu      sync.Mutex
	waiting map[flightKey]*flight
}

type flightKey struct{ workspace, actor, operation uuid.UUID }

type flight struct {
	turn  chan struct{} // holds one token: whoever has it flies
	calls int           // in the air or waiting
}

func newInFlight() *inFlight { return &inFlight{waiting: map[flightKey]*flight{}} }

// enter waits for this call's turn, up to waitForOther, then ErrInProgress.
func (f *inFlight) enter(ctx context.Context) (leave func(), err error) {
	c := callctx.From(ctx)
	key := flightKey{c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID}
	f.mu.Lock()
	fl, ok := f.waiting[key]
	if !ok {
		fl = &flight{turn: make(chan struct{}, 1)}
		fl.turn <- struct{}{}
		f.waiting[key] = fl
	}
	fl.calls++
	f.mu.Unlock()

	forget := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if fl.calls--; fl.calls == 0 {
			delete(f.waiting, key)
		}
	}
	timer := time.NewTimer(waitForOther)
	defer timer.Stop()
	select {
	case <-fl.turn:
		return func() { fl.turn <- struct{}{}; forget() }, nil
	case <-timer.C:
		forget()
		return nil, ErrInProgress
	case <-ctx.Done():
		forget()
		return nil, fail.ErrUnavailable.Because(ctx.Err())
	}
}
