// Package resilience wraps every call to another system with a deadline, a bulkhead (a maximum number of concurrent
// calls), retries if they are safe, and a circuit breaker for each target, which stops calls to a target that has failed
// several times in a row. A target that hangs or is unavailable therefore affects only its own calls.
//
// If tenants share a target, calls are made for a source (Group.For): the failures of one tenant then stop only the calls
// of that tenant. Slots divide a bounded number of slots among tenants.
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
)

// Policy bounds the calls of a group.
type Policy struct {
	Timeout     time.Duration // of one attempt
	Concurrency int           // calls at once to one target; 0: no bound
	PerSource   int           // of these, calls at once of one source; 0: as many as of all
	Wait        time.Duration // for room among them; 0: no waiting
	Retries     int           // beyond the first attempt, of calls that are safe to repeat
	Failures    int           // in a row open the breaker
	Sources     int           // that must be among those who failed for the breaker to open for every source; 0: one is enough
	OpenFor     time.Duration // before one call tries again
}

// maxTargets bounds the memory of a group, as tenants choose targets. The same number of breakers of single sources is
// kept in addition. A target that is evicted, which is the least recently called one, starts again with a closed
// breaker and an empty bulkhead.
const maxTargets = 10_000

// Group guards the calls of one kind, such as those to webhooks or those to models. It is safe for concurrent use.
type Group struct {
	// Middleware wraps each attempt at a target and must return its error; nil: there is none. It must be set before
	// the first call.
	Middleware func(ctx context.Context, group, target string, attempt func(ctx context.Context) error) error

	name    string
	policy  Policy
	log     *slog.Logger
	adding  sync.Mutex // held while a target or breaker is added, so that two calls do not add it twice
	targets cache.Cache[string, *target]
	sources cache.Cache[sourceKey, *breaker]
	counts  Counts
}

// Counts counts the calls of a group since the start, by outcome.
type Counts struct {
	OK, Failed, Refused, Canceled atomic.Int64
}

// NewGroup returns a Group.
func NewGroup(name string, p Policy, log *slog.Logger) *Group {
	return &Group{
		name: name, policy: p, log: log,
		targets: cache.NewCache[string, *target]().WithLRU().WithMaxKeys(maxTargets),
		sources: cache.NewCache[sourceKey, *breaker]().WithLRU().WithMaxKeys(maxTargets),
	}
}

// Caller makes the calls of one source, such as a workspace.
type Caller struct {
	group  *Group
	source string
}

// For returns the Caller of a source of calls, such as a workspace. Each source has a circuit breaker of its own for
// each target, which its failures open for that source only. The breaker of a target opens for all sources when several
// sources fail (Policy.Sources), or when calls of the program itself fail, which is the empty source.
func (g *Group) For(source string) Caller { return Caller{g, source} }

// Do is Caller.Do for the program itself.
func (g *Group) Do(ctx context.Context, name string, call func(ctx context.Context) error) error {
	return g.For("").Do(ctx, name, call)
}

// DoSafe is Caller.DoSafe for the program itself.
func (g *Group) DoSafe(ctx context.Context, name string, call func(ctx context.Context) error) error {
	return g.For("").DoSafe(ctx, name, call)
}

// Away is Caller.Away for the program itself.
func (g *Group) Away(name string) time.Duration { return g.For("").Away(name) }

// Do calls a target once. If its breaker is open, or the bulkhead is full, it returns at once an error of kind
// fail.Unavailable for which IsRefused returns true, and the target is not called. The end of the caller's own context
// does not count as a failure, unless the deadline of the attempt had passed before. A caller whose deadline is meant
// to detect a hanging target must therefore allow more than Policy.Timeout.
func (c Caller) Do(ctx context.Context, name string, call func(ctx context.Context) error) error {
	g, t, b := c.group, c.group.target(name), c.breaker(name)
	if wait := max(t.closed(c.source, g.policy.OpenFor), b.delayed()); wait > 0 {
		g.counts.Refused.Add(1)
		return refusal(wait, errOpen)
	}
	for _, slots := range []*semaphore.Weighted{b.slots, t.slots} {
		switch err := enter(ctx, slots, g.policy.Wait); {
		case errors.Is(err, errFull):
			g.counts.Refused.Add(1)
			return refusal(time.Second, err)
		case err != nil:
			g.counts.Canceled.Add(1)
			return err
		}
		if slots != nil {
			defer slots.Release(1)
		}
	}
	_, err := b.Execute(func() (struct{}, error) {
		attempt, cancel := context.WithTimeoutCause(ctx, g.policy.Timeout, errHangs)
		defer cancel()
		err := g.attempt(attempt, name, call)
		if err != nil && attempt.Err() != nil && !errors.Is(context.Cause(attempt), errHangs) {
			err = canceled{err} // the caller went first
		}
		return struct{}{}, err
	})
	if c.source != "" && !isOpen(err) && !isExcluded(err) {
		t.quorum.add(c.source, isSuccessful(err))
	}
	if wait := delay(err); wait > 0 {
		b.until.Store(time.Now().Add(wait).UnixNano())
	}
	return g.count(b, err)
}

// DoSafe is Do for a call that may be repeated: after a failure it is repeated, with growing delays. If a repetition is
// refused, the error is that of the first failure: the target was called, so IsRefused returns false.
func (c Caller) DoSafe(ctx context.Context, name string, call func(ctx context.Context) error) error {
	var failed error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := c.Do(ctx, name, call)
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
	}, backoff.WithMaxTries(uint(c.group.policy.Retries)+1), backoff.WithBackOff(backoff.NewExponentialBackOff()))
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		return permanent.Err
	}
	return err
}

func (g *Group) attempt(ctx context.Context, name string, call func(ctx context.Context) error) error {
	if g.Middleware == nil {
		return call(ctx)
	}
	return g.Middleware(ctx, g.name, name, call)
}

// count keeps account of what a call came to, and takes off what only the breaker had to know.
func (g *Group) count(b *breaker, err error) error {
	if isOpen(err) {
		g.counts.Refused.Add(1)
		return refusal(b.left(g.policy.OpenFor), err)
	}
	if c, ok := errors.AsType[canceled](err); ok {
		g.counts.Canceled.Add(1)
		return c.error
	}
	if isSuccessful(err) {
		g.counts.OK.Add(1)
	} else {
		g.counts.Failed.Add(1)
	}
	return err
}

// enter takes one place among the calls that a room bounds; nil bounds none.
func enter(ctx context.Context, slots *semaphore.Weighted, wait time.Duration) error {
	if slots == nil || slots.TryAcquire(1) {
		return nil
	}
	if wait <= 0 {
		return errFull
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errFull)
	defer cancel()
	if err := slots.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Away returns for how long a target will not be called for the source; 0: it is called now. It is for work that is
// better not begun while the target is unavailable.
func (c Caller) Away(name string) time.Duration {
	t, ok := c.group.targets.Peek(name)
	if !ok {
		return 0
	}
	openFor := c.group.policy.OpenFor
	b, away := t.breaker, t.closed(c.source, openFor)
	if c.source != "" {
		if b, ok = c.group.sources.Peek(sourceKey{name, c.source}); !ok {
			return away
		}
	}
	return max(away, b.delayed(), b.closed(openFor))
}

// Name returns the kind of calls that the group guards.
func (g *Group) Name() string { return g.name }

// Counts returns the counters of the calls of the group.
func (g *Group) Counts() *Counts { return &g.counts }

// States returns the number of targets by the state of their breakers: closed, half-open, open. A target whose breaker
// is open only for single sources counts as closed.
func (g *Group) States() map[string]int {
	states := map[string]int{
		gobreaker.StateClosed.String(): 0, gobreaker.StateHalfOpen.String(): 0, gobreaker.StateOpen.String(): 0,
	}
	for _, t := range g.targets.Values() {
		state := t.breaker.State()
		if t.quorum.left() > 0 {
			state = gobreaker.StateOpen
		}
		states[state.String()]++
	}
	return states
}
