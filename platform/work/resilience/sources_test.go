package resilience_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/resilience"
)

// shared is a group whose targets several sources call.
func shared(change ...func(*resilience.Policy)) *resilience.Group {
	return group(append([]func(*resilience.Policy){func(p *resilience.Policy) {
		p.Sources, p.Failures, p.OpenFor, p.Concurrency = 3, 5, time.Hour, 0
	}}, change...)...)
}

func TestTheFailuresOfOneSourceStopThatSourceAlone(t *testing.T) {
	t.Parallel()
	g := shared()
	for _, source := range []string{"ada", "bob"} { // two are not enough, however often they fail
		for range 5 {
			require.ErrorIs(t, g.For(source).Do(t.Context(), "m", returns(errDown)), errDown)
		}
		wait, refused := resilience.IsRefused(g.For(source).Do(t.Context(), "m", returns(nil)))
		require.True(t, refused)
		require.InDelta(t, time.Hour, wait, float64(time.Minute))
		require.InDelta(t, time.Hour, g.For(source).Away("m"), float64(time.Minute))
	}
	require.Zero(t, g.For("eve").Away("m"))
	require.Equal(t, 1, g.States()["closed"], "a target that is open for single sources is no open target")
	require.NoError(t, g.For("eve").Do(t.Context(), "m", returns(nil)))
	require.NoError(t, g.For("ada").Do(t.Context(), "other", returns(nil)), "another target")
}

func TestFailuresInARowOfSeveralSourcesStopAll(t *testing.T) {
	t.Parallel()
	g := shared()
	fail := func(sources ...string) {
		for _, s := range sources {
			require.ErrorIs(t, g.For(s).Do(t.Context(), "m", returns(errDown)), errDown)
		}
	}
	fail("ada", "bob", "cy", "ada")
	require.NoError(t, g.For("dan").Do(t.Context(), "m", returns(nil)), "in a row")
	fail("ada", "bob", "ada", "bob", "cy")
	require.Equal(t, 1, g.States()["open"])
	require.Positive(t, g.For("eve").Away("m"))
	_, refused := resilience.IsRefused(g.For("eve").Do(t.Context(), "m", returns(nil)))
	require.True(t, refused)
}

func TestNoSingleSourceKeepsATargetClosedToOthers(t *testing.T) {
	t.Parallel()
	g := shared(func(p *resilience.Policy) { p.OpenFor = openFor })
	for i := range 5 {
		require.ErrorIs(t, g.For(fmt.Sprint(i)).Do(t.Context(), "m", returns(errDown)), errDown)
	}
	require.Equal(t, 1, g.States()["open"])
	require.Eventually(t, func() bool { return g.States()["closed"] == 1 }, time.Minute, time.Millisecond)
	for range 5 {
		_ = g.For("hostile").Do(t.Context(), "m", returns(errDown))
	}
	require.NoError(t, g.For("eve").Do(t.Context(), "m", returns(nil)))
}

func TestABusyTargetIsLeftAloneByTheSourceThatWasTooMuch(t *testing.T) {
	t.Parallel()
	g := shared()
	busy := returns(resilience.Status(429, 20*time.Second, errDown))
	for range 9 {
		_ = g.For("ada").DoSafe(t.Context(), "m", busy)
	}
	require.EqualValues(t, 1, g.Counts().Failed.Load(), "asked again before it wanted to be")
	require.InDelta(t, 20*time.Second, g.For("ada").Away("m"), float64(time.Second))
	require.NoError(t, g.For("bob").Do(t.Context(), "m", returns(nil)))
	require.NoError(t, g.For("ada").Do(t.Context(), "other", returns(nil)))
	for i := range 9 { // however many: each of them asks once, and is held up by its own answer
		_ = g.For(fmt.Sprint(i)).Do(t.Context(), "m", busy)
	}
	require.NoError(t, g.For("eve").Do(t.Context(), "m", returns(nil)))

	_ = g.Do(t.Context(), "own key", returns(resilience.Status(429, 30*24*time.Hour, errDown)))
	require.InDelta(t, 5*time.Minute, g.Away("own key"), float64(time.Second), "for good")
	_ = g.Do(t.Context(), "silent", returns(resilience.Status(429, 0, errDown)))
	require.Zero(t, g.Away("silent"), "it did not say for how long")
}

func TestWhatSaysNothingOfATargetOpensNoBreaker(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"429": resilience.Status(429, 0, errDown), "a time-out after text": resilience.Final(resilience.Uncounted(errDown)),
		"400": resilience.Status(400, 0, errDown), "408": resilience.Status(408, 0, errDown),
	} {
		g := shared()
		for i := range 30 {
			require.ErrorIs(t, g.For(fmt.Sprint(i%4)).Do(t.Context(), "m", returns(err)), errDown)
		}
		require.Zero(t, g.For("0").Away("m"), name)
		require.Equal(t, 1, g.States()["closed"], name)
	}
}

func TestOneSourceDoesNotHaveAllCallsToATarget(t *testing.T) {
	t.Parallel()
	g := shared(func(p *resilience.Policy) { p.Concurrency, p.PerSource = 4, 2 })
	var hold func(n int, done func())
	hold = func(n int, done func()) {
		if n == 0 {
			done()
			return
		}
		require.NoError(t, g.For("ada").Do(t.Context(), "m", func(context.Context) error { hold(n-1, done); return nil }))
	}
	hold(2, func() {
		_, refused := resilience.IsRefused(g.For("ada").Do(t.Context(), "m", returns(nil)))
		require.True(t, refused)
		require.NoError(t, g.For("bob").Do(t.Context(), "m", returns(nil)))
	})
	require.NoError(t, g.For("ada").Do(t.Context(), "m", returns(nil)))
}

func TestWhatTheProgramItselfHasFoundOutHoldsForAllSources(t *testing.T) {
	t.Parallel()
	g := shared()
	for range 5 {
		require.ErrorIs(t, g.Do(t.Context(), "m", returns(errDown)), errDown)
	}
	_, refused := resilience.IsRefused(g.For("ada").Do(t.Context(), "m", returns(nil)))
	require.True(t, refused)
	require.Positive(t, g.For("ada").Away("m"))
	require.Equal(t, 1, g.States()["open"])
}
