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
	require.Eventually(t, func() bool { return l.queued(in) == before+1 }, 10*time.Second, time.Millisecond)
}

func TestWhoIsFamiliarGoesFirstAndStrangersAreNotForgotten(t *testing.T) {
	t.Parallel()
	l := &lanes{free: 1, longest: 10}
	require.True(t, l.acquire(t.Context(), stranger))
	served := make(chan string)
	for range 5 {
		enter(t.Context(), t, l, stranger, "stranger", served)
	}
	for range 7 {
		enter(t.Context(), t, l, familiar, "familiar", served)
	}
	var order []string
	for range 12 {
		l.release()
		order = append(order, <-served)
	}
	f, s := "familiar", "stranger"
	require.Equal(t, []string{f, f, f, s, f, f, f, s, f, s, s, s}, order)
	l.release()
	require.Equal(t, 1, l.free)
}

func TestAFullLaneTurnsItsOwnAway(t *testing.T) {
	t.Parallel()
	l := &lanes{free: 1, longest: 2}
	require.True(t, l.acquire(t.Context(), stranger))
	served := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		enter(ctx, t, l, stranger, "stranger", served)
	}
	require.False(t, l.acquire(t.Context(), stranger))
	enter(t.Context(), t, l, familiar, "familiar", served)
	cancel()
	require.Eventually(t, func() bool { return l.queued(stranger) == 0 }, 10*time.Second, time.Millisecond, "who has gone takes no place")
	l.release()
	require.Equal(t, "familiar", <-served)
	l.release()
	require.Equal(t, 1, l.free, "no slot is lost")
}

func TestASlotThatComesTooLateIsPassedOn(t *testing.T) {
	t.Parallel()
	for range 200 {
		l := &lanes{free: 1, longest: 2}
		require.True(t, l.acquire(t.Context(), stranger))
		ctx, cancel := context.WithCancel(t.Context())
		took := make(chan bool)
		go func() { took <- l.acquire(ctx, stranger) }()
		require.Eventually(t, func() bool { return l.queued(stranger) == 1 }, 10*time.Second, 10*time.Microsecond)
		go cancel()
		l.release()
		if <-took {
			l.release()
		}
		require.True(t, l.acquire(t.Context(), familiar), "a slot is lost")
	}
}
