package dedupe_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/dedupe"
	"github.com/parley/parley/platform/testing/redistest"
)

// kept is the contract of Marks: every adapter passes it.
func kept(t *testing.T, open func(life time.Duration) dedupe.Marks) {
	t.Helper()
	marks, key := open(time.Minute), uuid.NewString()
	_, found := marks.Find(t.Context(), key)
	require.False(t, found)
	marks.Put(t.Context(), key, "event 1")
	value, found := marks.Find(t.Context(), key)
	require.True(t, found)
	require.Equal(t, "event 1", value)
	marks.Put(t.Context(), key, "")
	value, found = marks.Find(t.Context(), key)
	require.True(t, found, "an empty text is a mark too")
	require.Empty(t, value)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	marks.Put(gone, key, "event 2")
	value, _ = marks.Find(t.Context(), key)
	require.Equal(t, "event 2", value, "the caller had gone, and what it did is done")

	short := open(50 * time.Millisecond)
	short.Put(t.Context(), key+"short", "x")
	require.Eventually(t, func() bool {
		_, found := short.Find(t.Context(), key+"short")
		return !found
	}, time.Minute, 10*time.Millisecond)
}

func TestMarksInMemory(t *testing.T) {
	t.Parallel()
	kept(t, func(life time.Duration) dedupe.Marks { return dedupe.NewMemory(life, 100) })
}

func TestMarksInRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	kept(t, func(life time.Duration) dedupe.Marks {
		return dedupe.NewRedis(client, life, slog.New(slog.DiscardHandler))
	})
}

func TestMemoryHoldsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	marks := dedupe.NewMemory(time.Hour, 10)
	for n := range 11 {
		marks.Put(t.Context(), fmt.Sprint(n), "x")
	}
	_, found := marks.Find(t.Context(), "0")
	require.False(t, found)
	_, found = marks.Find(t.Context(), "10")
	require.True(t, found)
}

func TestARedisThatIsAwayHasNothingAndKeepsNobody(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "192.0.2.1:6379", DialTimeout: time.Minute, MaxRetries: -1, ContextTimeoutEnabled: true}) // answers nobody
	t.Cleanup(func() { _ = client.Close() })
	marks, start := dedupe.NewRedis(client, time.Hour, slog.New(slog.DiscardHandler)), time.Now()
	marks.Put(t.Context(), "k", "v")
	_, found := marks.Find(t.Context(), "k")
	require.False(t, found)
	require.Less(t, time.Since(start), 5*time.Second)
}
