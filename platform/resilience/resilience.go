// Package resilience stands around every call to the outside: a deadline, a bulkhead (so many at once and no more),
// repetition where that is safe, and a circuit breaker for each target, which stops asking one that has failed several
// times in a row. So a target that hangs or is away costs its own calls and nobody else's.
package resilience

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"

	"github.com/parley/parley/platform/fail"
)

// Policy bounds the calls of a group.
type Policy struct {
	Timeout     time.Duration // of one attempt
	Concurrency int           // calls at once to one target
	Wait        time.Duration // for room among them; 0: no waiting
	Retries     int           // beyond the first attempt, of calls that are safe to repeat
	Failures    int           // in a row open the breaker
	OpenFor     time.Duration // before one call tries again
}

// mostTargets bounds the memory of a group, as tenants choose targets. One that is pushed out, which is the one not
// called for longest, starts anew with a closed breaker and room for all its calls.
const mostTargets = 10_000

// Group guards the calls of one sort: those to webhooks, those to models. It is safe for concurrent use.
type Group struct {
	// Around is put round each attempt at a target, whose error it passes on; nil: nothing is. It is set before the first call.
	Around func(ctx context.Context, group, target string, attempt func(ctx context.Context) error) error

	name    string
	policy  Policy
	log     *slog.Logger
	adding  sync.Mutex // held while a target is added, so that two calls do not add it twice
	targets cache.Cache[string, *target]
	counts  Counts
}

// Counts tells what has come of the calls of a group since the start.
type Counts struct {
	OK, Failed, Refused, Canceled atomic.Int64
}

// target is what is known of one of them.
type target struct {
	breaker *gobreaker.CircuitBreaker[struct{}]
	room    *semaphore.Weighted
	opened  atomic.Int64 // when the breaker opened, in Unix nanoseconds
}

// NewGroup makes a Group.
func NewGroup(name string, p Policy, log *slog.Logger) *Group {
	return &Group{name: name, policy: p, log: log, targets: cache.NewCache[string, *target]().WithLRU().WithMaxKeys(mostTargets)}
}

// Do calls a target once. Where its breaker is open, or the bulkhead is full, it answers at once with an error for which
// IsRefused holds, of kind fail.Unavailable, and the target is not asked. The end of the caller's own context is nobody's
// failure, unless the attempt's deadline had passed before: so a caller whose deadline is to show that a target hangs
// has to be more patient than Policy.Timeout.
func (g *Group) Do(ctx context.Context, name string, call func(ctx context.Context) error) error {
	t := g.target(name)
	switch err := t.enter(ctx, g.policy.Wait); {
	case errors.Is(err, errFull):
		g.counts.Refused.Add(1)
		return refusal(time.Second, err)
	case err != nil:
		g.counts.Canceled.Add(1)
		return err
	}
	defer t.room.Release(1)
	_, err := t.breaker.Execute(func() (struct{}, error) {
		attempt, cancel := context.WithTimeoutCause(ctx, g.policy.Timeout, errHangs)
		defer cancel()
		err := g.attempt(attempt, name, call)
		if err != nil && attempt.Err() != nil && !errors.Is(context.Cause(attempt), errHangs) {
			err = canceled{err} // the caller went first
		}
		return struct{}{}, err
	})
	return g.count(t, err)
}

// DoSafe is Do for a call that may be repeated: after a failure it is, with a growing pause. Its error is the first
// failure's where a repetition was refused: the target was asked, and IsRefused does not hold.
func (g *Group) DoSafe(ctx context.Context, name string, call func(ctx context.Context) error) error {
	var failed error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := g.Do(ctx, name, call)
		_, refused := IsRefused(err)
		switch {
		case refused && failed != nil:
			err = backoff.Permanent(failed)
		case refused || isAnswered(err) || isFinal(err) || ctx.Err() != nil:
			err = backoff.Permanent(err)
		default:
			failed = err
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(uint(g.policy.Retries)+1), backoff.WithBackOff(backoff.NewExponentialBackOff()))
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		return permanent.Err
	}
	return err
}

func (g *Group) attempt(ctx context.Context, name string, call func(ctx context.Context) error) error {
	if g.Around == nil {
		return call(ctx)
	}
	return g.Around(ctx, g.name, name, call)
}

// count keeps account of what a call came to, and takes off what only the breaker had to know.
func (g *Group) count(t *target, err error) error {
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		g.counts.Refused.Add(1)
		return refusal(g.left(t), err)
	}
	if c, ok := errors.AsType[canceled](err); ok {
		g.counts.Canceled.Add(1)
		return c.error
	}
	if err == nil || isAnswered(err) {
		g.counts.OK.Add(1)
	} else {
		g.counts.Failed.Add(1)
	}
	return err
}

// enter takes one place among the calls to the target.
func (t *target) enter(ctx context.Context, wait time.Duration) error {
	if t.room.TryAcquire(1) {
		return nil
	}
	if wait <= 0 {
		return errFull
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errFull)
	defer cancel()
	if err := t.room.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Why a call was not made, and why one was ended.
var (
	errFull  = errors.New("as many calls as may run to this target are running")
	errHangs = errors.New("the target did not answer in time")
)

func (g *Group) target(name string) *target {
	if t, ok := g.targets.Get(name); ok {
		return t
	}
	g.adding.Lock()
	defer g.adding.Unlock()
	if t, ok := g.targets.Get(name); ok {
		return t
	}
	t := &target{room: semaphore.NewWeighted(int64(g.policy.Concurrency))}
	t.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		Timeout:      g.policy.OpenFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(g.policy.Failures) },
		IsSuccessful: func(err error) bool { return err == nil || isAnswered(err) },
		IsExcluded: func(err error) bool {
			_, ok := errors.AsType[canceled](err)
			return ok
		},
		OnStateChange: func(name string, from, to gobreaker.State) { g.changed(t, name, from, to) },
	})
	g.targets.Add(name, t)
	return t
}

func (g *Group) changed(t *target, name string, from, to gobreaker.State) {
	switch to {
	case gobreaker.StateOpen:
		t.opened.Store(time.Now().UnixNano())
		if from == gobreaker.StateHalfOpen {
			return // it is away as before, which was said
		}
		g.log.Warn("a target has failed too often in a row: it is not asked for a while", "group", g.name, "target", name, "for", g.policy.OpenFor)
	case gobreaker.StateClosed:
		g.log.Info("a target works again", "group", g.name, "target", name)
	case gobreaker.StateHalfOpen:
	}
}

// left is for how long an open breaker lets nobody through.
func (g *Group) left(t *target) time.Duration {
	return time.Until(time.Unix(0, t.opened.Load()).Add(g.policy.OpenFor))
}

// Away tells for how long a target will not be asked; 0: it is asked now. It is for work that is better not begun.
func (g *Group) Away(name string) time.Duration {
	t, ok := g.targets.Peek(name)
	if !ok || t.breaker.State() != gobreaker.StateOpen {
		return 0
	}
	return max(g.left(t), time.Millisecond)
}

// Name is what sort of calls the group guards.
func (g *Group) Name() string { return g.name }

// Counts tells what has come of the group's calls.
func (g *Group) Counts() *Counts { return &g.counts }

// States counts the targets by the state of their breakers: closed, half-open, open.
func (g *Group) States() map[string]int {
	states := map[string]int{
		gobreaker.StateClosed.String(): 0, gobreaker.StateHalfOpen.String(): 0, gobreaker.StateOpen.String(): 0,
	}
	for _, t := range g.targets.Values() {
		states[t.breaker.State().String()]++
	}
	return states
}

// refused says that a target was not asked.
type refused struct {
	error
	wait time.Duration
}

func (r refused) Unwrap() error { return r.error }

// refusal is what callers are told: they may try again when the breaker lets the next one through.
func refusal(wait time.Duration, cause error) error {
	wait = max(wait, 0)
	return refused{fail.ErrUnavailable.After(max(wait, time.Second)).Because(cause), wait}
}

// IsRefused tells whether err says that the target was not asked, and for how long it will not be.
func IsRefused(err error) (wait time.Duration, ok bool) {
	r, ok := errors.AsType[refused](err)
	return r.wait, ok
}

// canceled is the failure of a call whose caller had gone.
type canceled struct{ error }

// answered is a failure that shows that the target works.
type answered struct{ error }

func (a answered) Unwrap() error { return a.error }

// Answered marks a failure that shows that the target works and does not want this very call, as an HTTP 4xx does: it is
// no reason to stop asking, nor to repeat the call.
func Answered(err error) error { return answered{err} }

// final is a failure that comes again, or whose call has shown something already.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final marks a failure that counts, and whose call is not to be repeated though others of its sort may be: it has had an
// effect that somebody has seen, or has taken as long as there was patience for.
func Final(err error) error { return final{err} }

func isFinal(err error) bool {
	_, ok := errors.AsType[final](err)
	return ok
}

func isAnswered(err error) bool {
	_, ok := errors.AsType[answered](err)
	return ok
}
