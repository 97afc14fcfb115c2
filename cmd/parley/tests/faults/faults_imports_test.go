//go:build faults

package faults

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// command returns a subcommand of the program on the data of the site.
func (s *site) command(args ...string) (cmd *exec.Cmd, output *bytes.Buffer) {
	s.t.Helper()
	path, err := harness.BuiltProgram()
	require.NoError(s.t, err)
	cmd, output = exec.Command(path, args...), &bytes.Buffer{}
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, output
}

// bytesOf returns the paths of the stored bytes of files whose ids are given.
func (s *site) bytesOf(ids ...string) (paths []string) {
	s.t.Helper()
	dir := ""
	for _, setting := range s.environ {
		if value, ok := strings.CutPrefix(setting, "DATA_DIR="); ok {
			dir = value
		}
	}
	require.NoError(s.t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		for _, id := range ids {
			if err == nil && !entry.IsDir() && strings.Contains(path, id) {
				paths = append(paths, path)
			}
		}
		return err
	}))
	return paths
}

// waitForLockOf waits until a session waits for a table.
func waitForLockOf(t *testing.T, db *pgx.Conn, table string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass`, table).Scan(&n))
		return n > 0
	}, faultTimeout, 10*time.Millisecond, table)
}

// An import that is killed leaves no row, wherever it is: after the bytes of files, or among the rows. The same import again makes a whole
// workspace. Bytes that the killed ones have left go with the upkeep.
func TestFaultAnImportThatIsKilledImportsNothing(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url())
	s.launch()
	l := &library{user: s.register()}
	ada := l.here()
	ada.Indexed(t, ada.NewBase(t), "Other", "Part number 1000 is painted turquoise.")
	file := ada.Upload(t, "parts.md", libraryText()).Text("id")
	require.Equal(t, http.StatusOK, ada.Hi(t, ada.Thread(t, ada.NewBot(t))).Status)
	require.Equal(t, http.StatusAccepted, ada.Post(t, "/v1/workspaces/"+ada.Workspace+"/export", map[string]any{}).Status)
	var made harness.Answer
	require.Eventually(t, func() bool {
		made = ada.Get(t, "/v1/workspaces/"+ada.Workspace+"/exports/"+ada.Get(t, "/v1/workspaces/"+ada.Workspace+"/exports").Items()[0]["id"].(string))
		return made.Text("status") == "completed"
	}, faultTimeout, 50*time.Millisecond)
	content := ada.Anonymous().Get(t, made.Text("download.url"))
	require.Equal(t, http.StatusOK, content.Status)
	archive := filepath.Join(t.TempDir(), "workspace.zip")
	require.NoError(t, os.WriteFile(archive, content.Raw, 0o600))

	tables := harness.TenantTables(t, db)
	foreign := func() (found []string) { // tables with rows of another workspace
		for _, table := range tables {
			var n int
			require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE workspace_id <> $1::text::uuid`, ada.Workspace).Scan(&n))
			if n > 0 {
				found = append(found, table)
			}
		}
		return found
	}
	require.Empty(t, foreign())
	mine := s.bytesOf(file)
	require.Len(t, mine, 1)
	points := []string{"workspaces", "files", "document_texts", "messages"}
	for i, table := range points {
		hold, err := pgx.Connect(t.Context(), c.server.URL("parley"))
		require.NoError(t, err)
		_, err = hold.Exec(t.Context(), `BEGIN; LOCK TABLE `+table+` IN SHARE MODE`)
		require.NoError(t, err)
		cmd, output := s.command("import", archive)
		require.NoError(t, cmd.Start())
		waitForLockOf(t, db, table)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait(), output)
		require.NoError(t, hold.Close(t.Context()))
		require.Eventually(t, func() bool { // its session has ended
			var n int
			require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ILIKE 'INSERT INTO '||$1||'%'`, table).Scan(&n))
			return n == 0
		}, faultTimeout, 10*time.Millisecond, table)
		require.Empty(t, foreign(), table)
		var n int
		require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM workspaces`).Scan(&n))
		require.Equal(t, 1, n, table)
		require.Len(t, s.bytesOf(file), 2+i, "the bytes of the file were stored before")
	}

	cmd, output := s.command("import", archive)
	require.NoError(t, cmd.Run(), output)
	require.Contains(t, output.String(), "documents 1")
	require.Len(t, s.bytesOf(file), 2+len(points))
	s.kill()
	yesterday := time.Now().AddDate(0, 0, -1)
	for _, path := range s.bytesOf(file) {
		require.NoError(t, os.Chtimes(path, yesterday, yesterday))
	}
	_, err := db.Exec(t.Context(), `DELETE FROM periodic_tasks`)
	require.NoError(t, err)
	s.launch()
	require.Eventually(t, func() bool { return len(s.bytesOf(file)) == 2 }, faultTimeout, 50*time.Millisecond, "the bytes of the killed imports are removed")
	require.Contains(t, s.bytesOf(file), mine[0])
	var workspace string
	require.NoError(t, db.QueryRow(t.Context(), `SELECT id::text FROM workspaces WHERE id <> $1::text::uuid`, ada.Workspace).Scan(&workspace))
	there := harness.Header{Name: "X-Workspace-Id", Value: workspace}
	a, err := l.send(t.Context(), l.token, http.MethodGet, "/v1/files/"+file+"/content", "", there)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, a)
	a, err = l.send(t.Context(), l.token, http.MethodGet, "/v1/audit-log/verify", "", there)
	require.NoError(t, err)
	require.Equal(t, true, a.At("intact"), a)
}
