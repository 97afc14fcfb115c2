package argon2id

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// enter has a caller wait in a lane, and tells the name when it has its slot.
func enter(ctx context.Context, t *testing.T, l *lanes, in lane, name string, served chan<- string) {
	t.Helper()
	before := l.queued(in)
	go func() {
		if l.acquire(ctx, in) {
			served <- name
		}
	}()
	require.Eventually(t, func() bool { return l.queued(in) == before+1 }, time.Minute, time.Millisecond)
}

func TestKnownCallersGoFirstAndUnknownCallersStillGetSlots(t *testing.T) {
	t.Parallel()
	l := &lanes{free: 1, longest: 10}
	require.True(t, l.acquire(t.Context(), unknown))
	served := make(chan string)
	for range 5 {
		enter(t.Context(), t, l, unknown, "unknown", served)
	}
	for range 7 {
		enter(t.Context(), t, l, familiar, "familiar", served)
	}
	var order []string
	for range 12 {
		l.release()
		order = append(order, <-served)
	}
	f, s := "familiar", "unknown"
	require.Equal(t, []string{f, f, f, s, f, f, f, s, f, s, s, s}, order)
	l.release()
	require.Equal(t, 1, l.free)
}

func TestAFullLaneTurnsItsOwnAway(t *testing.T) {
	t.Parallel()
	l := &lanes{free: 1, longest: 2}
	require.True(t, l.acquire(t.Context(), unknown))
	served := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		enter(ctx, t, l, unknown, "unknown", served)
	}
	require.False(t, l.acquire(t.Context(), unknown))
	enter(t.Context(), t, l, familiar, "familiar", served)
	cancel()
	require.Eventually(t, func() bool { return l.queued(unknown) == 0 }, time.Minute, time.Millisecond, "who has gone takes no place")
	l.release()
	require.Equal(t, "familiar", <-served)
	l.release()
	require.Equal(t, 1, l.free, "no slot is lost")
}

func TestASlotThatComesTooLateIsPassedOn(t *testing.T) {
	t.Parallel()
	for range 200 {
		l := &lanes{free: 1, longest: 2}
		require.True(t, l.acquire(t.Context(), unknown))
		ctx, cancel := context.WithCancel(t.Context())
		took := make(chan bool)
		go func() { took <- l.acquire(ctx, unknown) }()
		require.Eventually(t, func() bool { return l.queued(unknown) == 1 }, time.Minute, 10*time.Microsecond)
		go cancel()
		l.release()
		if <-took {
			l.release()
		}
		require.True(t, l.acquire(t.Context(), familiar), "a slot is lost")
	}
}
