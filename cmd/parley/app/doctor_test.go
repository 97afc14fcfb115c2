package app

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// diagnosed runs parley doctor, and gives its findings by name: of several of a name the worst.
func diagnosed(t *testing.T, wanted int, environ []string) map[string]finding {
	t.Helper()
	code, stdout, stderr := tool(t, environ, "doctor", "--json")
	require.Equal(t, wanted, code, stdout+stderr)
	all := map[string]finding{}
	for _, line := range jsonLines(t, stdout) {
		f := finding{Name: line["name"].(string), State: state(line["state"].(string)), What: line["what"].(string)}
		f.Remedy, _ = line["remedy"].(string)
		require.Equal(t, f.State != fine, f.Remedy != "", "what is wrong has a remedy, and nothing else: %v", f)
		if all[f.Name].State == "" || all[f.Name].State == fine {
			all[f.Name] = f
		}
	}
	return all
}

func TestADoctorFindsWhatIsWrongAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0", "UPKEEP_INTERVAL=100ms")
	ada := p.register(t)
	ada.verified(t)
	found := diagnosed(t, ExitOK, p.settings)
	for _, name := range []string{"settings", "postgres", "memory", "files", "vectors", "secret key", "jobs", "dead letters", "turns", "audit log", "analytics", "kept secrets", "smtp"} {
		require.Equal(t, fine, found[name].State, "%s: %v", name, found[name])
	}
	require.Equal(t, warning, found["backup"].State)
	require.Equal(t, ExitOK, tooled(t, p.settings, "backup", filepath.Join(t.TempDir(), "b")))
	require.Equal(t, fine, diagnosed(t, ExitOK, p.settings)["backup"].State, "a backup that was made is not seen")

	job(t, p.super(t), ada.workspace, "nobody's") // that waits
	p.sql(t, `UPDATE job_queue SET run_at = now() - interval '1 hour'`)
	require.Equal(t, warning, diagnosed(t, ExitOK, p.settings)["jobs"].State)
	p.sql(t, `UPDATE job_queue SET run_at = now() + interval '1 hour'`)
	operate(t, p.settings, "jobs", "cancel", "--workspace", ada.workspace, "--job", operate(t, p.settings, "jobs", "list")[0]["id"].(string))
	letters := diagnosed(t, ExitOK, p.settings)["dead letters"]
	require.Equal(t, warning, letters.State)
	require.Contains(t, letters.Remedy, "parley dead-letters")

	nobody := freeAddress(t)
	away := diagnosed(t, ExitOK, append(p.settings, "REDIS_URL=redis://ada:hunter2@"+nobody, "SMTP_URL=smtp://ada:hunter2@"+nobody, "QDRANT_URL=http://"+nobody))
	for _, name := range []string{"redis", "qdrant", "smtp"} {
		require.Equal(t, warning, away[name].State, "%s: %v", name, away[name])
		require.NotContains(t, away[name].What+away[name].Remedy, "hunter2")
	}
	require.Equal(t, broken, diagnosed(t, ExitFailed, append(p.settings, "REDIS_URL=redis://"+nobody, "READINESS_STRICT=true"))["redis"].State)
	require.Equal(t, broken, diagnosed(t, ExitFailed, append(p.settings, "DATABASE_URL=postgres://ada:hunter2@"+nobody+"/d"))["postgres"].State)
	require.Equal(t, broken, diagnosed(t, ExitFailed, []string{"RATE_LIMIT_MAX=none"})["settings"].State)

	require.Equal(t, ExitOK, p.stop())
	p.sql(t, `INSERT INTO audit_log (workspace_id, id, trace_id, action, resource_type, changes, user_agent, created_at)
		SELECT workspace_id, gen_random_uuid(), 't', 'x.y', 'x', '{}', '', now() FROM audit_log LIMIT 1`)
	p.sql(t, `UPDATE audit_seal_progress SET sealed_at = now() - interval '1 hour'`)
	late := diagnosed(t, ExitOK, p.settings)["audit log"]
	require.Equal(t, warning, late.State)
	require.Contains(t, late.What, "1 workspaces")
	another := diagnosed(t, ExitFailed, append(p.settings, "SECRET_KEY="+strings.Repeat("x", 32)))["secret key"]
	require.Equal(t, broken, another.State)
	require.Contains(t, another.Remedy, "SECRET_PREVIOUS_KEYS")
	rotating := diagnosed(t, ExitOK, append(p.settings, "SECRET_KEY="+strings.Repeat("x", 32), "SECRET_PREVIOUS_KEYS="+secretKey))["secret key"]
	require.Equal(t, warning, rotating.State)
	require.Contains(t, rotating.Remedy, "parley secret rotate")

	require.Equal(t, ExitOK, tooled(t, p.settings, "migrate", "down", "--yes"))
	behind := diagnosed(t, ExitFailed, p.settings)
	require.Equal(t, broken, behind["postgres"].State)
	require.Contains(t, behind["postgres"].Remedy, "parley init")
	require.Equal(t, warning, behind["stored data"].State)
	require.Equal(t, ExitOK, tooled(t, p.settings, "migrate", "up"))
	p.sql(t, `ALTER TABLE bots ADD COLUMN more integer`)
	require.Contains(t, diagnosed(t, ExitFailed, p.settings)["postgres"].What, "the schema differs")
}

func TestADoctorLooksAtAnEmbeddedDatabaseRunningOrNot(t *testing.T) {
	t.Parallel()
	binary, err := builtProgram()
	require.NoError(t, err)
	environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(openFolder(t), "data")}
	require.Equal(t, broken, diagnosed(t, ExitFailed, environ)["postgres"].State, "nothing is prepared yet")
	served := spawn(t, binary, environ).serving(t)
	served.register(t)
	require.Equal(t, fine, diagnosed(t, ExitOK, environ)["postgres"].State)
	require.Equal(t, http.StatusOK, served.anonymous().get(t, "/readyz").Status, "the server was disturbed")
	require.Equal(t, ExitOK, served.end(t, syscall.SIGTERM), served.log)
	require.NoError(t, os.Chmod(filepath.Join(environ[1][len("DATA_DIR="):], "secret-key"), 0o644))
	found := diagnosed(t, ExitOK, environ)
	require.Equal(t, fine, found["postgres"].State)
	require.Equal(t, warning, found["kept secrets"].State)
	code, text, _ := tool(t, environ, "doctor")
	require.Equal(t, ExitOK, code)
	require.Regexp(t, `(?m)^\[OK\] postgres: .+\n`, text)
	require.Regexp(t, `(?m)^\[WARNING\] kept secrets: .+\n  -> chmod 600 .+\n`, text)
	require.Regexp(t, `\d+ ok, \d+ warnings, 0 broken\n$`, text)
}
