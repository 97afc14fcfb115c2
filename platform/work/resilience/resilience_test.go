package resilience_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

var errDown = errors.New("down")

const openFor = 30 * time.Millisecond

func group(change ...func(*resilience.Policy)) *resilience.Group {
	p := resilience.Policy{Timeout: time.Minute, Concurrency: 2, Retries: 2, Failures: 3, OpenFor: openFor}
	for _, c := range change {
		c(&p)
	}
	return resilience.NewGroup("test", p, slog.New(slog.DiscardHandler))
}

func returns(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// open makes a target's breaker open.
func open(t *testing.T, g *resilience.Group) {
	t.Helper()
	for range 3 {
		require.ErrorIs(t, g.Do(t.Context(), "a", returns(errDown)), errDown)
	}
	require.Equal(t, 1, g.States()["open"])
}

func TestATargetThatFailsInARowIsNotAskedForAWhile(t *testing.T) {
	t.Parallel()
	g := group(func(p *resilience.Policy) { p.OpenFor = time.Hour })
	require.ErrorIs(t, g.Do(t.Context(), "a", returns(errDown)), errDown)
	require.ErrorIs(t, g.Do(t.Context(), "a", returns(errDown)), errDown)
	require.NoError(t, g.Do(t.Context(), "a", returns(nil)))
	open(t, g)
	err := g.Do(t.Context(), "a", func(context.Context) error {
		t.Error("it was asked")
		return nil
	})
	wait, refused := resilience.IsRefused(err)
	require.True(t, refused)
	require.InDelta(t, time.Hour, wait, float64(time.Minute))
	seen := fail.From(err)
	require.Equal(t, "DOWNSTREAM_UNAVAILABLE", seen.Code)
	require.Equal(t, fail.Unavailable, seen.Kind)
	require.InDelta(t, time.Hour, seen.RetryAfter, float64(time.Minute))
	require.NoError(t, g.Do(t.Context(), "b", returns(nil)), "another target")
	require.Equal(t, []int64{2, 5, 1}, []int64{g.Counts().OK.Load(), g.Counts().Failed.Load(), g.Counts().Refused.Load()})
}

func TestOneCallTriesWhetherTheTargetIsBack(t *testing.T) {
	t.Parallel()
	g := group()
	open(t, g)
	require.Eventually(t, func() bool { return g.States()["half-open"] == 1 }, time.Minute, time.Millisecond)
	asked, release := make(chan struct{}), make(chan struct{})
	var probe sync.WaitGroup
	probe.Go(func() {
		_ = g.Do(context.Background(), "a", func(context.Context) error {
			close(asked)
			<-release
			return nil
		})
	})
	<-asked
	_, refused := resilience.IsRefused(g.Do(t.Context(), "a", returns(nil)))
	require.True(t, refused, "one at a time")
	close(release)
	probe.Wait()
	require.Equal(t, 1, g.States()["closed"])
	require.NoError(t, g.Do(t.Context(), "a", returns(nil)))
}

func TestACallerWhoGoesAwaySaysNothingOfTheTarget(t *testing.T) {
	t.Parallel()
	gone := func(t *testing.T, g *resilience.Group) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		err := g.Do(ctx, "a", func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		require.ErrorIs(t, err, context.Canceled)
	}
	t.Run("while all is well", func(t *testing.T) {
		t.Parallel()
		g := group()
		for range 10 {
			gone(t, g)
		}
		require.Equal(t, 1, g.States()["closed"])
		require.EqualValues(t, 10, g.Counts().Canceled.Load())
	})
	t.Run("in the one call that tries whether it is back", func(t *testing.T) {
		t.Parallel()
		g := group()
		open(t, g)
		require.Eventually(t, func() bool { return g.States()["half-open"] == 1 }, time.Minute, time.Millisecond)
		gone(t, g)
		require.Equal(t, 1, g.States()["half-open"], "neither well nor ill")
		require.NoError(t, g.Do(t.Context(), "a", returns(nil)), "the next one may try")
		require.Equal(t, 1, g.States()["closed"])
	})
}

func TestACallerWhoLeavesWhileItWaitsForRoomIsNotRefused(t *testing.T) {
	t.Parallel()
	g := group(func(p *resilience.Policy) { p.Concurrency, p.Wait = 1, time.Minute })
	ctx, cancel := context.WithCancel(t.Context())
	err := g.Do(t.Context(), "a", func(context.Context) error {
		time.AfterFunc(10*time.Millisecond, cancel)
		err := g.Do(ctx, "a", returns(nil))
		_, refused := resilience.IsRefused(err)
		require.False(t, refused)
		return err
	})
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 0, g.Counts().Refused.Load())
	require.Positive(t, g.Counts().Canceled.Load())
}

func TestATargetThatHungUntilItsDeadlineIsNotExcusedByACallerWhoLeavesThen(t *testing.T) {
	t.Parallel()
	g := group(func(p *resilience.Policy) { p.Timeout = time.Millisecond })
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		require.Error(t, g.Do(ctx, "a", func(attempt context.Context) error {
			<-attempt.Done()
			cancel()
			return attempt.Err()
		}))
	}
	require.Equal(t, 1, g.States()["open"])
}

func TestAwayTellsBeforeACallForHowLongNobodyIsAsked(t *testing.T) {
	t.Parallel()
	g := group(func(p *resilience.Policy) { p.OpenFor = time.Hour })
	require.Zero(t, g.Away("a"), "nobody has asked it yet")
	require.Empty(t, g.States()["closed"], "to ask about a target makes none")
	open(t, g)
	require.InDelta(t, time.Hour, g.Away("a"), float64(time.Minute))
	short := group()
	open(t, short)
	require.Eventually(t, func() bool { return short.Away("a") == 0 }, time.Minute, time.Millisecond)
}

func TestATargetThatIsAwayIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := resilience.Policy{Timeout: time.Minute, Concurrency: 1, Failures: 3, OpenFor: time.Millisecond}
	g := resilience.NewGroup("test", p, slog.New(slog.NewTextHandler(&log, nil)))
	open(t, g)
	for range 3 {
		require.Eventually(t, func() bool { return g.States()["half-open"] == 1 }, time.Minute, time.Millisecond)
		require.ErrorIs(t, g.Do(t.Context(), "a", returns(errDown)), errDown)
	}
	require.Equal(t, 1, strings.Count(log.String(), "failed too often"), log.String())
	require.Eventually(t, func() bool { return g.States()["half-open"] == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, g.Do(t.Context(), "a", returns(nil)))
	require.Contains(t, log.String(), "works again")
}

func TestATargetThatHangsFailsByItsDeadline(t *testing.T) {
	t.Parallel()
	g := group(func(p *resilience.Policy) { p.Timeout = 10 * time.Millisecond })
	for range 3 {
		err := g.Do(t.Context(), "a", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	require.Equal(t, 1, g.States()["open"])
}

func TestAnAnswerThatRefusesShowsThatTheTargetWorks(t *testing.T) {
	t.Parallel()
	g, calls := group(), 0
	for range 5 {
		err := g.DoSafe(t.Context(), "a", func(context.Context) error {
			calls++
			return resilience.Answered(errDown)
		})
		require.ErrorIs(t, err, errDown)
	}
	require.Equal(t, 5, calls, "an answer is no reason to ask again")
	require.Equal(t, 1, g.States()["closed"])
}

func TestOnlyWhatIsSafeIsRepeated(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	flaky := func(context.Context) error {
		if calls.Add(1)%3 == 0 {
			return nil
		}
		return errDown
	}
	g := group(func(p *resilience.Policy) { p.Failures = 100 })
	require.NoError(t, g.DoSafe(t.Context(), "a", flaky))
	require.EqualValues(t, 3, calls.Load())
	require.ErrorIs(t, g.Do(t.Context(), "a", flaky), errDown)
	require.EqualValues(t, 4, calls.Load())
	require.ErrorIs(t, g.DoSafe(t.Context(), "a", returns(errDown)), errDown)
	require.EqualValues(t, 1+1+2+3, g.Counts().Failed.Load()+g.Counts().OK.Load())
}

func TestARepetitionThatIsRefusedDoesNotHideThatTheTargetWasAsked(t *testing.T) {
	t.Parallel()
	g := group(func(p *resilience.Policy) { p.Failures, p.OpenFor = 1, time.Hour })
	err := g.DoSafe(t.Context(), "a", returns(errDown))
	require.ErrorIs(t, err, errDown)
	_, refused := resilience.IsRefused(err)
	require.False(t, refused)
	_, refused = resilience.IsRefused(g.DoSafe(t.Context(), "a", returns(errDown)))
	require.True(t, refused)
}

func TestNoMoreCallsRunAtOnceThanMay(t *testing.T) {
	t.Parallel()
	g := group()
	release := make(chan struct{})
	var running sync.WaitGroup
	started := make(chan struct{}, 2)
	for range 2 {
		running.Go(func() {
			_ = g.Do(context.Background(), "a", func(context.Context) error {
				started <- struct{}{}
				<-release
				return nil
			})
		})
	}
	<-started
	<-started
	_, refused := resilience.IsRefused(g.Do(t.Context(), "a", returns(nil)))
	require.True(t, refused)
	require.NoError(t, g.Do(t.Context(), "b", returns(nil)), "another target has room of its own")
	close(release)
	running.Wait()
	require.NoError(t, g.Do(t.Context(), "a", returns(nil)))
}

func TestAPanicGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	g := group()
	for range 2 {
		require.PanicsWithValue(t, http.ErrAbortHandler, func() {
			_ = g.Do(context.Background(), "a", func(context.Context) error { panic(http.ErrAbortHandler) })
		})
	}
	require.NoError(t, g.Do(t.Context(), "a", returns(nil)))
}
