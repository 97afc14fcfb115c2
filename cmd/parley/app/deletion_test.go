package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestADeletedWorkspaceIsClosedUntilAnOwnerTakesItBack(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	bob := p.join(t, ada, "admin")
	key, chat := ada.key(t, "editor"), ada.newEndpoint(t, ada.newBot(t))
	_, token := ada.invite(t, "grace@example.com", "viewer")
	path, op := "/v1/workspaces/"+ada.workspace, operation(uuid.NewString())
	requireCode(t, bob.delete(t, path), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusNoContent, ada.delete(t, path, op).Status)
	require.Equal(t, "true", ada.delete(t, path, op).Header.Get("X-Operation-Replayed"))

	for _, a := range []answer{
		ada.get(t, "/v1/bots"), bob.post(t, "/v1/bots", map[string]any{"name": "x"}), key.get(t, "/v1/bots"), ada.get(t, path),
	} {
		requireCode(t, a, http.StatusForbidden, "WORKSPACE_DELETED")
	}
	requireCode(t, bob.post(t, path+"/restore", nil), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusNotFound, chat.send(t, "msg_1", `{"type": "x", "data": {}}`).Status)
	requireCode(t, p.accept(t, token, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Len(t, ada.get(t, "/v1/workspaces").items(), 1, "who may restore it sees it")
	require.NotNil(t, ada.get(t, "/v1/workspaces").items()[0]["deleted_at"])
	require.Len(t, bob.get(t, "/v1/workspaces").items(), 1, "of bob's two it is not shown")
	in := p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password})
	require.Equal(t, http.StatusOK, in.Status, "or she could not restore it: %s", in)

	restored := ada.post(t, path+"/restore", nil)
	require.Equal(t, http.StatusOK, restored.Status, restored)
	require.Nil(t, restored.Body["deleted_at"])
	for _, c := range []*caller{ada, bob, key} {
		require.Len(t, c.get(t, "/v1/bots").items(), 1)
	}
}

func TestAMemberOfADeletedWorkspaceMayAskWhoSheIsAndBeginAnother(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	_, token := ada.invite(t, "grace@example.com", "editor")
	grace := p.anonymous()
	grace.take(p.accept(t, token, password))
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/workspaces/"+ada.workspace).Status)
	me := grace.get(t, "/v1/auth/me")
	require.Equal(t, http.StatusOK, me.Status, me)
	require.Empty(t, me.Body["workspaces"])
	require.Empty(t, grace.get(t, "/v1/workspaces").items())
	made := grace.post(t, "/v1/workspaces", map[string]any{"name": "Labs"})
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, http.StatusOK, grace.get(t, "/v1/bots", header{"X-Workspace-Id", made.text("id")}).Status)
}

// tenantTables are all that have rows of workspaces, as the catalog knows them.
func tenantTables(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT c.oid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id' ORDER BY 1`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return tables
}

// fill leaves a row of the caller's workspace in every table.
func (c *caller) fill(t *testing.T, super *pgx.Conn) {
	t.Helper()
	bot := c.newBot(t)
	turn := c.hi(t, c.thread(t, bot))
	require.Equal(t, http.StatusOK, turn.Status)
	require.Equal(t, http.StatusOK, c.put(t, "/v1/conversations/messages/"+turn.text("assistant_message.id")+"/feedback", map[string]any{"rating": "good"}).Status)
	require.Equal(t, http.StatusOK, c.put(t, "/v1/model-settings", map[string]any{"default_model": "echo"}).Status)
	require.Equal(t, http.StatusOK, c.put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}).Status)
	require.Equal(t, http.StatusCreated, c.upload(t, "a.txt", "text").Status)
	require.Equal(t, http.StatusOK, c.newEndpoint(t, bot).says(t, "c", "hello").Status)
	sub := c.subscribe(t, "https://example.com/hook", "turn.completed")
	delivery := c.post(t, "/v1/webhook-subscriptions/"+sub.id+"/ping", nil).text("id")
	c.key(t, "viewer")
	c.invite(t, uuid.NewString()+"@example.com", "viewer")
	deadLetter(t, super, c.workspace, "note")
	for _, sql := range []string{
		`INSERT INTO workspace_limits VALUES ($1, 'turns', 100)`,
		`INSERT INTO usage_warnings VALUES ($1, now(), 'turns')`,
		`INSERT INTO vectors VALUES ($1, 'notes', gen_random_uuid(), '{1}', gen_random_uuid(), 0, 'text', '{}')`,
		`INSERT INTO audit_seals SELECT $1, 1, array_agg(id), now(), sha256('x') FROM audit_log WHERE workspace_id = $1`,
		`INSERT INTO turn_events SELECT workspace_id, id, 1, 0, '{"text"}' FROM llm_turns WHERE workspace_id = $1`,
		`INSERT INTO analytics_daily SELECT workspace_id, now(), id, 1, 1, 0, 2, 0, 0, 0, 0, 0 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO analytics_latency SELECT workspace_id, now(), id, 1, 1 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO job_targets VALUES ($1, 'webhook.deliver', 'x', true, now())`,
		`INSERT INTO analytics_quarters SELECT workspace_id, now(), id, 1, 1, 0, 2, 0, 0, 0, 0, 0 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO analytics_latency_quarters SELECT workspace_id, now(), id, 1, 1 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO audit_seal_heads VALUES ($1, 1)`,
	} {
		_, err := super.Exec(t.Context(), sql, c.workspace)
		require.NoError(t, err, sql)
	}
	_, err := super.Exec(t.Context(), `INSERT INTO webhook_attempts VALUES ($1, $2, 1, now(), 200, 1, '', null)`, c.workspace, delivery)
	require.NoError(t, err)
}

// state is every row of a workspace, as text.
func (c *caller) state(t *testing.T, super *pgx.Conn) map[string]string {
	t.Helper()
	state := map[string]string{}
	for _, table := range tenantTables(t, super) {
		var rows string
		require.NoError(t, super.QueryRow(t.Context(), `SELECT coalesce(string_agg(r::text, E'\n' ORDER BY r::text), '') FROM `+table+` r WHERE workspace_id = $1`, c.workspace).Scan(&rows))
		state[table] = rows
	}
	var rows string
	require.NoError(t, super.QueryRow(t.Context(), `SELECT w::text || u::text FROM workspaces w, users u WHERE w.id = $1 AND u.id = $2`, c.workspace, c.user).Scan(&rows))
	state["workspaces, users"] = rows
	return state
}

func TestAPurgeLeavesNothingOfAWorkspaceAndTouchesNoOther(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0", "UPKEEP_INTERVAL=1h")
	ada, eve := p.register(t), p.register(t)
	both := p.join(t, ada, "editor") // and has a workspace of its own
	super := pg.Superuser(t, p.database)
	ada.fill(t, super)
	eve.fill(t, super)
	before := eve.state(t, super)
	for table, rows := range ada.state(t, super) {
		require.NotEmpty(t, rows, "%s: this test makes no row in it", table)
		require.NotEmpty(t, before[table], table)
	}
	purge := func(days int) error {
		_, err := super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - $2 * interval '1 day' WHERE id = $1`, ada.workspace, days)
		require.NoError(t, err)
		tx, err := super.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Commit(t.Context()) }()
		_, err = tx.Exec(t.Context(), `SET LOCAL ROLE parley_app`)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SELECT app.purge_workspace($1)`, ada.workspace)
		return err
	}
	require.Error(t, purge(29), "it can still be restored")
	require.NotEmpty(t, ada.state(t, super)["messages"])
	_, err := super.Exec(t.Context(), `SELECT app.purge_workspace($1)`, eve.workspace)
	require.Error(t, err, "it is not deleted at all")
	require.NoError(t, purge(31))

	for _, table := range tenantTables(t, super) {
		require.Zero(t, count(t, super, `SELECT count(*) FROM `+table+` WHERE workspace_id = $1`, ada.workspace), table)
	}
	requireGone := func(id string) {
		for _, table := range append(tenantTables(t, super), "workspaces", "users") {
			require.Zero(t, count(t, super, `SELECT count(*) FROM `+table+` r WHERE position($1 IN r::text) > 0`, id), "%s is in %s", id, table)
		}
	}
	requireGone(ada.workspace)
	requireGone(ada.user)
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM users WHERE id = $1`, both.user), "who has another workspace stays")
	require.Equal(t, before, eve.state(t, super), "another workspace was touched")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM workspace_purges WHERE id = $1 AND (removed ->> 'public.messages')::int = 2`, ada.workspace))
	require.Equal(t, http.StatusOK, eve.get(t, "/v1/bots").Status)
	requireCode(t, ada.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
}

// A workspace with millions of rows is removed in steps that end in time, and what a step has removed stays so.
func TestAPurgeGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0", "UPKEEP_INTERVAL=1h")
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	ada.fill(t, super)
	eve.fill(t, super)
	before := eve.state(t, super)
	_, thread, _ := strings.Cut(ada.openThread(t), "threads/")
	_, err := super.Exec(t.Context(), `
		INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, provider, model, status, user_seq, lease_until, created_at, finished_at)
		SELECT $1, gen_random_uuid(), $2, $3, gen_random_uuid(), 'echo', 'echo', 'completed', n, now(), now(), now() FROM generate_series(1, 1000) n`,
		ada.workspace, thread, ada.user)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.workspace)
	require.NoError(t, err)
	var state string
	steps, turns := 0, 0
	for state != "done" {
		var removed int
		require.NoError(t, super.QueryRow(t.Context(), `SELECT state, removed FROM app.purge_some($1, 0)`, ada.workspace).Scan(&state, &removed))
		require.Contains(t, []string{"more", "done"}, state)
		require.LessOrEqual(t, removed, 1000, "a step does not end in time")
		steps++
		require.Less(t, steps, 100)
		left := count(t, super, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1`, ada.workspace)
		if left > 0 && left < 1000 {
			turns++
		}
		require.Equal(t, before, eve.state(t, super), "another workspace was touched")
	}
	require.Greater(t, turns, 3, "the turns went at once")
	for _, table := range tenantTables(t, super) {
		require.Zero(t, count(t, super, `SELECT count(*) FROM `+table+` WHERE workspace_id = $1`, ada.workspace), table)
	}
	require.Zero(t, count(t, super, `SELECT count(*) FROM users WHERE id = $1`, ada.user))
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM workspace_purges
		WHERE id = $1 AND finished AND (removed ->> 'public.llm_turns')::int > 1000 AND (removed ->> 'public.messages')::int = 2`, ada.workspace))
}

func TestAWorkspaceIsNotRestoredOnceItIsPurged(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0", "UPKEEP_INTERVAL=1h")
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/workspaces/"+ada.workspace).Status)
	_, err := super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.workspace)
	require.NoError(t, err)
	requireCode(t, ada.post(t, "/v1/workspaces/"+ada.workspace+"/restore", nil), http.StatusForbidden, "WORKSPACE_DELETED")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM workspaces WHERE id = $1 AND deleted_at IS NOT NULL`, ada.workspace))
}

func TestTheProgramPurgesWhatIsDue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "UPKEEP_INTERVAL=100ms", "WORKERS=0", "DATA_DIR="+dir)
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	for _, c := range []*caller{ada, eve} {
		require.Equal(t, http.StatusCreated, c.upload(t, "a.txt", "text").Status)
		require.Equal(t, http.StatusNoContent, c.delete(t, "/v1/workspaces/"+c.workspace).Status)
	}
	_, err := super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.workspace)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return count(t, super, `SELECT count(*) FROM workspaces WHERE id = $1`, ada.workspace) == 0
	}, 10*time.Second, 20*time.Millisecond)
	require.Len(t, stored(t, dir), 1, "the bytes of her files go, and no other's")
	require.Equal(t, http.StatusOK, eve.post(t, "/v1/workspaces/"+eve.workspace+"/restore", nil).Status)
	require.Equal(t, http.StatusCreated, p.anonymous().post(t, "/v1/auth/register", map[string]any{
		"email": ada.email, "password": password, "workspace_name": "Anew",
	}).Status, "the address is free again")
}
