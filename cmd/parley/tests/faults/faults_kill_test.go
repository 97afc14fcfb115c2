//go:build faults

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/fault"
)

func TestFaultKilledAtAPointAnOperationTakesEffectOnce(t *testing.T) { //nolint:tparallel // one after the other: they share what they kill
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	for _, kind := range kinds {
		for _, point := range []string{fault.AfterClaim, fault.BeforeCommit, fault.AfterCommit, fault.AfterModelCall} {
			if point == fault.AfterModelCall && kind != takeTurn {
				continue
			}
			t.Run(kind+" "+point, func(t *testing.T) {
				s := newSite(t, c.url())
				s.launch()
				u := s.register()
				s.kill()
				prepared := 0
				if kind == takeTurn { // making the threads passes the points too, all but the model's
					prepared = clients + 2
				}
				if point == fault.AfterModelCall {
					prepared = 0
				}
				s.launch(fmt.Sprintf("FAULT_POINT=%s:%d", point, prepared+1+rand.IntN(12)))
				load := u.work(3, 2, kind)
				s.died()
				require.NoError(t, killedTurnsMayBeTaken(db))
				s.launch()
				load.stop()
				u.requireOnce(t, db)
			})
		}
	}
}

func TestFaultTurnKilledAfterTheModelAnsweredIsFinishedOnce(t *testing.T) { //nolint:tparallel // one after the other: they share what they kill
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	// The job looks once at every start, whatever its interval: where it is not meant to act it is kept out for certain.
	mayRecover := func(t *testing.T, sql string) {
		t.Helper()
		_, err := db.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	// killed has a turn killed after the model's answer, and the program back with its recovery job kept out
	killed := func(t *testing.T) (*user, string, *op) {
		t.Helper()
		s := newSite(t, c.url())
		s.launch("UPKEEP_INTERVAL=1h", "FAULT_POINT=after-model-call")
		u := s.register()
		thread := u.thread()
		o := u.plan(takeTurn, thread)
		_, err := u.try(o)
		require.Error(t, err)
		s.died()
		mayRecover(t, `REVOKE EXECUTE ON FUNCTION app.abandoned_turns(integer) FROM parley_app`)
		s.launch("UPKEEP_INTERVAL=1h")
		return u, thread, o
	}
	t.Run("by the same call, once the lease has ended", func(t *testing.T) {
		u, thread, o := killed(t)
		a, err := u.try(o)
		require.NoError(t, err)
		harness.RequireCode(t, a, http.StatusConflict, "OPERATION_IN_PROGRESS")
		require.Equal(t, "1", a.Header.Get("Retry-After"))
		other, err := u.send(t.Context(), u.token, o.method, o.path, o.body, harness.Operation(newID().String()))
		require.NoError(t, err)
		harness.RequireCode(t, other, http.StatusConflict, "THREAD_BUSY")
		require.NotEmpty(t, other.Text("details.active_turn_id"))
		require.NoError(t, endLeases(db))
		a, err = u.settle(0, o)
		require.NoError(t, err)
		require.Empty(t, a.Header.Get("X-Operation-Replayed"))
		a, err = u.settle(0, o)
		require.NoError(t, err)
		require.Equal(t, "true", a.Header.Get("X-Operation-Replayed"))
		_, err = u.settle(0, u.plan(takeTurn, thread))
		require.NoError(t, err)
		u.requireOnce(t, db)
		require.Equal(t, map[string]int{"2": 1, "1": 1}, u.count(t, db, `SELECT attempt, count(*) FROM llm_turns WHERE workspace_id = $1 GROUP BY 1`))
	})
	t.Run("by the recovery job, with no client", func(t *testing.T) {
		u, _, o := killed(t)
		u.kill()
		require.NoError(t, killedTurnsMayBeTaken(db))
		mayRecover(t, `GRANT EXECUTE ON FUNCTION app.abandoned_turns(integer) TO parley_app`)
		u.launch()
		require.Eventually(t, func() bool {
			return len(u.count(t, db, `SELECT id, 1 FROM llm_turns WHERE workspace_id = $1 AND status = 'completed'`)) == 1
		}, faultTimeout, 20*time.Millisecond)
		a, err := u.settle(0, o)
		require.NoError(t, err)
		require.Equal(t, "true", a.Header.Get("X-Operation-Replayed"))
		u.kill()
		u.launch() // with nothing in memory
		_, err = u.settle(0, o)
		require.NoError(t, err)
		u.requireOnce(t, db)
	})
	t.Run("or not at all, when another operation took the thread", func(t *testing.T) {
		u, thread, old := killed(t)
		require.NoError(t, endLeases(db))
		_, err := u.settle(0, u.plan(takeTurn, thread))
		require.NoError(t, err)
		a, err := u.try(old)
		require.NoError(t, err)
		harness.RequireCode(t, a, http.StatusConflict, "CONFLICT")
		require.Equal(t, map[string]int{"failed": 1, "completed": 1}, u.count(t, db, `SELECT status, count(*) FROM llm_turns WHERE workspace_id = $1 GROUP BY 1`))
		require.Equal(t, map[string]int{"1 user": 1, "3 user": 1, "4 assistant": 1}, // 2 was kept for the answer that never came
			u.count(t, db, `SELECT seq || ' ' || role, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`))
		require.Equal(t, 1, u.count(t, db, `SELECT operation_id, count(*) FROM audit_log WHERE workspace_id = $1 GROUP BY 1`)[old.id.String()])
	})
}

// A process that was away for longer than its lease wakes up and goes on as if nothing had been.
func TestFaultTurnOfALateWriterIsNotFinishedTwice(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	wire := newWire(t, c)
	late := newSite(t, wire.url(), "UPKEEP_INTERVAL=1h")
	late.launch()
	u := late.register()
	thread := u.thread()
	for range clients { // so that every statement is known to every connection
		_, err := u.settle(0, u.plan(takeTurn, thread))
		require.NoError(t, err)
	}
	o := u.plan(takeTurn, thread)
	wire.hold.Store(2) // the second transaction
	answered := make(chan harness.Answer, 1)
	go func() {
		a, _ := u.try(o)
		answered <- a
	}()
	<-wire.held
	require.NoError(t, endLeases(db))
	other := newSite(t, c.url(), "UPKEEP_INTERVAL=1h")
	other.environ = append(other.environ, late.environ[3]) // the same secrets
	require.Contains(t, late.environ[3], "DATA_DIR=")
	other.launch()
	a, err := other.send(t.Context(), u.token, o.method, o.path, o.body, harness.Operation(o.id.String()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, a)
	o.settled = append(o.settled, a)
	close(wire.release)
	a = <-answered
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "true", a.Header.Get("X-Operation-Replayed"), "what the other has stored")
	o.settled = append(o.settled, a)
	u.requireOnce(t, db)
}

func TestFaultKilledAtRandomMomentsAnOperationTakesEffectOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url())
	s.launch()
	u := s.register()
	load := u.work(0, 12, kinds...)
	for range 7 {
		pause(t.Context(), time.Duration(100+rand.IntN(700))*time.Millisecond)
		s.kill()
		require.NoError(t, killedTurnsMayBeTaken(db))
		s.launch()
	}
	load.stop()
	u.requireOnce(t, db)
	require.Positive(t, s.seen(0), "no call was cut off: the kills proved nothing")
}

// killedTurnsMayBeTaken ends all leases while no process lives that could hold one: not before the database, too, has
// done with what the dead process had sent.
func killedTurnsMayBeTaken(db *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), faultTimeout)
	defer cancel()
	for left := 1; left > 0; pause(ctx, 5*time.Millisecond) {
		err := db.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'parley-under-fault'`).Scan(&left)
		if err != nil {
			return err
		}
	}
	return endLeases(db)
}

// endLeases ends all leases, for tests that know that nobody holds one.
func endLeases(db *pgx.Conn) error {
	_, err := db.Exec(context.Background(), `UPDATE llm_turns SET lease_until = now() - interval '1 s' WHERE status = 'running'`)
	return err
}
