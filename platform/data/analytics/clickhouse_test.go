package analytics_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/analytics"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/testing/clickhousetest"
)

func newClickHouse(t *testing.T, s site, url, database string) *analytics.ClickHouse {
	t.Helper()
	store, err := analytics.NewClickHouse(s.db, analytics.ClickHouseOptions{URL: url, Database: database, User: "default"}, newGroup())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func TestClickHouseCountsWhatHappened(t *testing.T) {
	t.Parallel()
	clickhousetest.Server(t)
	counted(t, func(t *testing.T, s site) adapter {
		t.Helper()
		address, database := clickhousetest.Server(t)
		proxy := clickhousetest.NewProxy(t, address)
		store := newClickHouse(t, s, proxy.URL, database)
		return adapter{Store: store, interrupt: func(t *testing.T) {
			t.Helper()
			proxy.CutAfter("INSERT INTO facts")
			defer proxy.CutAfter("")
			before := proxy.Cuts()
			_, err := store.Export(t.Context(), 1000)
			require.ErrorIs(t, err, fail.ErrUnavailable)
			require.Greater(t, proxy.Cuts(), before, "it was inserted, and the response was lost")
		}}
	})
}

func TestAClickHouseThatIsAwayLosesNothing(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	s, ada, proxy := newSite(t), uuid.New(), clickhousetest.NewProxy(t, address)
	store := newClickHouse(t, s, proxy.URL, database)
	proxy.Away(true)
	for range 10 { // past the point where the breaker opens
		s.many(t, ada, 50)
		_, err := analytics.ExportAll(t.Context(), store)
		require.ErrorIs(t, err, fail.ErrUnavailable)
		_, err = store.Counts(t.Context(), november(t))
		require.ErrorIs(t, err, fail.ErrUnavailable)
	}
	require.Equal(t, 500, s.waiting(t))
	proxy.Away(false)
	require.Eventually(t, func() bool {
		_, err := analytics.ExportAll(t.Context(), store)
		return err == nil
	}, waitFor, tick)
	require.Zero(t, s.waiting(t))
	require.EqualValues(t, 500, s.read(t, store, ada, november(t)).Total.Turns)
}

func TestManyPrepareAClickHouseAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	s := newSite(t)
	errs := make([]error, 6)
	var all sync.WaitGroup
	for i := range errs {
		store := newClickHouse(t, s, address, database)
		all.Go(func() { errs[i] = store.Prepare(background()) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	store := newClickHouse(t, s, address, database)
	require.NoError(t, store.Prepare(t.Context()))
	require.NoError(t, store.Check(t.Context()))
	require.NoError(t, store.Check(t.Context()), "a second time")
	require.NoError(t, store.Ping(t.Context()))
}

func TestACheckFailsWhereThereIsNoClickHouse(t *testing.T) {
	t.Parallel()
	store := newClickHouse(t, newSite(t), "http://127.0.0.1:1", "parley")
	require.Error(t, store.Check(t.Context()))
	require.Error(t, store.Ping(t.Context()))
}

func TestADatabaseThatWasTakenAwayIsMadeAnew(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	s := newSite(t)
	store := newClickHouse(t, s, address, database)
	require.NoError(t, store.Prepare(t.Context()))
	clickhousetest.Do(t, address, "DROP DATABASE "+database)
	s.many(t, uuid.New(), 10)
	_, err := analytics.ExportAll(t.Context(), store)
	require.ErrorIs(t, err, fail.ErrUnavailable)
	require.Equal(t, 10, export(t, adapter{Store: store}))
}

func TestAnInsertThatDiedBeforeTheRollUpsIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	s, ada, proxy := newSite(t), uuid.New(), clickhousetest.NewProxy(t, address)
	store := newClickHouse(t, s, proxy.URL, database)
	require.NoError(t, store.Prepare(t.Context()))
	clickhousetest.Do(t, address, "DETACH TABLE "+database+".daily_view") // so far the insert gets and no further
	s.many(t, ada, 100)
	proxy.CutAfter("INSERT INTO facts")
	_, err := store.Export(t.Context(), 1000)
	require.ErrorIs(t, err, fail.ErrUnavailable)
	proxy.CutAfter("")
	clickhousetest.Do(t, address, "ATTACH TABLE "+database+".daily_view")
	require.Zero(t, s.read(t, store, ada, november(t)).Total.Turns)

	require.Equal(t, 100, export(t, adapter{Store: store}))
	r := s.read(t, store, ada, november(t))
	require.EqualValues(t, 100, r.Total.Turns)
	var timed int64
	for _, n := range r.Total.Latency {
		timed += n
	}
	require.EqualValues(t, 100, timed, "the roll-up that it had reached has it once")
	clickhousetest.Do(t, address, "SELECT throwIf(count() != 100) FROM "+database+".facts")
}

func TestAClickHouseForgetsOneWorkspaceAndNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	address, database := clickhousetest.Server(t)
	store := newClickHouse(t, s, address, database)
	ada, eve := uuid.New(), uuid.New()
	s.many(t, ada, 3)
	s.many(t, eve, 2)
	_, err := analytics.ExportAll(t.Context(), store)
	require.NoError(t, err)
	before := s.read(t, store, eve, november(t)).Total
	require.NotZero(t, s.read(t, store, ada, november(t)).Total.Turns)
	for range 2 {
		require.NoError(t, store.Forget(t.Context(), ada))
	}
	require.Zero(t, s.read(t, store, ada, november(t)).Total.Turns)
	require.Equal(t, before, s.read(t, store, eve, november(t)).Total)
}

// removed removes everything from before a day, and returns how many rows.
func removed(t *testing.T, store *analytics.ClickHouse, workspace uuid.UUID, before string) (n int) {
	t.Helper()
	for more := true; more; {
		some, again, err := store.RemoveSome(callctx.As(t.Context(), workspace, uuid.Nil), day(t, before))
		require.NoError(t, err)
		n, more = n+some, again
	}
	return n
}

func TestAClickHouseRemovesTheMonthsBeforeADayOfOneWorkspace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	address, database := clickhousetest.Server(t)
	store := newClickHouse(t, s, address, database)
	ada, eve, ms := uuid.New(), uuid.New(), 5
	for _, workspace := range []uuid.UUID{ada, eve} {
		for _, at := range []string{"2026-07-03 12:00Z", "2026-09-30 12:00Z", "2026-10-31 23:59:59.999999Z", "2026-11-01 00:00Z", "2026-11-10 12:00Z"} {
			s.happened(t, fact{workspace: workspace, kind: "completed", count: 1, messages: 2, at: at, latency: &ms})
		}
	}
	export(t, adapter{Store: store})
	require.Equal(t, 9, removed(t, store, ada, "2026-11-01"), "three months in each of three tables")
	require.Zero(t, removed(t, store, ada, "2026-11-01"))
	for _, table := range []string{"facts", "daily", "latency"} {
		clickhousetest.Do(t, address, "SELECT throwIf(count() != 2) FROM "+database+"."+table+" WHERE workspace_id = '"+ada.String()+"'")
		clickhousetest.Do(t, address, "SELECT throwIf(count() != 5) FROM "+database+"."+table+" WHERE workspace_id = '"+eve.String()+"'")
	}
	q := analytics.Query{From: day(t, "2026-07-01"), To: day(t, "2026-12-01"), Monthly: true}
	require.EqualValues(t, 2, s.read(t, store, ada, q).Total.Turns)
	require.EqualValues(t, 5, s.read(t, store, eve, q).Total.Turns)
}

func TestABatchThatIsOnItsWayArrivesBeforeItsOldRowsAreRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	address, database := clickhousetest.Server(t)
	proxy := clickhousetest.NewProxy(t, address)
	store := newClickHouse(t, s, proxy.URL, database)
	ada, ms := uuid.New(), 5
	old := fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-09-30 12:00Z", latency: &ms}
	s.happened(t, old, fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-10 12:00Z", latency: &ms})
	for _, point := range []string{"answer", "insert"} {
		if point == "answer" {
			proxy.CutAfter("INSERT INTO facts")
		} else {
			proxy.Away(true)
		}
		_, err := store.Export(t.Context(), 10)
		require.Error(t, err)
		proxy.CutAfter("")
		proxy.Away(false)
		if point == "answer" {
			s.close(t, ada, "2026-11-01")
		}
		_, _, err = store.RemoveSome(callctx.As(t.Context(), ada, uuid.Nil), day(t, "2026-11-01"))
		require.ErrorContains(t, err, "on their way", point)
	}
	require.Eventually(t, func() bool {
		_, err := analytics.ExportAll(t.Context(), store)
		return err == nil
	}, waitFor, tick)
	require.Equal(t, 3, removed(t, store, ada, "2026-11-01"))
	s.happened(t, old)
	export(t, adapter{Store: store})
	require.Zero(t, s.waiting(t))
	for _, table := range []string{"facts", "daily", "latency"} {
		clickhousetest.Do(t, address, "SELECT throwIf(count() != 1) FROM "+database+"."+table)
	}
}
