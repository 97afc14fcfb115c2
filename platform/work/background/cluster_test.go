package background_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/testing/pgtest"
	"github.com/parley/parley/platform/work/background"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func TestATaskOfTheClusterIsDoneByOneProcessAndSurvivesItsDeath(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	db, su := pg.Open(t, url), pg.Superuser(t, url)
	process := func() *background.Runner {
		r := background.NewRunner(slog.New(slog.DiscardHandler), db)
		t.Cleanup(r.Stop)
		return r
	}
	var now, highest, runs atomic.Int64
	many := make(chan struct{})
	first := process()
	for _, r := range []*background.Runner{first, process(), process()} {
		r.Start(background.Task{Name: "often", Every: time.Millisecond, Timeout: time.Minute, Cluster: true, Do: func(ctx context.Context) error {
			highest.Store(max(highest.Load(), now.Add(1)))
			defer now.Add(-1)
			if err := db.Ping(ctx); err != nil { // some time, in which the others ask for the task
				return err
			}
			if runs.Add(1) == 20 {
				close(many)
			}
			if runs.Load()%2 == 0 {
				panic("no sense")
			}
			return errors.New("a failure ends nothing")
		}})
	}
	<-many
	require.EqualValues(t, 1, highest.Load(), "two were at it at once")
	require.Eventually(t, func() bool { return first.States()[0].Failures > 0 }, time.Minute, time.Millisecond, "no failure is counted")

	var until time.Time
	require.NoError(t, su.QueryRow(t.Context(), `INSERT INTO periodic_tasks VALUES ('left', now() - interval '1 h', gen_random_uuid(), now() + interval '300 ms')
		RETURNING lease_until`).Scan(&until))
	began := make(chan struct{}, 1000)
	process().Start(background.Task{Name: "left", Every: 10 * time.Millisecond, Timeout: time.Minute, Cluster: true, Do: func(context.Context) error {
		began <- struct{}{}
		return nil
	}})
	<-began
	var over bool
	require.NoError(t, su.QueryRow(t.Context(), "SELECT now() >= $1", until).Scan(&over))
	require.True(t, over, "it was taken from a process that may be at it")
}

func TestATaskThatAStopHasCutShortIsFreeForOthersAtOnce(t *testing.T) {
	t.Parallel()
	db := pg.Open(t, pg.URL(t))
	task := func(do func(ctx context.Context) error) background.Task {
		return background.Task{Name: "long", Every: time.Hour, Timeout: time.Hour, Cluster: true, Do: do}
	}
	begun := make(chan struct{})
	stopped := background.NewRunner(slog.New(slog.DiscardHandler), db)
	stopped.Start(task(func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}))
	<-begun
	stopped.Stop()
	next := background.NewRunner(slog.New(slog.DiscardHandler), db)
	t.Cleanup(next.Stop)
	done := make(chan struct{})
	next.Start(task(func(context.Context) error { close(done); return nil }))
	<-done
}

func TestALoopRunsAgainWhenItIsWoken(t *testing.T) {
	t.Parallel()
	wake, runs := make(chan struct{}), make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		task := background.Task{Every: time.Hour, Timeout: time.Minute, Do: func(context.Context) error { return nil }}
		background.Loop(ctx, task, wake, func(err error) { runs <- err })
	}()
	require.NoError(t, <-runs)
	wake <- struct{}{}
	require.NoError(t, <-runs)
	cancel()
	<-ended
}
