package ratelimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/ratelimit"
	"github.com/parley/parley/platform/testing/redistest"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// away counts how often Redis was too slow to answer; what it was asked is not allowed.
type away struct{ asked atomic.Int64 }

func (a *away) Allow(_ context.Context, _ string, l ratelimit.Limit) ratelimit.Result {
	a.asked.Add(1)
	return ratelimit.Result{Limit: l.Max}
}

func (a *away) Peek(ctx context.Context, key string, l ratelimit.Limit) ratelimit.Result {
	return a.Allow(ctx, key, l)
}

// The suite that every limiter passes. Keys are the test's own; a window of an hour gives nothing back meanwhile.
func limits(t *testing.T, limiter ratelimit.Limiter, slow *away) {
	t.Helper()
	ctx, key := t.Context(), fmt.Sprintf("%s/%d", t.Name(), time.Now().UnixNano())
	limit := ratelimit.Limit{Max: 4, Window: time.Hour}
	for n := range limit.Max {
		peeked := limiter.Peek(ctx, key, limit)
		require.True(t, peeked.Allowed, "call %d would be allowed", n)
		require.Zero(t, peeked.RetryAfter)
		r := limiter.Allow(ctx, key, limit)
		require.True(t, r.Allowed, "a window's worth may be spent at once: call %d", n)
		require.Equal(t, limit.Max, r.Limit)
		require.Equal(t, limit.Max-1-n, r.Remaining)
		require.Zero(t, r.RetryAfter)
		require.InDelta(t, (time.Duration(n+1) * 15 * time.Minute).Seconds(), r.Reset.Seconds(), 5)
	}
	for n := range 4 {
		ask := limiter.Allow
		if n%2 == 0 {
			ask = limiter.Peek
		}
		r := ask(ctx, key, limit)
		require.False(t, r.Allowed, "not one more")
		require.Zero(t, r.Remaining)
		require.InDelta(t, (15 * time.Minute).Seconds(), r.RetryAfter.Seconds(), 5, "a refused call costs nothing")
		require.InDelta(t, time.Hour.Seconds(), r.Reset.Seconds(), 5)
	}
	require.True(t, limiter.Allow(ctx, key+"/other", limit).Allowed, "another key")

	limit.Max = 100
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 100 {
				if limiter.Allow(ctx, key+"/many", limit).Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, allowed.Load(), int64(100), "of 1000 at once no more than allowed")
	require.GreaterOrEqual(t, allowed.Load()+slow.asked.Load(), int64(100), "and no less")
}

func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	limits(t, ratelimit.NewMemory((&clock{now: time.Now()}).Now), &away{})
}

func TestRedisLimits(t *testing.T) {
	t.Parallel()
	slow := &away{}
	limits(t, ratelimit.NewRedis(redistest.Client(t), slow, slog.New(slog.DiscardHandler)), slow)
}

func TestWhatWasSpentComesBackEvenlyAndRetryAfterIsHonest(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1e9, 0)}
	m, limit := ratelimit.NewMemory(c.Now), ratelimit.Limit{Max: 6, Window: time.Minute}
	allow := func() ratelimit.Result { return m.Allow(t.Context(), "a", limit) }
	for range 6 {
		require.True(t, allow().Allowed)
	}
	for range 20 {
		r := allow()
		require.False(t, r.Allowed)
		c.forward(r.RetryAfter - 1)
		require.False(t, allow().Allowed, "a nanosecond early")
		c.forward(1)
		require.True(t, allow().Allowed, "after Retry-After")
	}
	c.forward(allow().Reset)
	for n := range 6 {
		require.True(t, allow().Allowed, "the whole limit is back after Reset: %d", n)
	}
	require.False(t, allow().Allowed, "and no more than all of it, however long it was")
	c.forward(24 * time.Hour)
	for range 6 {
		require.True(t, allow().Allowed)
	}
	require.False(t, allow().Allowed)
}

func TestMemoryDoesNotGrowWithoutEnd(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1e9, 0)}
	m, limit := ratelimit.NewMemory(c.Now), ratelimit.Limit{Max: 1, Window: time.Hour}
	most := ratelimit.Shards * ratelimit.ShardKeys
	for n := range most + most/2 {
		m.Allow(t.Context(), fmt.Sprint(n), limit)
	}
	require.LessOrEqual(t, ratelimit.Keys(m), most)
	require.Greater(t, ratelimit.Keys(m), most/4, "those that owe are forgotten only as far as it must be")
	c.forward(2 * time.Hour)
	for n := range most {
		m.Allow(t.Context(), fmt.Sprint("later", n), limit)
	}
	require.LessOrEqual(t, ratelimit.Keys(m), most)
}

func TestWithoutRedisTheFallbackLimits(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	for name, address := range map[string]string{"silent": l.Addr().String(), "refusing": "127.0.0.1:1"} {
		client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		limiter := ratelimit.NewRedis(client, ratelimit.NewMemory(time.Now), slog.New(slog.DiscardHandler))
		limit := ratelimit.Limit{Max: 2, Window: time.Hour}
		for n := range 4 {
			begun := time.Now()
			require.Equal(t, n < 2, limiter.Allow(t.Context(), "a", limit).Allowed, name)
			require.Less(t, time.Since(begun), 5*time.Second, name)
		}
	}
}
