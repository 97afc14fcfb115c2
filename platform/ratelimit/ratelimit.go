// Package ratelimit says who has to slow down: the generic cell rate algorithm (GCRA, ITU-T I.371), by which a caller
// may spend a window's worth at once and then gets it back evenly.
package ratelimit

import (
	"context"
	"math"
	"time"
)

// Limit is how much is allowed: Max calls in each Window.
type Limit struct {
	Max    int
	Window time.Duration
}

// Result is what a limiter says of a call.
type Result struct {
	Allowed    bool
	Limit      int
	Remaining  int           // calls that would be allowed now
	RetryAfter time.Duration // 0 where allowed
	Reset      time.Duration // until the whole of the limit is there again
}

// Limiter counts a call under a key. It is safe for concurrent use, and has an answer also when what is behind it fails.
type Limiter interface {
	Allow(ctx context.Context, key string, l Limit) Result
	// Peek says whether the next call under a key would be allowed, and counts nothing.
	Peek(ctx context.Context, key string, l Limit) Result
}

// decide is GCRA: due is when the next call would be on time (its theoretical arrival time). It gives the next due time,
// which counts only where the call is allowed.
func decide(due, now time.Time, l Limit) (Result, time.Time) {
	interval := l.Window / time.Duration(l.Max)
	if due.Before(now) {
		due = now
	}
	next := due.Add(interval)
	if room := l.Window - next.Sub(now); room < 0 {
		return Result{Limit: l.Max, RetryAfter: -room, Reset: due.Sub(now)}, due
	}
	left := l.Window - next.Sub(now)
	return Result{
		Allowed: true, Limit: l.Max, Remaining: int(math.Floor(float64(left) / float64(interval))), Reset: next.Sub(now),
	}, next
}
