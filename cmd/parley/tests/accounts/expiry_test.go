package accounts

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// restarted is another process on the same database and secrets: it runs the reaper at once and has an empty cache.
func restarted(t *testing.T, p *harness.Program, c *harness.Caller) *harness.Caller {
	t.Helper()
	q := harness.StartOn(t, p.Database, harness.Shared...)
	return &harness.Caller{Program: q, Token: c.Token, Refresh: c.Refresh, Email: c.Email, User: c.User, Workspace: c.Workspace}
}

func TestALateRetryIsToldThatItIsLateAndTakesNoEffect(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Shared...)
	ada := p.Register(t)
	op := harness.Operation(uuid.NewString())
	body := map[string]any{"name": "Support"}
	first := ada.Post(t, "/v1/bots", body, op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	age := func(by string) {
		p.SQL(t, `UPDATE operations SET created_at = created_at - $1::interval, finished_at = finished_at - $1::interval`, by)
	}
	age("6 days 23 h")
	young := restarted(t, p, ada)
	again := young.Post(t, "/v1/bots", body, op)
	require.Equal(t, first.Raw, again.Raw, "not seven days old yet")

	age("2 h")
	p.SQL(t, `ALTER FUNCTION app.expire_operations(integer) RENAME TO expire_later`)
	late := restarted(t, p, ada)
	harness.RequireCode(t, late.Post(t, "/v1/bots", body, op), http.StatusConflict, "OPERATION_EXPIRED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM operations WHERE body IS NOT NULL`), "before any reaper has come by")
	p.SQL(t, `ALTER FUNCTION app.expire_later(integer) RENAME TO expire_operations`)
	reaped := restarted(t, p, ada)
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM operations WHERE body IS NULL AND content_type IS NULL AND location IS NULL`) == 1
	}, time.Minute, 20*time.Millisecond, "the reaper empties it")
	harness.RequireCode(t, reaped.Post(t, "/v1/bots", body, op), http.StatusConflict, "OPERATION_EXPIRED")
	harness.RequireCode(t, reaped.Post(t, "/v1/bots", map[string]any{"name": "Other"}, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	age("89 days")
	harness.RequireCode(t, restarted(t, p, ada).Post(t, "/v1/bots", body, op), http.StatusConflict, "OPERATION_EXPIRED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM bots`), "no late retry took effect")
	age("2 days")
	restarted(t, p, ada)
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM operations`) == 0 }, time.Minute, 20*time.Millisecond, "the tombstone goes in the end")
}

func TestAnEmptyAnswerIsReplayedAndNotTakenForExpired(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Shared...)
	ada := p.Register(t)
	phone := ada.Another(t)
	op := harness.Operation(uuid.NewString())
	end := func(c *harness.Caller) harness.Answer {
		return c.Call(t, http.MethodDelete, "/v1/auth/sessions/"+phone.Session(t), nil, op)
	}
	require.Equal(t, http.StatusNoContent, end(ada).Status)
	for name, c := range map[string]*harness.Caller{"the cache": ada, "the table": restarted(t, p, ada)} {
		a := end(c)
		require.Equal(t, http.StatusNoContent, a.Status, "%s: %s", name, a)
		require.Equal(t, "true", a.Header.Get("X-Operation-Replayed"), name)
	}
}

func TestACachedAnswerIsGivenOnlyToWhoMayStillHaveIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	ada.Joins(t, eve.Workspace)
	op, there := harness.Operation(uuid.NewString()), harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace}
	body := map[string]any{"name": "Support"}
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/knowledge-bases", body, op, there).Status)
	p.SQL(t, `DELETE FROM operations`) // so that it is the cache that answers
	require.Equal(t, "true", ada.Post(t, "/v1/knowledge-bases", body, op, there).Header.Get("X-Operation-Replayed"))
	harness.RequireCode(t, ada.Post(t, "/v1/knowledge-bases", map[string]any{"name": "Other"}, op, there), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	require.Empty(t, eve.Post(t, "/v1/knowledge-bases", body, op).Header.Get("X-Operation-Replayed"), "another actor's is another operation")

	p.SQL(t, `DELETE FROM workspace_members WHERE workspace_id = $1 AND user_id = $2`, eve.Workspace, ada.User)
	harness.RequireCode(t, ada.Post(t, "/v1/knowledge-bases", body, op, there), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/knowledge-bases", body, op).Status)
	p.SQL(t, `UPDATE sessions SET revoked_at = now()`)
	harness.RequireCode(t, ada.Post(t, "/v1/knowledge-bases", body, op), http.StatusUnauthorized, "UNAUTHORIZED")
}
