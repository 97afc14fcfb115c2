// Package ratelimit limits the rate of calls with the generic cell rate algorithm (GCRA, ITU-T I.371). A caller may use
// the calls of a whole window at once, and then regains them evenly over time.
package ratelimit

import (
	"context"
	"math"
	"time"
)

// Limit allows Max calls in each Window.
type Limit struct {
	Max    int
	Window time.Duration
}

// Result is the decision of a limiter about a call.
type Result struct {
	Allowed    bool
	Limit      int
	Remaining  int           // calls that would be allowed now
	RetryAfter time.Duration // 0 where allowed
	Reset      time.Duration // until the whole of the limit is there again
}

// Limiter counts calls by key. It is safe for concurrent use. It returns a result even if its backend fails.
type Limiter interface {
	Allow(ctx context.Context, key string, l Limit) Result
	// Peek returns whether the next call under a key would be allowed, without counting it.
	Peek(ctx context.Context, key string, l Limit) Result
}

// decide is the GCRA: due is the time at which the next call would be on time (its theoretical arrival time). It
// returns the next due time, which applies only if the call is allowed.
func decide(due, now time.Time, l Limit) (Result, time.Time) {
	interval := l.Window / time.Duration(l.Max)
	if due.Before(now) {
		due = now
	}
	next := due.Add(interval)
	if credit := l.Window - next.Sub(now); credit < 0 {
		return Result{Limit: l.Max, RetryAfter: -credit, Reset: due.Sub(now)}, due
	}
	left := l.Window - next.Sub(now)
	return Result{
		Allowed: true, Limit: l.Max, Remaining: int(math.Floor(float64(left) / float64(interval))), Reset: next.Sub(now),
	}, next
}
