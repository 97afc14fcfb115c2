package embedded

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirstStartGivesAReadyDatabaseAndSecondKeepsIt(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)

	first, err := Start(testContext(t), Options{Dir: dir})
	require.NoError(t, err)
	conn := connect(t, first.URL("parley"))
	require.Equal(t, "parley", ask[string](t, conn, `SELECT current_database()`))
	do(t, conn, `CREATE TABLE kept AS SELECT 42 AS answer`)
	require.NoError(t, first.Stop(testContext(t)))

	second := startServer(t, Options{Dir: dir})
	require.Equal(t, 42, ask[int](t, connect(t, second.URL("parley")), `SELECT answer FROM kept`))
}

func TestServerHasTheSettingsThatItsSafetyRestsOn(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: newFolder(t), MaxConnections: 17})
	conn := connect(t, s.URL("parley"))
	for setting, want := range map[string]string{
		"listen_addresses":        "",
		"unix_socket_permissions": "0700",
		"data_checksums":          "on",
		"server_encoding":         "UTF8",
		"cluster_name":            "parley",
		"max_connections":         "17",
		"fsync":                   "on",
		"full_page_writes":        "on",
		"synchronous_commit":      "on",
		"log_min_error_statement": "panic",
	} {
		require.Equal(t, want, ask[string](t, conn, `SELECT current_setting('`+setting+`')`), setting)
	}
	require.Equal(t, "привет", ask[string](t, conn, `SELECT lower('ПРИВЕТ')`))
	require.True(t, ask[bool](t, conn, `SELECT 'Z' < 'a' AND 'z' < 'ä'`), "order is not by bytes")
	require.Zero(t, ask[int](t, conn, `SELECT count(*) FROM pg_hba_file_rules WHERE type <> 'local' AND auth_method <> 'reject'`))
}

func TestUnsafeServerDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: newFolder(t), Unsafe: true})
	conn := connect(t, s.URL("parley"))
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		require.Equal(t, "off", ask[string](t, conn, `SELECT current_setting('`+setting+`')`), setting)
	}
}

func TestSocketFolderIsClosedToOthers(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: newFolder(t), Unsafe: true})
	who, err := serverAccount()
	require.NoError(t, err)
	for _, folder := range []string{s.socketDir, s.dataDir} {
		info, err := os.Lstat(folder)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
		require.Equal(t, who.uid, ownerOf(info))
	}
}

func TestCtrlCInTheTerminalDoesNotReachTheServer(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: newFolder(t), Unsafe: true})
	group, err := syscall.Getpgid(s.process.Pid)
	require.NoError(t, err)
	require.Equal(t, s.process.Pid, group)
}

func TestLongPathStillGetsASocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(newFolder(t), strings.Repeat("long", 30))
	s, err := Start(testContext(t), Options{Dir: dir, Unsafe: true})
	require.NoError(t, err)
	require.LessOrEqual(t, len(s.socketDir+"/"+socketFile), 107)
	require.Equal(t, 1, ask[int](t, connect(t, s.URL("parley")), `SELECT 1`))
	require.NoError(t, s.Stop(testContext(t)))
	require.NoDirExists(t, s.socketDir, "litter in the temporary folder")
}

func TestFolderWithOddLettersStillGetsASocket(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with space", "a,b", `quo"te`, "пример", "100%&?#", "a+b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, Options{Dir: filepath.Join(newFolder(t), name), Unsafe: true})
			require.Equal(t, 1, ask[int](t, connect(t, s.URL("parley")), `SELECT 1`))
		})
	}
}

func TestStopTwiceIsNoError(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: newFolder(t), Unsafe: true})
	conn := connect(t, s.URL("parley")) // a fast shutdown does not wait for clients
	require.NoError(t, s.Stop(testContext(t)))
	require.NoError(t, s.Stop(testContext(t)))
	waitDone(t, s)
	require.NoError(t, s.Err())
	require.Error(t, conn.Ping(testContext(t)))
	requireNoServer(t, filepath.Dir(s.dataDir))
}

func TestStopThatMayNotWaitEndsTheServerAtOnceAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := startServer(t, Options{Dir: dir})
	do(t, connect(t, s.URL("parley")), `CREATE TABLE kept ()`)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(over); err != nil { // it may have been quick enough
		require.ErrorIs(t, err, context.Canceled)
	}
	waitDone(t, s)
	requireNoServer(t, dir)

	again := startServer(t, Options{Dir: dir})
	require.True(t, ask[bool](t, connect(t, again.URL("parley")), `SELECT to_regclass('kept') IS NOT NULL`))
}

func TestKilledServerIsReportedAndCanBeStartedAgain(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := startServer(t, Options{Dir: dir})
	do(t, connect(t, s.URL("parley")), `CREATE TABLE kept ()`)
	require.NoError(t, s.Err())
	require.NoError(t, s.process.Signal(syscall.SIGKILL))
	waitDone(t, s)
	require.ErrorContains(t, s.Err(), "signal: killed")
	require.ErrorContains(t, s.Err(), "ready to accept connections", "the log's tail is missing")
	require.NoError(t, s.Stop(testContext(t)))

	again := startServer(t, Options{Dir: dir})
	require.True(t, ask[bool](t, connect(t, again.URL("parley")), `SELECT to_regclass('kept') IS NOT NULL`))
}

func TestServerThatCannotStartSaysWhyAtOnce(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	config := filepath.Join(dir, "data", "postgresql.conf")
	require.NoError(t, os.WriteFile(config, []byte("nonsense = on\n"), 0o600))
	_, err := Start(testContext(t), Options{Dir: dir})
	require.ErrorContains(t, err, `unrecognized configuration parameter "nonsense"`)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	requireNoServer(t, dir)

	require.NoError(t, os.WriteFile(config, nil, 0o600))
	startServer(t, Options{Dir: dir}) // the failed start has let go of the folder
}

func TestStartThatMayNotWaitLeavesNoServer(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Start(over, Options{Dir: dir})
	require.ErrorIs(t, err, context.Canceled)
	requireNoServer(t, dir)
}

func TestStatementsOfUsersStayOutOfTheLog(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: newFolder(t), Unsafe: true})
	_, err := connect(t, s.URL("parley")).Exec(testContext(t), `SELECT 1/0 AS "a secret thing"`)
	require.Error(t, err)
	require.NoError(t, s.Stop(testContext(t)))
	content, err := os.ReadFile(s.log.path)
	require.NoError(t, err)
	require.Contains(t, string(content), "division by zero")
	require.NotContains(t, string(content), "a secret thing")
}

func TestLogDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	path := filepath.Join(dir, "postgres.log")
	require.NoError(t, os.Truncate(path, longestLog+1))
	startServer(t, Options{Dir: dir, Unsafe: true})
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(longestLog))
}
