//go:build faults

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert" //nolint:depguard // calls that run beside the test's goroutine
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// An outage is answered 503 and nothing else: settle fails a test for every other 5xx.

func TestFaultPostgresBackendsKilledAnOperationTakesEffectOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url())
	s.launch()
	u := s.register()
	c.ager(t)
	load := u.work(0, 8, kinds...)
	for range 60 {
		pause(t.Context(), time.Duration(10+rand.IntN(60))*time.Millisecond)
		_, err := db.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
		    WHERE application_name = 'parley-under-fault' AND state <> 'idle' OR random() < 0.1 AND application_name = 'parley-under-fault'
		    ORDER BY random() LIMIT 2) picked`)
		require.NoError(t, err)
	}
	load.stop()
	u.requireOnce(t, db)
	u.requireWell(t, db)
	require.Positive(t, s.seen(http.StatusServiceUnavailable), "no call met a killed backend: the test proved nothing")
}

func TestFaultPostgresKilledIs503AndThenAllIsWell(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := newSite(t, c.url())
	s.launch()
	u := s.register()
	c.ager(t)
	load := u.work(0, 8, kinds...)
	for range 2 {
		pause(t.Context(), 400*time.Millisecond)
		c.kill(t)
		require.Eventually(t, func() bool { // what was under way is over
			_, err := pgx.Connect(t.Context(), c.server.URL("parley"))
			return err != nil
		}, faultTimeout, 10*time.Millisecond)
		for _, call := range [][3]string{
			{http.MethodPost, "/v1/bots", `{"name":"x"}`},
			{http.MethodPut, "/v1/bots/" + u.bot + "/instruction", `{"instruction":"x"}`},
			{http.MethodPost, "/v1/conversations/threads", `{}`},
			{http.MethodPost, "/v1/conversations/threads/" + newID().String() + "/turn", `{"content":"x"}`},
			{http.MethodPost, "/v1/auth/login", `{"email":"a@example.com","password":"long enough"}`},
			{http.MethodGet, "/v1/bots", ""},
		} {
			a, err := u.send(t.Context(), u.token, call[0], call[1], call[2])
			require.NoError(t, err)
			harness.RequireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
			require.Equal(t, "1", a.Header.Get("Retry-After"))
		}
		a, err := u.send(t.Context(), "", http.MethodGet, "/readyz", "")
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, a.Status)
		c.start(t)
	}
	pause(t.Context(), 300*time.Millisecond)
	load.stop()
	db := c.superuser(t)
	u.requireOnce(t, db)
	u.requireWell(t, db)
}

func TestFaultPostgresConnectionCutAroundCommitAnOperationTakesEffectOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	wire := newWire(t, c)
	s := newSite(t, wire.url())
	s.launch()
	u := s.register()
	c.ager(t)
	for _, kind := range kinds {
		before := wire.cuts.Load()
		load := u.work(0, 4, kind)
		wire.cutOneIn.Store(6)
		require.Eventually(t, func() bool { return wire.cuts.Load() >= before+25 }, faultTimeout, 10*time.Millisecond)
		wire.cutOneIn.Store(0)
		load.stop()
	}
	u.requireOnce(t, db)
	u.requireWell(t, db)
	require.Positive(t, s.seen(http.StatusServiceUnavailable))
}

// A database that takes calls and says nothing is the worst of all: nothing fails, everything waits.
func TestFaultPostgresSilentIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	wire := newWire(t, c)
	s := newSite(t, wire.url(), "REQUEST_TIMEOUT=1s")
	s.launch()
	u := s.register()
	wire.silent.Store(true)
	var all sync.WaitGroup
	for i := range 24 { // three times the pool
		all.Go(func() {
			o := u.plan(createBot, "")
			began := time.Now()
			a, err := u.try(o)
			if assert.NoError(t, err) && assert.Equal(t, http.StatusServiceUnavailable, a.Status, a) {
				assert.Equal(t, "DOWNSTREAM_UNAVAILABLE", a.Text("code"), a)
			}
			assert.Less(t, time.Since(began), 4*time.Second)
			if i%4 == 0 { // refused without a look into the database, and then written into it
				began := time.Now()
				a, err := u.send(context.Background(), u.token, o.method, o.path, o.body, harness.Header{Name: "X-User-Id", Value: newID().String()})
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusForbidden, a.Status, a)
				}
				assert.Less(t, time.Since(began), 12*time.Second)
			}
		})
	}
	all.Wait()
	wire.silent.Store(false)
	for _, o := range u.ops {
		if len(o.settled) == 0 {
			_, _ = u.settle(0, o)
		}
	}
	u.requireOnce(t, db)
	u.requireWell(t, db)
}

// requireWell finds what an outage left hanging: calls that still wait, connections that are lost to the pool,
// transactions that stay open.
func (u *user) requireWell(t *testing.T, db *pgx.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range 32 { // four times the pool
		all.Go(func() {
			a, err := u.send(ctx, u.token, http.MethodGet, "/v1/bots/"+u.bot, "")
			if assert.NoError(t, err) {
				assert.Equal(t, http.StatusOK, a.Status, a)
			}
		})
	}
	all.Wait()
	require.Eventually(t, func() bool {
		var open int
		err := db.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
		    WHERE application_name = 'parley-under-fault' AND (state LIKE 'idle in%' OR state = 'active' AND query_start < now() - interval '5 s')`).Scan(&open)
		return err == nil && open == 0
	}, time.Minute, 50*time.Millisecond, "transactions stay open")
	a, err := u.send(ctx, "", http.MethodGet, "/readyz", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, fmt.Sprint(a))
}
