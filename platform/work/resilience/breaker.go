package resilience

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"
)

// target is what is known of one of a group's targets.
type target struct {
	slots   *semaphore.Weighted // nil: no bound
	breaker *breaker            // of calls without a source
	quorum  *quorum             // of calls with one
}

// breaker is a circuit breaker that also knows until when it rejects all calls.
type breaker struct {
	*gobreaker.CircuitBreaker[struct{}]
	slots  *semaphore.Weighted // nil: no bound
	opened atomic.Int64        // when it opened, in Unix nanoseconds
	until  atomic.Int64        // when the target wants to be asked again, in Unix nanoseconds
}

// sourceKey names the breaker of one source at one target.
type sourceKey struct{ target, source string }

func (g *Group) target(name string) *target {
	return getOrAdd(g, g.targets, name, func() *target {
		t := &target{breaker: g.newBreaker(name, "", 0), quorum: &quorum{group: g, target: name}}
		if g.policy.Concurrency > 0 {
			t.slots = semaphore.NewWeighted(int64(g.policy.Concurrency))
		}
		return t
	})
}

// breaker returns the breaker that the failures of the caller open.
func (c Caller) breaker(name string) *breaker {
	if c.source == "" {
		return c.group.target(name).breaker
	}
	return getOrAdd(c.group, c.group.sources, sourceKey{name, c.source}, func() *breaker {
		return c.group.newBreaker(name, c.source, c.group.policy.PerSource)
	})
}

// getOrAdd returns the value of a key, and creates it if there is none.
func getOrAdd[K comparable, V any](g *Group, kept cache.Cache[K, V], key K, create func() V) V {
	if v, ok := kept.Get(key); ok {
		return v
	}
	g.adding.Lock()
	defer g.adding.Unlock()
	if v, ok := kept.Get(key); ok {
		return v
	}
	v := create()
	kept.Add(key, v)
	return v
}

func (g *Group) newBreaker(name, source string, concurrency int) *breaker {
	b := &breaker{}
	if concurrency > 0 {
		b.slots = semaphore.NewWeighted(int64(concurrency))
	}
	b.CircuitBreaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		Timeout:      g.policy.OpenFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(g.policy.Failures) },
		IsSuccessful: isSuccessful,
		IsExcluded:   isExcluded,
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.opened.Store(time.Now().UnixNano())
			}
			g.changed(name, source, from, to)
		},
	})
	return b
}

func (g *Group) changed(name, source string, from, to gobreaker.State) {
	log := g.log.With("group", g.name, "target", name)
	if source != "" {
		log = log.With("source", source)
	}
	switch {
	case to == gobreaker.StateOpen && from == gobreaker.StateClosed: // from half-open: it was logged when it opened
		log.Warn("a target has failed too often in a row: it is not asked for a while", "for", g.policy.OpenFor)
	case to == gobreaker.StateClosed:
		log.Info("a target works again")
	}
}

// closed is for how long a target lets no source through; 0: it does. What the program itself has found out holds for all.
func (t *target) closed(source string, openFor time.Duration) time.Duration {
	if source == "" {
		return 0
	}
	return max(t.quorum.left(), t.breaker.closed(openFor))
}

// closed returns for how long the breaker rejects all calls; 0: it accepts calls.
func (b *breaker) closed(openFor time.Duration) time.Duration {
	if b.State() != gobreaker.StateOpen {
		return 0
	}
	return max(b.left(openFor), time.Millisecond)
}

// left returns for how long an open breaker still rejects all calls.
func (b *breaker) left(openFor time.Duration) time.Duration {
	return time.Until(time.Unix(0, b.opened.Load()).Add(openFor))
}

// delayed returns for how long the target has asked not to be called; 0: it may be called.
func (b *breaker) delayed() time.Duration {
	until := b.until.Load()
	if until == 0 {
		return 0
	}
	return max(0, time.Until(time.Unix(0, until)))
}

// isOpen reports whether a breaker rejected a call.
func isOpen(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

func isSuccessful(err error) bool { return err == nil || isAnswered(err) }

func isExcluded(err error) bool {
	_, gone := errors.AsType[canceled](err)
	_, ignored := errors.AsType[uncounted](err)
	return gone || ignored
}

// quorum is the circuit breaker of a target for all sources together. It opens by failures in a row of several sources,
// and when it closes each of them may try: no single source can keep it open. It is safe for concurrent use.
type quorum struct {
	group  *Group
	target string

	mu       sync.Mutex
	failures int
	failed   map[string]struct{} // the sources of these failures, as many as count
	last     time.Time           // of the failures
	until    time.Time           // it is open
	away     bool                // it has opened and nothing has succeeded since
}

// quorumWindow is how long a failure counts that is followed by no other.
const quorumWindow = 2 * time.Minute

// add takes in what came of a call.
func (q *quorum) add(source string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ok {
		if q.away {
			q.group.changed(q.target, "", gobreaker.StateOpen, gobreaker.StateClosed)
		}
		q.failures, q.failed, q.away, q.until = 0, nil, false, time.Time{}
		return
	}
	now := time.Now()
	if now.Sub(q.last) > quorumWindow {
		q.failures, q.failed = 0, nil
	}
	if q.failed == nil {
		q.failed = map[string]struct{}{}
	}
	if needed := max(1, q.group.policy.Sources); len(q.failed) < needed {
		q.failed[source] = struct{}{}
	}
	q.failures, q.last = q.failures+1, now
	if q.failures < q.group.policy.Failures || len(q.failed) < q.group.policy.Sources {
		return
	}
	if !q.away {
		q.group.changed(q.target, "", gobreaker.StateClosed, gobreaker.StateOpen)
	}
	q.failures, q.failed, q.away, q.until = 0, nil, true, now.Add(q.group.policy.OpenFor)
}

// left is for how long no source is let through; 0: they are.
func (q *quorum) left() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.until.IsZero() {
		return 0
	}
	return max(0, time.Until(q.until))
}
