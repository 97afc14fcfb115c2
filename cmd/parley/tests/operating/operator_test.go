package operating

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// refused runs a command that has to fail, and gives its last words.
func refused(t *testing.T, code int, environ []string, args ...string) string {
	t.Helper()
	got, stdout, stderr := harness.Tool(t, environ, args...)
	require.Equal(t, code, got, stdout+stderr)
	require.Empty(t, stdout)
	return strings.Join(harness.Problems(stderr), "\n")
}

// column is one field of lines.
func column(lines []map[string]any, field string) (all []string) {
	for _, line := range lines {
		all = append(all, line[field].(string))
	}
	return all
}

func TestAnOperatorSeesAllWorkspacesAndUsers(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	require.Equal(t, http.StatusNoContent, eve.Delete(t, "/v1/workspaces/"+eve.Workspace).Status)

	all := harness.Operate(t, p.Settings, "workspaces", "list")
	require.ElementsMatch(t, []string{ada.Workspace, eve.Workspace}, column(all, "id"))
	one := harness.Operate(t, p.Settings, "workspaces", "list", "--workspace", eve.Workspace)
	require.Len(t, one, 1)
	require.Equal(t, "Acme", one[0]["name"])
	require.NotNil(t, one[0]["deleted_at"])
	require.InDelta(t, 1, one[0]["members"], 0)
	shown := harness.Operate(t, p.Settings, "workspaces", "show", "--workspace", ada.Workspace)
	require.Equal(t, ada.Email, shown[0]["people"].([]any)[0].(map[string]any)["email"])
	require.Len(t, shown[0]["usage"], 16)

	users := harness.Operate(t, p.Settings, "users", "list")
	require.ElementsMatch(t, []string{ada.User, eve.User}, column(users, "id"))
	users = harness.Operate(t, p.Settings, "users", "list", "--workspace", ada.Workspace)
	require.Equal(t, []string{ada.Email}, column(users, "email"))
	require.Equal(t, []any{ada.Workspace}, users[0]["workspace_ids"])

	limits := harness.Operate(t, p.Settings, "limits", "show")
	require.Len(t, limits, 32, "sixteen limits of two workspaces")
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, "workspaces", "list", "--workspace", uuid.NewString()), "there is no such workspace")
	require.Contains(t, refused(t, app.ExitUsage, p.Settings, "users", "list", "--workspace", "acme"), "--workspace: should be an id")
	code, text, _ := harness.Tool(t, p.Settings, "workspaces", "list")
	require.Equal(t, app.ExitOK, code)
	require.Contains(t, text, ada.Workspace+` "Acme"`)
}

func TestAnOperatorMakesUsersAndResetsPasswords(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	made := harness.Operate(t, p.Settings, "users", "create", "--email", "grace@example.com", "--workspace-name", "Navy")[0]
	a := p.LogIn(t, "grace@example.com", made["password"].(string))
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, made["workspace_id"], a.Text("workspace_id"))
	require.Equal(t, 1, p.Audited(t, a.Text("workspace_id"), "user.register"))
	grace := &harness.Caller{Program: p}
	grace.Take(a)
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, "users", "create", "--email", "grace@example.com"), "registered already")
	require.Contains(t, refused(t, app.ExitUsage, p.Settings, "users", "create", "--email", "grace"), "email: ")
	require.Contains(t, refused(t, app.ExitUsage, p.Settings, "users", "create"), "--email: should be")

	reset := harness.Operate(t, p.Settings, "users", "reset-password", "--email", "Grace@Example.com")[0]
	require.InDelta(t, 1, reset["sessions_ended"], 0)
	require.Equal(t, http.StatusUnauthorized, grace.Get(t, "/v1/auth/me").Status)
	require.Equal(t, http.StatusUnauthorized, grace.Spend(t, grace.Refresh).Status)
	harness.RequireCode(t, p.LogIn(t, "grace@example.com", made["password"].(string)), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	require.Equal(t, http.StatusOK, p.LogIn(t, "grace@example.com", reset["password"].(string)).Status)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'password.reset' AND user_agent = 'operator'`, made["id"]))
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, "users", "reset-password", "--user", uuid.NewString()), "there is no such user")

	binary, err := harness.BuiltProgram()
	require.NoError(t, err)
	stdin := func(text string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), binary, "users", "reset-password", "--user", made["id"].(string), "--password-stdin", "--json")
		cmd.Env, cmd.Stdin = p.Settings, strings.NewReader(text)
		return cmd.Output()
	}
	out, err := stdin("another horse of another kind\n")
	require.NoError(t, err)
	require.NotContains(t, string(out), "horse")
	require.Equal(t, http.StatusOK, p.LogIn(t, "grace@example.com", "another horse of another kind").Status)
	_, err = stdin("short")
	failed := &exec.ExitError{}
	require.ErrorAs(t, err, &failed)
	require.Equal(t, app.ExitUsage, failed.ExitCode())
	require.Contains(t, string(failed.Stderr), "password: ")
}

func TestAUserWhoIsDisabledIsLockedOutUntilEnabled(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	key := &harness.Caller{Program: p, Token: ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "editor"}).Text("key")}
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)

	done := harness.Operate(t, p.Settings, "users", "disable", "--email", ada.Email)[0]
	require.InDelta(t, 1, done["sessions_ended"], 0)
	require.InDelta(t, 1, done["api_keys"], 0)
	harness.RequireCode(t, ada.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusUnauthorized, ada.Spend(t, ada.Refresh).Status)
	harness.RequireCode(t, p.LogIn(t, ada.Email, harness.Password), http.StatusForbidden, "ACCOUNT_DISABLED")
	harness.RequireCode(t, p.LogIn(t, ada.Email, "not the password"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	harness.RequireCode(t, key.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	eve.RequireAlive(t, "another user")
	require.Equal(t, 1, p.Audited(t, ada.Workspace, "user.disable"))
	require.Zero(t, p.Audited(t, eve.Workspace, "user.disable"))
	require.NotNil(t, harness.Operate(t, p.Settings, "users", "list", "--workspace", ada.Workspace)[0]["disabled_at"])
	again := harness.Operate(t, p.Settings, "users", "disable", "--user", ada.User)[0]
	require.InDelta(t, 0, again["api_keys"], 0)
	reset := harness.Operate(t, p.Settings, "users", "reset-password", "--user", ada.User)[0]
	harness.RequireCode(t, p.LogIn(t, ada.Email, reset["password"].(string)), http.StatusForbidden, "ACCOUNT_DISABLED")

	done = harness.Operate(t, p.Settings, "users", "enable", "--user", ada.User)[0]
	require.InDelta(t, 1, done["api_keys"], 0)
	require.Equal(t, http.StatusOK, p.LogIn(t, ada.Email, reset["password"].(string)).Status)
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
	require.Equal(t, http.StatusUnauthorized, ada.Get(t, "/v1/auth/me").Status, "a session that was ended is back")
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, "users", "enable", "--user", ada.User), "is not disabled")
	require.Contains(t, refused(t, app.ExitUsage, p.Settings, "users", "disable"), "say either --user")
}

func TestADisabledUserAcceptsNoInvitation(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	_, token := ada.Invite(t, eve.Email, "viewer")
	harness.Operate(t, p.Settings, "users", "disable", "--user", eve.User)
	a := p.Accept(t, token, harness.Password)
	harness.RequireCode(t, a, http.StatusForbidden, "ACCOUNT_DISABLED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM workspace_members WHERE workspace_id = $1`, ada.Workspace))
}

func TestAnOperatorPurgesWhatIsDeletedAndNothingElse(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=1h", "WORKERS=0")
	ada, eve := p.Register(t), p.Register(t)
	require.Equal(t, http.StatusCreated, ada.Upload(t, "a.txt", "text").Status)
	before := eve.State(t, harness.Postgres.Superuser(t, p.Database))
	purge := []string{"workspaces", "purge", "--workspace", ada.Workspace}
	require.Contains(t, refused(t, app.ExitUsage, p.Settings, purge...), "--yes: should be given")
	purge = append(purge, "--yes")
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, purge...), "the workspace is not deleted")
	ada.RequireAlive(t, "who was not to be purged")
	require.Zero(t, p.Audited(t, ada.Workspace, "workspace.purge"), "what was refused is audited as done")

	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/workspaces/"+ada.Workspace).Status)
	require.Equal(t, true, harness.Operate(t, p.Settings, purge...)[0]["purged"])
	require.Equal(t, []string{eve.Workspace}, column(harness.Operate(t, p.Settings, "workspaces", "list"), "id"))
	super := harness.Postgres.Superuser(t, p.Database)
	for _, table := range harness.TenantTables(t, super) {
		require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM `+table+` WHERE workspace_id = $1`, ada.Workspace), table)
	}
	require.Equal(t, before, eve.State(t, super), "another workspace was touched")
	lasting := harness.Operate(t, p.Settings, "audit", "list", "--installation", "--action", "workspace.purge")
	require.Len(t, lasting, 1)
	require.Equal(t, ada.Workspace, lasting[0]["resource_id"])
	require.Equal(t, "operator", lasting[0]["user_agent"])
	require.Equal(t, "Acme", lasting[0]["changes"].(map[string]any)["name"])
	require.Len(t, harness.Operate(t, p.Settings, "audit", "list", "--installation", "--action", "workspace.purged"), 1)
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, purge...), "there is no such workspace")
}

func TestAnOperatorRunsCancelsAndRetriesJobs(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada, eve := p.Register(t), p.Register(t)
	queue := func(c *harness.Caller, status string) (id string) {
		id = uuid.NewString()
		conn := p.Super(t)
		defer conn.Close(context.Background())
		_, err := conn.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, run_at, status)
			VALUES ($1, $2, 'test', $2::uuid::text, '{}', 't', 3, now() + interval '1 day', $3)`, c.Workspace, id, status)
		require.NoError(t, err)
		return id
	}
	first, second, other := queue(ada, "queued"), queue(ada, "queued"), queue(eve, "queued")
	finished := queue(eve, "done")
	require.ElementsMatch(t, []string{first, second, other, finished}, column(harness.Operate(t, p.Settings, "jobs", "list"), "id"))
	require.ElementsMatch(t, []string{first, second}, column(harness.Operate(t, p.Settings, "jobs", "list", "--workspace", ada.Workspace), "id"))
	require.Equal(t, []string{finished}, column(harness.Operate(t, p.Settings, "jobs", "list", "--status", "done"), "id"))

	harness.Operate(t, p.Settings, "jobs", "retry", "--workspace", ada.Workspace, "--job", first)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM job_queue WHERE id = $1 AND run_at <= now()`, first))
	harness.Operate(t, p.Settings, "jobs", "cancel", "--workspace", ada.Workspace, "--job", second)
	require.Zero(t, p.Number(t, `SELECT count(*) FROM job_queue WHERE id = $1`, second))
	for _, action := range []string{"job.retry", "job.cancel"} {
		require.Equal(t, 1, p.Audited(t, ada.Workspace, action), action)
	}
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, "jobs", "cancel", "--workspace", ada.Workspace, "--job", other), "no such job in this workspace")
	require.Contains(t, refused(t, app.ExitFailed, p.Settings, "jobs", "retry", "--workspace", eve.Workspace, "--job", finished), "does not wait")
	require.Contains(t, refused(t, app.ExitUsage, p.Settings, "jobs", "retry"), "--job: should be an id")

	harness.Operate(t, p.Settings, "jobs", "cancel", "--workspace", eve.Workspace, "--job", other)
	letters := harness.Operate(t, p.Settings, "dead-letters", "list")
	require.ElementsMatch(t, []string{second, other}, column(letters, "job_id"))
	require.Equal(t, "an operator has cancelled the job", letters[0]["last_error"])
	require.Len(t, harness.Operate(t, p.Settings, "dead-letters", "retry", "--workspace", ada.Workspace), 1)
	require.Len(t, harness.Operate(t, p.Settings, "dead-letters", "retry"), 1, "all workspaces")
	require.Empty(t, harness.Operate(t, p.Settings, "dead-letters", "list"))
	require.Equal(t, 4, p.Number(t, `SELECT count(*) FROM job_queue`))
	require.Equal(t, 1, p.Audited(t, eve.Workspace, "dead_letter.retry_many"))
}

func TestAnOperatorWorksOnAnEmbeddedDatabaseRunningOrNot(t *testing.T) {
	t.Parallel()
	binary, err := harness.BuiltProgram()
	require.NoError(t, err)
	environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(harness.OpenFolder(t), "data")}
	require.Contains(t, refused(t, app.ExitFailed, environ, "workspaces", "list"), "run parley migrate up first")
	served := harness.Spawn(t, binary, environ).Serving(t)
	ada := served.Register(t)
	require.Equal(t, []string{ada.Workspace}, column(harness.Operate(t, environ, "workspaces", "list"), "id"))
	set := harness.Operate(t, environ, "limits", "set", "--workspace", ada.Workspace, "--metric", "bots", "--max", "1")
	require.Len(t, set, 16)
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "1"}).Status)
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "2"}), http.StatusForbidden, "LIMIT_REACHED")
	harness.Operate(t, environ, "users", "disable", "--email", ada.Email)
	harness.RequireCode(t, ada.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, app.ExitOK, served.End(t, syscall.SIGTERM), served.Log)

	harness.Operate(t, environ, "users", "enable", "--email", ada.Email)
	limit := harness.Operate(t, environ, "limits", "show", "--metric", "bots")
	require.Len(t, limit, 1)
	require.InDelta(t, 1, limit[0]["limit"], 0)
}

func TestWhatOperatorsDidIsSealedAndOutlivesWorkspaces(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	ada := p.Register(t)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/workspaces/"+ada.Workspace).Status)
	harness.Operate(t, p.Settings, "workspaces", "purge", "--workspace", ada.Workspace, "--yes")
	var line map[string]any
	require.Eventually(t, func() bool {
		line = harness.Operate(t, p.Settings, "audit", "verify", "--installation")[0]
		return line["sealed_rows"] == 2.0 && line["unsealed_rows"] == 0.0
	}, harness.Timeout, harness.Tick)
	require.Equal(t, true, line["intact"])
	harness.Operate(t, p.Settings, "audit", "adopt", "--installation")
	require.Equal(t, []string{"audit.adopt", "workspace.purged", "workspace.purge"}, column(harness.Operate(t, p.Settings, "audit", "list", "--installation"), "action"))
	require.Zero(t, p.Number(t, `SELECT count(*) FROM audit_log WHERE user_agent <> 'operator'`), "the rows of the workspace are gone, these stay")
	require.Len(t, harness.Operate(t, p.Settings, "audit", "list", "--installation", "--limit", "2"), 2)
	require.Contains(t, refused(t, app.ExitUsage, p.Settings, "audit", "list"), "say either --workspace")

	p.SQL(t, `SET session_replication_role = replica; DELETE FROM audit_log WHERE action = 'workspace.purged'`)
	code, out, _ := harness.Tool(t, p.Settings, "audit", "verify", "--all")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, "NOT INTACT, seal [12] does not fit", out) // the two rows may have been sealed one by one
}
