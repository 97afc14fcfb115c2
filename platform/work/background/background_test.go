package background_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/background"
)

type text struct {
	mu sync.Mutex
	strings.Builder
}

func (b *text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

func TestATaskThatFailsOrPanicsIsToldAndRunsAgain(t *testing.T) {
	t.Parallel()
	log := &text{}
	r := background.NewRunner(slog.New(slog.NewTextHandler(log, nil)), nil)
	runs, other := make(chan int), make(chan struct{}, 1)
	n := 0
	r.Start(background.Task{Name: "bad", Every: time.Millisecond, Timeout: time.Minute, Do: func(ctx context.Context) error {
		n++
		select {
		case runs <- n:
		case <-ctx.Done():
			return nil
		}
		if n == 1 {
			return errors.New("no luck")
		}
		if n == 2 {
			panic("no sense")
		}
		return nil
	}}, background.Task{Name: "good", Every: time.Hour, Timeout: time.Minute, Do: func(context.Context) error { other <- struct{}{}; return nil }})
	for want := range 4 {
		require.Equal(t, want+1, <-runs)
	}
	<-other
	r.Stop()
	states := map[string]background.State{}
	for _, s := range r.States() {
		states[s.Name] = s
	}
	require.Equal(t, 2, states["bad"].Failures)
	require.Zero(t, states["good"].Failures)
	require.WithinDuration(t, time.Now(), states["good"].Succeeded, time.Minute)
	require.Contains(t, log.String(), "no luck")
	require.Contains(t, log.String(), "no sense")
	require.Contains(t, log.String(), "task=bad")
}

func TestStopEndsAndAwaitsWhatRuns(t *testing.T) {
	t.Parallel()
	log := &text{}
	r := background.NewRunner(slog.New(slog.NewTextHandler(log, nil)), nil)
	begun := make(chan struct{})
	ended := false // no lock: Stop has to order it
	r.Start(background.Task{Name: "long", Every: time.Hour, Timeout: time.Minute, Do: func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		ended = true
		return ctx.Err()
	}})
	<-begun
	r.Stop()
	require.True(t, ended)
	require.Empty(t, log.String(), "being stopped is no failure")
}
