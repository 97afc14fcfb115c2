package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// restarted is another process on the same database and secrets: it runs the reaper at once and has an empty cache.
func restarted(t *testing.T, p *program, c *caller) *caller {
	t.Helper()
	q := startOn(t, p.database, shared...)
	return &caller{program: q, token: c.token, refresh: c.refresh, email: c.email, user: c.user, workspace: c.workspace}
}

var shared = []string{"JWT_SECRET=" + jwtSecret, "SECRET_KEY=" + jwtSecret}

func TestALateRetryIsToldThatItIsLateAndTakesNoEffect(t *testing.T) {
	t.Parallel()
	p := start(t, shared...)
	ada := p.register(t)
	op := operation(uuid.NewString())
	body := map[string]any{"name": "Support"}
	first := ada.post(t, "/v1/bots", body, op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	age := func(by string) {
		p.sql(t, `UPDATE operations SET created_at = created_at - $1::interval, finished_at = finished_at - $1::interval`, by)
	}
	age("6 days 23 h")
	young := restarted(t, p, ada)
	again := young.post(t, "/v1/bots", body, op)
	require.Equal(t, first.Raw, again.Raw, "not seven days old yet")

	age("2 h")
	p.sql(t, `ALTER FUNCTION app.expire_operations(integer) RENAME TO expire_later`)
	late := restarted(t, p, ada)
	requireCode(t, late.post(t, "/v1/bots", body, op), http.StatusConflict, "OPERATION_EXPIRED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM operations WHERE body IS NOT NULL`), "before any reaper has come by")
	p.sql(t, `ALTER FUNCTION app.expire_later(integer) RENAME TO expire_operations`)
	reaped := restarted(t, p, ada)
	require.Eventually(t, func() bool {
		return p.number(t, `SELECT count(*) FROM operations WHERE body IS NULL AND content_type IS NULL AND location IS NULL`) == 1
	}, 20*time.Second, 20*time.Millisecond, "the reaper empties it")
	requireCode(t, reaped.post(t, "/v1/bots", body, op), http.StatusConflict, "OPERATION_EXPIRED")
	requireCode(t, reaped.post(t, "/v1/bots", map[string]any{"name": "Other"}, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	age("89 days")
	requireCode(t, restarted(t, p, ada).post(t, "/v1/bots", body, op), http.StatusConflict, "OPERATION_EXPIRED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM bots`), "no late retry took effect")
	age("2 days")
	restarted(t, p, ada)
	require.Eventually(t, func() bool { return p.number(t, `SELECT count(*) FROM operations`) == 0 }, 20*time.Second, 20*time.Millisecond, "the tombstone goes in the end")
}

func TestAnEmptyAnswerIsReplayedAndNotTakenForExpired(t *testing.T) {
	t.Parallel()
	p := start(t, shared...)
	ada := p.register(t)
	phone := ada.another(t)
	op := operation(uuid.NewString())
	end := func(c *caller) answer {
		return c.call(t, http.MethodDelete, "/v1/auth/sessions/"+phone.session(t), nil, op)
	}
	require.Equal(t, http.StatusNoContent, end(ada).Status)
	for name, c := range map[string]*caller{"the cache": ada, "the table": restarted(t, p, ada)} {
		a := end(c)
		require.Equal(t, http.StatusNoContent, a.Status, "%s: %s", name, a)
		require.Equal(t, "true", a.Header.Get("X-Operation-Replayed"), name)
	}
}

func TestACachedAnswerIsGivenOnlyToWhoMayStillHaveIt(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	ada.joins(t, eve.workspace)
	op, there := operation(uuid.NewString()), header{"X-Workspace-Id", eve.workspace}
	body := map[string]any{"name": "Support"}
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", body, op, there).Status)
	p.sql(t, `DELETE FROM operations`) // so that it is the cache that answers
	require.Equal(t, "true", ada.post(t, "/v1/bots", body, op, there).Header.Get("X-Operation-Replayed"))
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "Other"}, op, there), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	require.Empty(t, eve.post(t, "/v1/bots", body, op).Header.Get("X-Operation-Replayed"), "another actor's is another operation")

	p.sql(t, `DELETE FROM workspace_members WHERE workspace_id = $1 AND user_id = $2`, eve.workspace, ada.user)
	requireCode(t, ada.post(t, "/v1/bots", body, op, there), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", body, op).Status)
	p.sql(t, `UPDATE sessions SET revoked_at = now()`)
	requireCode(t, ada.post(t, "/v1/bots", body, op), http.StatusUnauthorized, "UNAUTHORIZED")
}
