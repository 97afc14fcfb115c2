package activity

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// waiting waits until so many sessions of the program's database wait for a lock.
func waiting(t *testing.T, super *pgx.Conn, sessions int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
		return n >= sessions
	}, harness.Timeout, 10*time.Millisecond)
}

// A run finds some old threads at once and locks one after the other. While it waits for the first one, something is said in the second one.
func TestAThreadInWhichATurnBeginsBeforeItIsLockedStays(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, upkeep)
	ada, super := p.Register(t), p.Super(t)
	defer super.Close(t.Context())
	first, second := said(t, ada, "first-4711"), said(t, ada, "second-4711")
	age(t, p, first, 41)
	age(t, p, second, 40)
	hold, err := harness.Postgres.Superuser(t, p.Database).Begin(t.Context())
	require.NoError(t, err)
	_, err = hold.Exec(t.Context(), `SELECT FROM threads WHERE id = $1::text::uuid FOR UPDATE`, first)
	require.NoError(t, err)
	path, began := "/v1/workspaces/"+ada.Workspace+"/retention", time.Now()
	require.Equal(t, http.StatusOK, ada.Put(t, path, map[string]any{"threads_days": 30}).Status)
	waiting(t, super, 1)
	a := ada.Post(t, "/v1/conversations/threads/"+second+"/turn", harness.Says("again"))
	require.Equal(t, http.StatusOK, a.Status, a)
	late := make(chan harness.Answer, 1)
	go func() { late <- ada.Post(t, "/v1/conversations/threads/"+first+"/turn", harness.Says("late-4711")) }()
	waiting(t, super, 2)
	require.NoError(t, hold.Rollback(t.Context()))

	a = applied(t, ada, path, began)
	require.Equal(t, true, a.At("last_run.complete"), a)
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+second+"/messages").Items(), 4)
	if a := <-late; a.Status == http.StatusOK { // it has come before the run
		require.EqualValues(t, 0, ada.Get(t, path).At("last_run.removed.threads"))
		require.Len(t, ada.Get(t, "/v1/conversations/threads/"+first+"/messages").Items(), 4)
		return
	}
	harness.RequireCode(t, ada.Get(t, "/v1/conversations/threads/"+first), http.StatusNotFound, "THREAD_NOT_FOUND")
	for _, gone := range []string{"first-4711", "late-4711"} {
		harness.RequireNowhere(t, super, gone)
	}
}
