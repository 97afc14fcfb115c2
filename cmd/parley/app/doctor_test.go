package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// diagnosed runs parley doctor, and gives its findings by name: of several of a name the worst.
func diagnosed(t *testing.T, wanted int, environ []string) map[string]app.Finding {
	t.Helper()
	code, stdout, stderr := harness.Tool(t, environ, "doctor", "--json")
	require.Equal(t, wanted, code, stdout+stderr)
	all := map[string]app.Finding{}
	for _, line := range harness.JSONLines(t, stdout) {
		f := app.Finding{Name: line["name"].(string), State: app.State(line["state"].(string)), What: line["what"].(string)}
		f.Remedy, _ = line["remedy"].(string)
		require.Equal(t, f.State != app.Fine, f.Remedy != "", "what is wrong has a remedy, and nothing else: %v", f)
		if all[f.Name].State == "" || all[f.Name].State == app.Fine {
			all[f.Name] = f
		}
	}
	return all
}

func TestADoctorFindsWhatIsWrongAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "UPKEEP_INTERVAL=100ms")
	ada := p.Register(t)
	ada.Verified(t)
	found := diagnosed(t, app.ExitOK, p.Settings)
	for _, name := range []string{"settings", "postgres", "memory", "files", "vectors", "secret key", "jobs", "dead letters", "turns", "audit log", "analytics", "kept secrets", "smtp"} {
		require.Equal(t, app.Fine, found[name].State, "%s: %v", name, found[name])
	}
	require.Equal(t, app.Warning, found["backup"].State)
	require.Equal(t, app.ExitOK, harness.Tooled(t, p.Settings, "backup", filepath.Join(t.TempDir(), "b")))
	require.Equal(t, app.Fine, diagnosed(t, app.ExitOK, p.Settings)["backup"].State, "a backup that was made is not seen")

	harness.Job(t, p.Super(t), ada.Workspace, "nobody's") // that waits
	p.SQL(t, `UPDATE job_queue SET run_at = now() - interval '1 hour'`)
	require.Equal(t, app.Warning, diagnosed(t, app.ExitOK, p.Settings)["jobs"].State)
	p.SQL(t, `UPDATE job_queue SET run_at = now() + interval '1 hour'`)
	harness.Operate(t, p.Settings, "jobs", "cancel", "--workspace", ada.Workspace, "--job", harness.Operate(t, p.Settings, "jobs", "list")[0]["id"].(string))
	letters := diagnosed(t, app.ExitOK, p.Settings)["dead letters"]
	require.Equal(t, app.Warning, letters.State)
	require.Contains(t, letters.Remedy, "parley dead-letters")

	nobody := harness.FreeAddress(t)
	away := diagnosed(t, app.ExitOK, append(p.Settings, "REDIS_URL=redis://ada:hunter2@"+nobody, "SMTP_URL=smtp://ada:hunter2@"+nobody, "QDRANT_URL=http://"+nobody))
	for _, name := range []string{"redis", "qdrant", "smtp"} {
		require.Equal(t, app.Warning, away[name].State, "%s: %v", name, away[name])
		require.NotContains(t, away[name].What+away[name].Remedy, "hunter2")
	}
	require.Equal(t, app.Broken, diagnosed(t, app.ExitFailed, append(p.Settings, "REDIS_URL=redis://"+nobody, "READINESS_STRICT=true"))["redis"].State)
	require.Equal(t, app.Broken, diagnosed(t, app.ExitFailed, append(p.Settings, "DATABASE_URL=postgres://ada:hunter2@"+nobody+"/d"))["postgres"].State)
	require.Equal(t, app.Broken, diagnosed(t, app.ExitFailed, []string{"RATE_LIMIT_MAX=none"})["settings"].State)

	require.Equal(t, app.ExitOK, p.Stop())
	p.SQL(t, `INSERT INTO audit_log (workspace_id, id, trace_id, action, resource_type, changes, user_agent, created_at)
		SELECT workspace_id, gen_random_uuid(), 't', 'x.y', 'x', '{}', '', now() FROM audit_log LIMIT 1`)
	p.SQL(t, `UPDATE audit_seal_progress SET sealed_at = now() - interval '1 hour'`)
	late := diagnosed(t, app.ExitOK, p.Settings)["audit log"]
	require.Equal(t, app.Warning, late.State)
	require.Contains(t, late.What, "1 workspaces")
	another := diagnosed(t, app.ExitFailed, append(p.Settings, "SECRET_KEY="+strings.Repeat("x", 32)))["secret key"]
	require.Equal(t, app.Broken, another.State)
	require.Contains(t, another.Remedy, "SECRET_PREVIOUS_KEYS")
	rotating := diagnosed(t, app.ExitOK, append(p.Settings, "SECRET_KEY="+strings.Repeat("x", 32), "SECRET_PREVIOUS_KEYS="+harness.SecretKey))["secret key"]
	require.Equal(t, app.Warning, rotating.State)
	require.Contains(t, rotating.Remedy, "parley secret rotate")

	require.Equal(t, app.ExitOK, harness.Tooled(t, p.Settings, "migrate", "down", "--yes"))
	behind := diagnosed(t, app.ExitFailed, p.Settings)
	require.Equal(t, app.Broken, behind["postgres"].State)
	require.Contains(t, behind["postgres"].Remedy, "parley init")
	require.Equal(t, app.Warning, behind["stored data"].State)
	require.Equal(t, app.ExitOK, harness.Tooled(t, p.Settings, "migrate", "up"))
	p.SQL(t, `ALTER TABLE bots ADD COLUMN more integer`)
	require.Contains(t, diagnosed(t, app.ExitFailed, p.Settings)["postgres"].What, "the schema differs")
}

func TestADoctorLooksAtAnEmbeddedDatabaseRunningOrNot(t *testing.T) {
	t.Parallel()
	binary, err := harness.BuiltProgram()
	require.NoError(t, err)
	environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(harness.OpenFolder(t), "data")}
	require.Equal(t, app.Broken, diagnosed(t, app.ExitFailed, environ)["postgres"].State, "nothing is prepared yet")
	served := harness.Spawn(t, binary, environ).Serving(t)
	served.Register(t)
	require.Equal(t, app.Fine, diagnosed(t, app.ExitOK, environ)["postgres"].State)
	require.Equal(t, http.StatusOK, served.Anonymous().Get(t, "/readyz").Status, "the server was disturbed")
	require.Equal(t, app.ExitOK, served.End(t, syscall.SIGTERM), served.Log)
	require.NoError(t, os.Chmod(filepath.Join(environ[1][len("DATA_DIR="):], "secret-key"), 0o644))
	found := diagnosed(t, app.ExitOK, environ)
	require.Equal(t, app.Fine, found["postgres"].State)
	require.Equal(t, app.Warning, found["kept secrets"].State)
	code, text, _ := harness.Tool(t, environ, "doctor")
	require.Equal(t, app.ExitOK, code)
	require.Regexp(t, `(?m)^\[OK\] postgres: .+\n`, text)
	require.Regexp(t, `(?m)^\[WARNING\] kept secrets: .+\n  -> chmod 600 .+\n`, text)
	require.Regexp(t, `\d+ ok, \d+ warnings, 0 broken\n$`, text)
}
