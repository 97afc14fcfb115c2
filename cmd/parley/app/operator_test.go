package app

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

// operate runs a command of an operator with --json, and gives its lines.
func operate(t *testing.T, environ []string, args ...string) (lines []map[string]any) {
	t.Helper()
	code, stdout, stderr := tool(t, environ, append(args, "--json")...)
	require.Equal(t, ExitOK, code, stderr)
	return jsonLines(t, stdout)
}

func jsonLines(t *testing.T, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &v), text)
		lines = append(lines, v)
	}
	return lines
}

// refused runs a command that has to fail, and gives its last words.
func refused(t *testing.T, code int, environ []string, args ...string) string {
	t.Helper()
	got, stdout, stderr := tool(t, environ, args...)
	require.Equal(t, code, got, stdout+stderr)
	require.Empty(t, stdout)
	return strings.Join(problems(stderr), "\n")
}

// column is one field of lines.
func column(lines []map[string]any, field string) (all []string) {
	for _, line := range lines {
		all = append(all, line[field].(string))
	}
	return all
}

func (p *program) logIn(t *testing.T, email, password string) answer {
	t.Helper()
	return p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": email, "password": password})
}

// audited counts the rows of an action in the audit log of a workspace that an operator caused.
func (p *program) audited(t *testing.T, workspace, action string) int {
	t.Helper()
	return p.number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = $2 AND user_agent = 'operator' AND user_id IS NULL`, workspace, action)
}

func TestAnOperatorSeesAllWorkspacesAndUsers(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	require.Equal(t, http.StatusNoContent, eve.delete(t, "/v1/workspaces/"+eve.workspace).Status)

	all := operate(t, p.settings, "workspaces", "list")
	require.ElementsMatch(t, []string{ada.workspace, eve.workspace}, column(all, "id"))
	one := operate(t, p.settings, "workspaces", "list", "--workspace", eve.workspace)
	require.Len(t, one, 1)
	require.Equal(t, "Acme", one[0]["name"])
	require.NotNil(t, one[0]["deleted_at"])
	require.InDelta(t, 1, one[0]["members"], 0)
	shown := operate(t, p.settings, "workspaces", "show", "--workspace", ada.workspace)
	require.Equal(t, ada.email, shown[0]["people"].([]any)[0].(map[string]any)["email"])
	require.Len(t, shown[0]["usage"], 10)

	users := operate(t, p.settings, "users", "list")
	require.ElementsMatch(t, []string{ada.user, eve.user}, column(users, "id"))
	users = operate(t, p.settings, "users", "list", "--workspace", ada.workspace)
	require.Equal(t, []string{ada.email}, column(users, "email"))
	require.Equal(t, []any{ada.workspace}, users[0]["workspace_ids"])

	limits := operate(t, p.settings, "limits", "show")
	require.Len(t, limits, 20, "ten limits of two workspaces")
	require.Contains(t, refused(t, ExitFailed, p.settings, "workspaces", "list", "--workspace", uuid.NewString()), "there is no such workspace")
	require.Contains(t, refused(t, ExitUsage, p.settings, "users", "list", "--workspace", "acme"), "--workspace: should be an id")
	code, text, _ := tool(t, p.settings, "workspaces", "list")
	require.Equal(t, ExitOK, code)
	require.Contains(t, text, ada.workspace+` "Acme"`)
}

func TestAnOperatorMakesUsersAndResetsPasswords(t *testing.T) {
	t.Parallel()
	p := start(t)
	made := operate(t, p.settings, "users", "create", "--email", "grace@example.com", "--workspace-name", "Navy")[0]
	a := p.logIn(t, "grace@example.com", made["password"].(string))
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, made["workspace_id"], a.text("workspace_id"))
	require.Equal(t, 1, p.audited(t, a.text("workspace_id"), "user.register"))
	grace := &caller{program: p}
	grace.take(a)
	require.Contains(t, refused(t, ExitFailed, p.settings, "users", "create", "--email", "grace@example.com"), "registered already")
	require.Contains(t, refused(t, ExitUsage, p.settings, "users", "create", "--email", "grace"), "email: ")
	require.Contains(t, refused(t, ExitUsage, p.settings, "users", "create"), "--email: should be")

	reset := operate(t, p.settings, "users", "reset-password", "--email", "Grace@Example.com")[0]
	require.InDelta(t, 1, reset["sessions_ended"], 0)
	require.Equal(t, http.StatusUnauthorized, grace.get(t, "/v1/auth/me").Status)
	require.Equal(t, http.StatusUnauthorized, grace.spend(t, grace.refresh).Status)
	requireCode(t, p.logIn(t, "grace@example.com", made["password"].(string)), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	require.Equal(t, http.StatusOK, p.logIn(t, "grace@example.com", reset["password"].(string)).Status)
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'password.reset' AND user_agent = 'operator'`, made["id"]))
	require.Contains(t, refused(t, ExitFailed, p.settings, "users", "reset-password", "--user", uuid.NewString()), "there is no such user")

	binary, err := builtProgram()
	require.NoError(t, err)
	stdin := func(text string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), binary, "users", "reset-password", "--user", made["id"].(string), "--password-stdin", "--json")
		cmd.Env, cmd.Stdin = p.settings, strings.NewReader(text)
		return cmd.Output()
	}
	out, err := stdin("another horse of another kind\n")
	require.NoError(t, err)
	require.NotContains(t, string(out), "horse")
	require.Equal(t, http.StatusOK, p.logIn(t, "grace@example.com", "another horse of another kind").Status)
	_, err = stdin("short")
	failed := &exec.ExitError{}
	require.ErrorAs(t, err, &failed)
	require.Equal(t, ExitUsage, failed.ExitCode())
	require.Contains(t, string(failed.Stderr), "password: ")
}

func TestAUserWhoIsDisabledIsLockedOutUntilEnabled(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	key := &caller{program: p, token: ada.post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "editor"}).text("key")}
	require.Equal(t, http.StatusOK, key.get(t, "/v1/bots").Status)

	done := operate(t, p.settings, "users", "disable", "--email", ada.email)[0]
	require.InDelta(t, 1, done["sessions_ended"], 0)
	require.InDelta(t, 1, done["api_keys"], 0)
	requireCode(t, ada.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusUnauthorized, ada.spend(t, ada.refresh).Status)
	requireCode(t, p.logIn(t, ada.email, password), http.StatusForbidden, "ACCOUNT_DISABLED")
	requireCode(t, p.logIn(t, ada.email, "not the password"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	requireCode(t, key.get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	eve.requireAlive(t, "another user")
	require.Equal(t, 1, p.audited(t, ada.workspace, "user.disable"))
	require.Zero(t, p.audited(t, eve.workspace, "user.disable"))
	require.NotNil(t, operate(t, p.settings, "users", "list", "--workspace", ada.workspace)[0]["disabled_at"])
	again := operate(t, p.settings, "users", "disable", "--user", ada.user)[0]
	require.InDelta(t, 0, again["api_keys"], 0)
	reset := operate(t, p.settings, "users", "reset-password", "--user", ada.user)[0]
	requireCode(t, p.logIn(t, ada.email, reset["password"].(string)), http.StatusForbidden, "ACCOUNT_DISABLED")

	done = operate(t, p.settings, "users", "enable", "--user", ada.user)[0]
	require.InDelta(t, 1, done["api_keys"], 0)
	require.Equal(t, http.StatusOK, p.logIn(t, ada.email, reset["password"].(string)).Status)
	require.Equal(t, http.StatusOK, key.get(t, "/v1/bots").Status)
	require.Equal(t, http.StatusUnauthorized, ada.get(t, "/v1/auth/me").Status, "a session that was ended is back")
	require.Contains(t, refused(t, ExitFailed, p.settings, "users", "enable", "--user", ada.user), "is not disabled")
	require.Contains(t, refused(t, ExitUsage, p.settings, "users", "disable"), "say either --user")
}

func TestADisabledUserAcceptsNoInvitation(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	_, token := ada.invite(t, eve.email, "viewer")
	operate(t, p.settings, "users", "disable", "--user", eve.user)
	a := p.accept(t, token, password)
	requireCode(t, a, http.StatusForbidden, "ACCOUNT_DISABLED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM workspace_members WHERE workspace_id = $1`, ada.workspace))
}

func TestAnOperatorPurgesWhatIsDeletedAndNothingElse(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=1h", "WORKERS=0")
	ada, eve := p.register(t), p.register(t)
	require.Equal(t, http.StatusCreated, ada.upload(t, "a.txt", "text").Status)
	before := eve.state(t, pg.Superuser(t, p.database))
	purge := []string{"workspaces", "purge", "--workspace", ada.workspace}
	require.Contains(t, refused(t, ExitUsage, p.settings, purge...), "--yes: should be given")
	purge = append(purge, "--yes")
	require.Contains(t, refused(t, ExitFailed, p.settings, purge...), "the workspace is not deleted")
	ada.requireAlive(t, "who was not to be purged")
	require.Zero(t, p.audited(t, ada.workspace, "workspace.purge"), "what was refused is audited as done")

	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/workspaces/"+ada.workspace).Status)
	require.Equal(t, true, operate(t, p.settings, purge...)[0]["purged"])
	require.Equal(t, []string{eve.workspace}, column(operate(t, p.settings, "workspaces", "list"), "id"))
	super := pg.Superuser(t, p.database)
	for _, table := range tenantTables(t, super) {
		require.Zero(t, count(t, super, `SELECT count(*) FROM `+table+` WHERE workspace_id = $1`, ada.workspace), table)
	}
	require.Equal(t, before, eve.state(t, super), "another workspace was touched")
	lasting := operate(t, p.settings, "audit", "list", "--installation", "--action", "workspace.purge")
	require.Len(t, lasting, 1)
	require.Equal(t, ada.workspace, lasting[0]["resource_id"])
	require.Equal(t, "operator", lasting[0]["user_agent"])
	require.Equal(t, "Acme", lasting[0]["changes"].(map[string]any)["name"])
	require.Len(t, operate(t, p.settings, "audit", "list", "--installation", "--action", "workspace.purged"), 1)
	require.Contains(t, refused(t, ExitFailed, p.settings, purge...), "there is no such workspace")
}

func TestAnOperatorRunsCancelsAndRetriesJobs(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada, eve := p.register(t), p.register(t)
	queue := func(c *caller, status string) (id string) {
		id = uuid.NewString()
		conn := p.super(t)
		defer conn.Close(context.Background())
		_, err := conn.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, run_at, status)
			VALUES ($1, $2, 'test', $2::uuid::text, '{}', 't', 3, now() + interval '1 day', $3)`, c.workspace, id, status)
		require.NoError(t, err)
		return id
	}
	first, second, other := queue(ada, "queued"), queue(ada, "queued"), queue(eve, "queued")
	finished := queue(eve, "done")
	require.ElementsMatch(t, []string{first, second, other, finished}, column(operate(t, p.settings, "jobs", "list"), "id"))
	require.ElementsMatch(t, []string{first, second}, column(operate(t, p.settings, "jobs", "list", "--workspace", ada.workspace), "id"))
	require.Equal(t, []string{finished}, column(operate(t, p.settings, "jobs", "list", "--status", "done"), "id"))

	operate(t, p.settings, "jobs", "retry", "--workspace", ada.workspace, "--job", first)
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM job_queue WHERE id = $1 AND run_at <= now()`, first))
	operate(t, p.settings, "jobs", "cancel", "--workspace", ada.workspace, "--job", second)
	require.Zero(t, p.number(t, `SELECT count(*) FROM job_queue WHERE id = $1`, second))
	for _, action := range []string{"job.retry", "job.cancel"} {
		require.Equal(t, 1, p.audited(t, ada.workspace, action), action)
	}
	require.Contains(t, refused(t, ExitFailed, p.settings, "jobs", "cancel", "--workspace", ada.workspace, "--job", other), "no such job in this workspace")
	require.Contains(t, refused(t, ExitFailed, p.settings, "jobs", "retry", "--workspace", eve.workspace, "--job", finished), "does not wait")
	require.Contains(t, refused(t, ExitUsage, p.settings, "jobs", "retry"), "--job: should be an id")

	operate(t, p.settings, "jobs", "cancel", "--workspace", eve.workspace, "--job", other)
	letters := operate(t, p.settings, "dead-letters", "list")
	require.ElementsMatch(t, []string{second, other}, column(letters, "job_id"))
	require.Equal(t, "an operator has cancelled the job", letters[0]["last_error"])
	require.Len(t, operate(t, p.settings, "dead-letters", "retry", "--workspace", ada.workspace), 1)
	require.Len(t, operate(t, p.settings, "dead-letters", "retry"), 1, "all workspaces")
	require.Empty(t, operate(t, p.settings, "dead-letters", "list"))
	require.Equal(t, 4, p.number(t, `SELECT count(*) FROM job_queue`))
	require.Equal(t, 1, p.audited(t, eve.workspace, "dead_letter.retry_many"))
}

func TestAnOperatorWorksOnAnEmbeddedDatabaseRunningOrNot(t *testing.T) {
	t.Parallel()
	binary, err := builtProgram()
	require.NoError(t, err)
	environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(openFolder(t), "data")}
	require.Contains(t, refused(t, ExitFailed, environ, "workspaces", "list"), "run parley migrate up first")
	served := spawn(t, binary, environ).serving(t)
	ada := served.register(t)
	require.Equal(t, []string{ada.workspace}, column(operate(t, environ, "workspaces", "list"), "id"))
	set := operate(t, environ, "limits", "set", "--workspace", ada.workspace, "--metric", "bots", "--max", "1")
	require.Len(t, set, 10)
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", map[string]any{"name": "1"}).Status)
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "2"}), http.StatusForbidden, "LIMIT_REACHED")
	operate(t, environ, "users", "disable", "--email", ada.email)
	requireCode(t, ada.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, ExitOK, served.end(t, syscall.SIGTERM), served.log)

	operate(t, environ, "users", "enable", "--email", ada.email)
	limit := operate(t, environ, "limits", "show", "--metric", "bots")
	require.Len(t, limit, 1)
	require.InDelta(t, 1, limit[0]["limit"], 0)
}

func TestWhatOperatorsDidIsSealedAndOutlivesWorkspaces(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=100ms")
	ada := p.register(t)
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/workspaces/"+ada.workspace).Status)
	operate(t, p.settings, "workspaces", "purge", "--workspace", ada.workspace, "--yes")
	var line map[string]any
	require.Eventually(t, func() bool {
		line = operate(t, p.settings, "audit", "verify", "--installation")[0]
		return line["sealed_rows"] == 2.0 && line["unsealed_rows"] == 0.0
	}, patience, tick)
	require.Equal(t, true, line["intact"])
	operate(t, p.settings, "audit", "adopt", "--installation")
	require.Equal(t, []string{"audit.adopt", "workspace.purged", "workspace.purge"}, column(operate(t, p.settings, "audit", "list", "--installation"), "action"))
	require.Zero(t, p.number(t, `SELECT count(*) FROM audit_log WHERE user_agent <> 'operator'`), "the rows of the workspace are gone, these stay")
	require.Len(t, operate(t, p.settings, "audit", "list", "--installation", "--limit", "2"), 2)
	require.Contains(t, refused(t, ExitUsage, p.settings, "audit", "list"), "say either --workspace")

	p.sql(t, `SET session_replication_role = replica; DELETE FROM audit_log WHERE action = 'workspace.purged'`)
	code, out, _ := tool(t, p.settings, "audit", "verify", "--all")
	require.Equal(t, ExitFailed, code)
	require.Contains(t, out, "NOT INTACT, seal 1 does not fit")
}

func TestEveryCommandOfAnOperatorSpeaksJSON(t *testing.T) {
	t.Parallel()
	var without []string
	for _, group := range newCommand("test", nil, io.Discard, io.Discard).Commands {
		commands := group.Commands
		switch group.Name {
		case "backup", "restore", "doctor":
			commands = []*cli.Command{group}
		case "users", "workspaces", "jobs", "dead-letters", "limits", "audit", "secret":
		default:
			continue
		}
		for _, c := range commands {
			if !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "json") }) {
				without = append(without, group.Name+" "+c.Name)
			}
		}
	}
	require.Empty(t, without)
}
