package operating

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/data/postgres/embedded"
)

// twoPostgres gives the folders of the oldest and the newest PostgreSQL of this machine (.tools/postgres-18 fetches a newer one than
// Debian's), or skips the test where there is one only.
func twoPostgres(t *testing.T) (older, newer, olderMajor, newerMajor string) {
	t.Helper()
	places := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", filepath.Join(os.TempDir(), "parley-postgres-*/native/bin")} { //nolint:usetesting // where .tools/postgres-18 puts it
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		places = append(places, found...)
	}
	for _, dir := range places {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "postgres"), "-V").Output()
		major := regexp.MustCompile(`\d+`).FindString(string(out))
		if err != nil || major == "" {
			continue
		}
		if older == "" || major < olderMajor {
			older, olderMajor = dir, major
		}
		if newer == "" || major > newerMajor {
			newer, newerMajor = dir, major
		}
	}
	if olderMajor == newerMajor {
		t.Skip("there is one version of PostgreSQL only: run .tools/postgres-18")
	}
	return older, newer, olderMajor, newerMajor
}

func TestAnEmbeddedDatabaseIsMovedToANewerPostgres(t *testing.T) {
	t.Parallel()
	older, newer, from, to := twoPostgres(t)
	folder := filepath.Join(harness.OpenFolder(t), "data")
	with := func(bin string) []string {
		return []string{"DATA_DIR=" + folder, "UPKEEP_INTERVAL=100ms", "HTTP_ADDR=127.0.0.1:0", "POSTGRES_BIN_DIR=" + bin}
	}
	data := filepath.Join(folder, "postgres", "data")
	version := func(dir string) string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
		require.NoError(t, err)
		return strings.TrimSpace(string(content))
	}
	p := startAlone(t, with(older))
	s := makeSaved(t, p)
	refused := func(settings []string, exit int, says string) {
		t.Helper()
		code, stdout, stderr := harness.Tool(t, settings, "upgrade-postgres", "--old-bin", older)
		require.Equal(t, exit, code, stdout+stderr)
		require.Contains(t, stderr, says)
		require.Equal(t, from, version(data))
		require.NoDirExists(t, data+"-"+from)
		require.NoDirExists(t, filepath.Join(folder, "postgres", "upgrade"))
	}
	refused(with(newer), app.ExitFailed, "another parley already uses")
	require.Equal(t, app.ExitOK, p.Stop())
	refused(append(with(newer), "DATABASE_URL=postgres://u@127.0.0.1/d"), app.ExitUsage, "DATABASE_URL: should be empty")
	refused(with(older), app.ExitFailed, "set POSTGRES_BIN_DIR to the bin folder of a newer one")

	own := onEmbedded(t, filepath.Join(folder, "postgres"), older, "CREATE TABLE notes (a int)")
	require.NoError(t, own)
	refused(with(newer), app.ExitFailed, "tables that are not parley's, which would be left behind: notes")
	require.NoError(t, onEmbedded(t, filepath.Join(folder, "postgres"), older, "DROP TABLE notes"))

	// As if it had been killed just before its end: the new data lies beside the old.
	require.NoError(t, os.MkdirAll(data+"-"+from, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data+"-"+from, "PG_VERSION"), []byte(to+"\n"), 0o600))
	code, stdout, stderr := harness.Tool(t, with(newer), "upgrade-postgres", "--old-bin", older)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	require.Contains(t, stdout, "the database was moved from PostgreSQL "+from+" to "+to)
	require.Equal(t, to, version(data))
	require.Equal(t, from, version(data+"-"+from))
	code, stdout, stderr = harness.Tool(t, with(newer), "check")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	s.requireIn(t, startAlone(t, with(newer)))
}

// onEmbedded runs a statement in an embedded database that nobody serves.
func onEmbedded(t *testing.T, dir, bin, statement string) error {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, BinDir: bin})
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), server.URL("parley"))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, conn.Close(t.Context()))
	require.NoError(t, server.Stop(t.Context()))
	return err
}
