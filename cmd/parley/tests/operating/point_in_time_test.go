//go:build linux

package operating

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// The steps of "Recover to a point in time" in api/guides/running.md, on the embedded database with PostgreSQL's own programs.
func TestPointInTimeRecovery(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("pg_basebackup"); err != nil {
		t.Skip("recovery: pg_basebackup is not on this machine")
	}
	folder := harness.OpenFolder(t)
	archive, base := filepath.Join(folder, "wal"), filepath.Join(folder, "base")
	require.NoError(t, os.Mkdir(archive, 0o700))
	giveToPostgres(t, archive)
	first, second := filepath.Join(folder, "a"), filepath.Join(folder, "b")
	own := func(data string) []string {
		return []string{"DATA_DIR=" + data, "HTTP_ADDR=127.0.0.1:0", "UPKEEP_INTERVAL=100ms"}
	}
	socket := filepath.Join(first, "postgres", "socket")
	p := startAlone(t, own(first))
	for _, setting := range []string{"archive_mode = on", "archive_command = 'test ! -f " + archive + "/%f && cp %p " + archive + "/%f'"} {
		runProgram(t, "psql", "--host="+socket, "--username=postgres", "--command=ALTER SYSTEM SET "+setting)
	}
	require.Equal(t, app.ExitOK, p.Stop())
	p = startAlone(t, own(first))
	ada := p.Register(t)
	ada.MakeBot(t, "in the base backup")
	out, err := exec.CommandContext(t.Context(), "pg_basebackup", "--host="+socket, "--username=postgres", "--pgdata="+base, "--wal-method=fetch", "--checkpoint=fast").CombinedOutput()
	if strings.Contains(string(out), "incompatible server version") {
		t.Skipf("recovery: the pg_basebackup of this machine is older than its server: %s", out)
	}
	require.NoError(t, err, string(out))

	ada.MakeBot(t, "before the target")
	require.Equal(t, http.StatusCreated, ada.Upload(t, "a.txt", harness.SavedText).Status)
	require.Equal(t, true, ada.Verified(t).At("intact"))
	conn, err := pgx.Connect(t.Context(), "host="+socket+" user=postgres dbname=parley")
	require.NoError(t, err)
	var target, segment string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT now()::text").Scan(&target))
	ada.MakeBot(t, "after the target")
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT pg_walfile_name(pg_switch_wal())").Scan(&segment))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(archive, segment))
		return err == nil
	}, harness.Timeout, harness.Tick, "the log is not archived")
	require.NoError(t, conn.Close(t.Context()))
	require.Equal(t, app.ExitOK, p.Stop())

	require.NoError(t, os.MkdirAll(filepath.Join(second, "postgres"), 0o755))
	for _, name := range []string{"files", "jwt-secret", "secret-key", "audit-anchor"} {
		runProgram(t, "cp", "-a", filepath.Join(first, name), second)
	}
	runProgram(t, "cp", "-a", base, filepath.Join(second, "postgres", "data"))
	data := filepath.Join(second, "postgres", "data")
	require.NoError(t, os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o600))
	settings, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintf(settings, "restore_command = 'cp %s/%%f %%p'\nrecovery_target_time = '%s'\nrecovery_target_action = promote\narchive_mode = off\n", archive, target)
	require.NoError(t, errors.Join(err, settings.Close()))
	giveToPostgres(t, filepath.Join(second, "postgres"))
	recovered := startAlone(t, own(second))
	require.NoFileExists(t, filepath.Join(data, "recovery.signal"))
	back := &harness.Caller{Program: recovered, Email: ada.Email}
	back.Take(recovered.LogIn(t, ada.Email, harness.Password))
	var names []string
	for _, bot := range back.Get(t, "/v1/bots").Items() {
		names = append(names, bot["name"].(string))
	}
	require.Equal(t, []string{"before the target", "in the base backup"}, names)
	require.Len(t, back.Get(t, "/v1/files").Items(), 1)
	code, stdout, stderr := harness.Tool(t, own(second), "check")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	code, stdout, stderr = harness.Tool(t, own(second), "audit", "adopt", "--all")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	require.Equal(t, true, back.Verified(t).At("intact"))
	back.MakeBot(t, "after the recovery")
}

func runProgram(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}

// giveToPostgres gives a folder to the user that the embedded database runs as where this is root.
func giveToPostgres(t *testing.T, folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	for _, name := range []string{"postgres", "nobody"} {
		if _, err := osuser.Lookup(name); err == nil {
			runProgram(t, "chown", "-R", name, folder)
			return
		}
	}
}
