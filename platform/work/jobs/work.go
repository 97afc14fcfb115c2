package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/parley/parley/platform/request/callctx"
)

// Failures that the history of a job records and that no handler has returned.
var (
	errUnknownKind = errors.New("nobody handles jobs of this kind")
	errLost        = errors.New("its worker was lost: the lease ran out")
	errTimeout     = errors.New("it took longer than its kind may")
)

// start runs an attempt beside the others.
func (r *Runner) start(a *attempt) {
	k, known := r.Registry.find(a.Kind)
	ctx, cancel := context.WithCancelCause(asTenant(r.work, a))
	a.cancel = cancel
	a.stuck = time.Now().Add(k.Timeout + r.Lease)
	r.held.add(a)
	began := time.Now()
	slowAfter := r.held.pools.list[a.pool].SlowAfter
	go func() {
		defer r.held.remove(a)
		defer cancel(nil)
		if slowAfter > 0 {
			defer time.AfterFunc(slowAfter, func() { r.becomeSlow(ctx, a) }).Stop()
		}
		if !known {
			r.fail(ctx, a, defaultBackoff, Permanent(errUnknownKind))
			return
		}
		err := r.handle(ctx, k, a)
		if a.known != quick && time.Since(began) < slowAfter && !IsNotYet(err) && context.Cause(ctx) == nil {
			r.markTarget(ctx, a, false)
		}
		if err == nil {
			r.complete(ctx, a)
			return
		}
		if errors.Is(context.Cause(ctx), ErrNoSlowSlot) {
			r.notYet(ctx, a, 0)
			return
		}
		if context.Cause(ctx) != nil {
			return // given back, or another's by now: whatever this attempt brought is late
		}
		if wait, ok := errors.AsType[notYet](err); ok {
			r.notYet(ctx, a, wait.delay)
			return
		}
		r.fail(ctx, a, k.Backoff, err)
	}()
}

// asTenant returns a context with the call of a job: in its workspace, without a user, under the operation and the
// trace of its cause.
func asTenant(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(callctx.With(ctx, &callctx.Call{
		TraceID:   a.trace,
		Principal: callctx.Principal{WorkspaceID: a.WorkspaceID},
		Operation: callctx.Operation{ID: a.operation},
	}), runningKey{}, a.Kind)
}

// handle calls the handler of the job. A panic is a failure; its stack is written to the log only.
func (r *Runner) handle(ctx context.Context, k kind, a *attempt) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, k.Timeout, errTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			r.Log.ErrorContext(ctx, "a job's handler panicked", "job_id", a.ID, "kind", a.Kind, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	err = r.Middleware(ctx, a.Kind, func(ctx context.Context) error { return k.handle(ctx, r.DB, a.Info, a.payload) })
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = fmt.Errorf("%w (%s): %w", errTimeout, k.Timeout, err)
	}
	return err
}
