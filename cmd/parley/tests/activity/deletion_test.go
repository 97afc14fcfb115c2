package activity

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestADeletedWorkspaceIsClosedUntilAnOwnerTakesItBack(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	bob := p.Join(t, ada, "admin")
	key, chat := ada.Key(t, "editor"), ada.NewEndpoint(t, ada.NewBot(t))
	_, token := ada.Invite(t, "grace@example.com", "viewer")
	path, op := "/v1/workspaces/"+ada.Workspace, harness.Operation(uuid.NewString())
	harness.RequireCode(t, bob.Delete(t, path), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, path, op).Status)
	require.Equal(t, "true", ada.Delete(t, path, op).Header.Get("X-Operation-Replayed"))

	for _, a := range []harness.Answer{
		ada.Get(t, "/v1/bots"), bob.Post(t, "/v1/bots", map[string]any{"name": "x"}), key.Get(t, "/v1/bots"), ada.Get(t, path),
	} {
		harness.RequireCode(t, a, http.StatusForbidden, "WORKSPACE_DELETED")
	}
	harness.RequireCode(t, bob.Post(t, path+"/restore", nil), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusNotFound, chat.Send(t, "msg_1", `{"type": "x", "data": {}}`).Status)
	harness.RequireCode(t, p.Accept(t, token, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Len(t, ada.Get(t, "/v1/workspaces").Items(), 1, "who may restore it sees it")
	require.NotNil(t, ada.Get(t, "/v1/workspaces").Items()[0]["deleted_at"])
	require.Len(t, bob.Get(t, "/v1/workspaces").Items(), 1, "of bob's two it is not shown")
	in := p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password})
	require.Equal(t, http.StatusOK, in.Status, "or she could not restore it: %s", in)

	restored := ada.Post(t, path+"/restore", nil)
	require.Equal(t, http.StatusOK, restored.Status, restored)
	require.Nil(t, restored.Body["deleted_at"])
	for _, c := range []*harness.Caller{ada, bob, key} {
		require.Len(t, c.Get(t, "/v1/bots").Items(), 1)
	}
}

func TestAMemberOfADeletedWorkspaceMayAskWhoSheIsAndBeginAnother(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	_, token := ada.Invite(t, "grace@example.com", "editor")
	grace := p.Anonymous()
	grace.Take(p.Accept(t, token, harness.Password))
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/workspaces/"+ada.Workspace).Status)
	me := grace.Get(t, "/v1/auth/me")
	require.Equal(t, http.StatusOK, me.Status, me)
	require.Empty(t, me.Body["workspaces"])
	require.Empty(t, grace.Get(t, "/v1/workspaces").Items())
	made := grace.Post(t, "/v1/workspaces", map[string]any{"name": "Labs"})
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, http.StatusOK, grace.Get(t, "/v1/bots", harness.Header{Name: "X-Workspace-Id", Value: made.Text("id")}).Status)
}

func TestAPurgeLeavesNothingOfAWorkspaceAndTouchesNoOther(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "UPKEEP_INTERVAL=1h")
	ada, eve := p.Register(t), p.Register(t)
	both := p.Join(t, ada, "editor") // and has a workspace of its own
	super := harness.Postgres.Superuser(t, p.Database)
	ada.Fill(t, super)
	eve.Fill(t, super)
	before := eve.State(t, super)
	for table, rows := range ada.State(t, super) {
		require.NotEmpty(t, rows, "%s: this test makes no row in it", table)
		require.NotEmpty(t, before[table], table)
	}
	purge := func(days int) error {
		_, err := super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - $2 * interval '1 day' WHERE id = $1`, ada.Workspace, days)
		require.NoError(t, err)
		tx, err := super.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Commit(t.Context()) }()
		_, err = tx.Exec(t.Context(), `SET LOCAL ROLE parley_app`)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SELECT app.purge_workspace($1)`, ada.Workspace)
		return err
	}
	require.Error(t, purge(29), "it can still be restored")
	require.NotEmpty(t, ada.State(t, super)["messages"])
	_, err := super.Exec(t.Context(), `SELECT app.purge_workspace($1)`, eve.Workspace)
	require.Error(t, err, "it is not deleted at all")
	require.NoError(t, purge(31))

	for _, table := range harness.TenantTables(t, super) {
		require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM `+table+` WHERE workspace_id = $1`, ada.Workspace), table)
	}
	requireGone := func(id string) {
		for _, table := range append(harness.TenantTables(t, super), "workspaces", "users") {
			require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM `+table+` r WHERE position($1 IN r::text) > 0`, id), "%s is in %s", id, table)
		}
	}
	requireGone(ada.Workspace)
	requireGone(ada.User)
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM users WHERE id = $1`, both.User), "who has another workspace stays")
	require.Equal(t, before, eve.State(t, super), "another workspace was touched")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM workspace_purges WHERE id = $1 AND (removed ->> 'public.messages')::int = 2`, ada.Workspace))
	require.Equal(t, http.StatusOK, eve.Get(t, "/v1/bots").Status)
	harness.RequireCode(t, ada.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
}

// A workspace with millions of rows is removed in steps that end in time, and what a step has removed stays so.
func TestAPurgeGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "UPKEEP_INTERVAL=1h")
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	ada.Fill(t, super)
	eve.Fill(t, super)
	before := eve.State(t, super)
	_, thread, _ := strings.Cut(ada.OpenThread(t), "threads/")
	_, err := super.Exec(t.Context(), `
		INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, provider, model, status, user_seq, lease_until, created_at, finished_at)
		SELECT $1, gen_random_uuid(), $2, $3, gen_random_uuid(), 'echo', 'echo', 'completed', n, now(), now(), now() FROM generate_series(1, 1000) n`,
		ada.Workspace, thread, ada.User)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.Workspace)
	require.NoError(t, err)
	var state string
	steps, turns := 0, 0
	for state != "done" {
		var removed int
		require.NoError(t, super.QueryRow(t.Context(), `SELECT state, removed FROM app.purge_some($1, 0)`, ada.Workspace).Scan(&state, &removed))
		require.Contains(t, []string{"more", "done"}, state)
		require.LessOrEqual(t, removed, 1000, "a step does not end in time")
		steps++
		require.Less(t, steps, 100)
		left := harness.Count(t, super, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1`, ada.Workspace)
		if left > 0 && left < 1000 {
			turns++
		}
		require.Equal(t, before, eve.State(t, super), "another workspace was touched")
	}
	require.Greater(t, turns, 3, "the turns went at once")
	for _, table := range harness.TenantTables(t, super) {
		require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM `+table+` WHERE workspace_id = $1`, ada.Workspace), table)
	}
	require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM users WHERE id = $1`, ada.User))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM workspace_purges
		WHERE id = $1 AND finished AND (removed ->> 'public.llm_turns')::int > 1000 AND (removed ->> 'public.messages')::int = 2`, ada.Workspace))
}

func TestAWorkspaceIsNotRestoredOnceItIsPurged(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "UPKEEP_INTERVAL=1h")
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/workspaces/"+ada.Workspace).Status)
	_, err := super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.Workspace)
	require.NoError(t, err)
	harness.RequireCode(t, ada.Post(t, "/v1/workspaces/"+ada.Workspace+"/restore", nil), http.StatusForbidden, "WORKSPACE_DELETED")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM workspaces WHERE id = $1 AND deleted_at IS NOT NULL`, ada.Workspace))
}

func TestTheProgramPurgesWhatIsDue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms", "WORKERS=0", "DATA_DIR="+dir)
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	for _, c := range []*harness.Caller{ada, eve} {
		require.Equal(t, http.StatusCreated, c.Upload(t, "a.txt", "text").Status)
		require.Equal(t, http.StatusNoContent, c.Delete(t, "/v1/workspaces/"+c.Workspace).Status)
	}
	_, err := super.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.Workspace)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return harness.Count(t, super, `SELECT count(*) FROM workspaces WHERE id = $1`, ada.Workspace) == 0
	}, time.Minute, 20*time.Millisecond)
	require.Len(t, harness.Stored(t, dir), 1, "the bytes of her files go, and no other's")
	require.Equal(t, http.StatusOK, eve.Post(t, "/v1/workspaces/"+eve.Workspace+"/restore", nil).Status)
	require.Equal(t, http.StatusCreated, p.Anonymous().Post(t, "/v1/auth/register", map[string]any{
		"email": ada.Email, "password": harness.Password, "workspace_name": "Anew",
	}).Status, "the address is free again")
}
