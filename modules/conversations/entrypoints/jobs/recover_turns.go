// Package jobs has the background work of conversations.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/resilience"
)

// RecoverOptions are the options of RecoverTurns.
type RecoverOptions struct {
	Leases  ports.Leases
	Recover usecases.RecoverTurn
	// Slots bounds how many of these turns run at once, and divides the slots among workspaces. Calls have other slots.
	Slots *resilience.Slots
	Poll  time.Duration // between checks for turns without a notification
	Log   *slog.Logger
}

// RecoverTurns looks for turns whose process stopped or died before it finished them, and recovers them.
type RecoverTurns struct {
	RecoverOptions
	wake    chan struct{}
	waiting atomic.Bool // some turns were found for which no slot was free
}

const (
	batch    = 256 // turns that are read at once
	starters = 4   // attempts that begin at once: they must leave connections for calls

	recoverTimeout = 10 * time.Minute // for one check; attempts that have begun continue after it
)

// NewRecoverTurns makes RecoverTurns.
func NewRecoverTurns(o RecoverOptions) *RecoverTurns {
	return &RecoverTurns{RecoverOptions: o, wake: make(chan struct{}, 1)}
}

// Wake makes Run check for turns now.
func (r *RecoverTurns) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // a check is already due
	}
}

// Run recovers turns until the context ends. Attempts that have begun then continue.
func (r *RecoverTurns) Run(ctx context.Context) {
	t := background.Task{Name: "recover turns", Every: r.Poll, Timeout: recoverTimeout, Do: r.Do}
	background.Loop(ctx, t, r.wake, func(err error) {
		if err != nil {
			r.Log.Error("background task failed", "task", t.Name, "error", err)
		}
	})
}

// Do recovers the turns that it finds and has slots for. It returns when those attempts have begun, without waiting for
// their ends.
func (r *RecoverTurns) Do(ctx context.Context) error {
	r.waiting.Store(false)
	for ctx.Err() == nil {
		found, err := r.Leases.Abandoned(ctx, batch)
		if err != nil {
			return err
		}
		if r.begin(ctx, found) == 0 || len(found) < batch {
			return nil
		}
	}
	return nil
}

// begin starts attempts at turns, some at a time, and returns how many have begun. The order is random, so that
// processes that have found the same turns collide less often.
func (r *RecoverTurns) begin(ctx context.Context, found []ports.Abandoned) (begun int) {
	var n atomic.Int64
	var work []func()
	for _, a := range found {
		leave, ok := r.Slots.Try(a.WorkspaceID)
		if !ok {
			r.waiting.Store(true)
			continue
		}
		work = append(work, func() {
			started, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				defer r.freed(leave)
				r.attempt(context.WithoutCancel(ctx), a, func() { close(started) })
			}()
			select {
			case <-started:
				n.Add(1)
			case <-ended:
			}
		})
	}
	//nolint:gosec // nobody has to guess this order
	rand.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(starters, len(work)) {
		all.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(work); i = next.Add(1) - 1 {
				work[i]()
			}
		})
	}
	all.Wait()
	return int(n.Load())
}

// freed releases a slot, and checks for turns that wait for one.
func (r *RecoverTurns) freed(leave func()) {
	leave()
	if r.waiting.Load() {
		r.Wake()
	}
}

// attempt makes an attempt at a turn. Started is called when its model is about to be called. A failure does not affect
// other turns: a failure of a model is stored with its turn.
func (r *RecoverTurns) attempt(ctx context.Context, a ports.Abandoned, started func()) {
	err := background.Survive(ctx, func(ctx context.Context) error { return r.recover(ctx, a, started) })
	if !isKept(err) {
		r.Log.ErrorContext(ctx, "a turn could not be recovered; it is tried again", "thread_id", a.ThreadID, "error", err)
	}
}

// isKept reports whether an error is the outcome of a turn, which is stored with it, and not a failure of the recovery itself.
func isKept(err error) bool {
	for _, known := range []error{fail.ErrInProgress, ports.ErrModel, ports.ErrCancel, fail.ErrLimitReached} {
		if errors.Is(err, known) {
			return true
		}
	}
	return err == nil || ports.PermanentModelFailure(err)
}

func (r *RecoverTurns) recover(ctx context.Context, a ports.Abandoned, started func()) error {
	ctx = callctx.With(ctx, &callctx.Call{
		TraceID:   "recovery-" + a.OperationID.String(),
		Principal: callctx.Principal{WorkspaceID: a.WorkspaceID, UserID: a.ActorID},
		Operation: callctx.Operation{ID: a.OperationID},
	})
	return r.Recover.Do(ctx, a, started)
}
