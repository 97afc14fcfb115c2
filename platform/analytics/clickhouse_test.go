package analytics_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/analytics"
	"github.com/parley/parley/platform/clickhousetest"
	"github.com/parley/parley/platform/fail"
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
			require.Greater(t, proxy.Cuts(), before, "it was inserted, and not heard of")
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
