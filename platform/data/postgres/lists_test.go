package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

func sleep(ctx context.Context, conn postgres.Conn) error {
	return conn.QueryRow(ctx, "SELECT count(*) FROM (SELECT pg_sleep(20)) s").Scan(new(int))
}

func TestAListThatTakesTooLongAsksForANarrowerFilter(t *testing.T) {
	t.Parallel()
	s := setup(t, 4)
	require.ErrorIs(t, sleep(s.a, s.db.InListFor(s.a, 20*time.Millisecond)), fail.ErrTooBroad)
	require.ErrorIs(t, sleep(s.a, s.db.InReportFor(s.a, 20*time.Millisecond)), fail.ErrUnavailable, "no filter could help")
	ctx, cancel := context.WithTimeout(s.a, 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, sleep(ctx, s.db.InList(ctx)), fail.ErrUnavailable, "the time of its call was over first")
	s.requireNoneOut(t)
	require.Zero(t, s.db.SlowReaders())
}

func TestAListIsOneRoundTripPlannedForItsFilters(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	s.trips.take()
	var plan, timeout, readOnly string
	require.NoError(t, s.db.InList(s.a).QueryRow(s.a, `SELECT current_setting('plan_cache_mode'), current_setting('statement_timeout'),
		current_setting('transaction_read_only')`).Scan(&plan, &timeout, &readOnly))
	require.Equal(t, []string{"force_custom_plan", "5s", "on"}, []string{plan, timeout, readOnly})
	batches, queries := s.trips.take()
	require.Equal(t, []int{1, 0}, []int{batches, queries})
	require.NoError(t, s.db.In(s.a).QueryRow(s.a, `SELECT current_setting('plan_cache_mode'), current_setting('statement_timeout')`).Scan(&plan, &timeout))
	require.Equal(t, []string{"auto", "30s"}, []string{plan, timeout}, "it holds for the list alone")
	var seen int
	require.NoError(t, s.db.InList(s.a).QueryRow(s.a, "SELECT count(*) FROM threads").Scan(&seen))
	require.Equal(t, 1, seen, "the tenant's own")
	require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error { // in a transaction it is a part of that
		return s.db.InList(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int))
	}))
	s.requireNoneOut(t)
}

// occupy has a workspace begin many reads that do not end before stop; so many run, the others are refused.
func (s *bundle) occupy(stop context.Context, t *testing.T, of context.Context, run int) { //nolint:revive // two contexts
	t.Helper()
	const reads = 12
	refusals := make(chan error, reads)
	var running sync.WaitGroup
	for range reads {
		running.Go(func() {
			of, cancel := context.WithCancel(of)
			defer cancel()
			defer context.AfterFunc(stop, cancel)()
			refusals <- sleep(of, s.db.InList(of))
		})
	}
	t.Cleanup(running.Wait)
	for range reads - run {
		require.ErrorIs(t, <-refusals, fail.ErrTooManyReads)
	}
}

// Of sixteen connections eight are for such reads: four for workspaces that have had slow ones, and four for all others.
func TestSlowReadsLeaveConnectionsToOthersAndTurnsToOtherWorkspaces(t *testing.T) {
	t.Parallel()
	s := setup(t, 16)
	s.db.SlowReads(50*time.Millisecond, time.Hour)
	other := func() context.Context { return callctx.As(t.Context(), uuid.New(), uuid.New()) }
	list := func(of context.Context) error { return s.db.InList(of).QueryRow(of, "SELECT 1").Scan(new(int)) }
	stop, end := context.WithCancel(t.Context())
	defer end()
	third, c := other(), other()
	s.occupy(stop, t, s.a, 2)
	require.NoError(t, list(s.b), "another workspace has its turn")
	s.occupy(stop, t, s.b, 2)
	require.ErrorIs(t, list(third), fail.ErrTooManyReads, "all turns of the quick are taken")

	s.db.SlowReads(50*time.Millisecond, 0) // from here on every read is slow
	end()
	require.Eventually(t, func() bool { return s.db.Acquired() == 0 }, timeout, tick)
	require.NoError(t, list(c), "its only slow read")
	s.db.SlowReads(50*time.Millisecond, time.Hour)
	stop, end = context.WithCancel(t.Context())
	defer end()
	s.occupy(stop, t, s.a, 2)
	s.occupy(stop, t, s.b, 2)
	require.ErrorIs(t, list(c), fail.ErrTooManyReads, "the slow keep each other waiting")
	require.NoError(t, list(third), "and nobody else")
	s.occupy(stop, t, third, 2)
	s.occupy(stop, t, other(), 2)
	require.Eventually(t, func() bool { return s.db.Acquired() == 8 }, timeout, tick, "what runs has its connection soon")
	require.ErrorIs(t, list(other()), fail.ErrTooManyReads)
	require.NoError(t, s.db.In(c).QueryRow(c, "SELECT 1").Scan(new(int)), "the other half of the connections is free")
}

func TestAWorkspaceDoesNotQueueUpSlowReadsWithoutEnd(t *testing.T) {
	t.Parallel()
	s := setup(t, 8)
	s.db.SlowReads(time.Minute, time.Hour)
	ctx, stop := context.WithCancel(s.a)
	errs := make(chan error, 100)
	var reads sync.WaitGroup
	for range 100 {
		reads.Go(func() { errs <- sleep(ctx, s.db.InList(ctx)) })
	}
	for range 68 { // two run and thirty wait
		require.ErrorIs(t, <-errs, fail.ErrTooManyReads)
	}
	stop()
	reads.Wait()
	s.requireNoneOut(t)
	require.Zero(t, s.db.SlowReaders())
}
