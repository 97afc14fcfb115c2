package embedded

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoParleysCannotShareAFolder(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := startServer(t, Options{Dir: dir, Unsafe: true})
	_, err := Start(testContext(t), Options{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, "another parley already uses this data folder")
	require.ErrorContains(t, err, fmt.Sprintf("process %d", os.Getpid()))
	require.Equal(t, 1, ask[int](t, connect(t, s.URL("parley")), `SELECT 1`), "the first server was disturbed")

	require.NoError(t, s.Stop(testContext(t)))
	startServer(t, Options{Dir: dir, Unsafe: true})
}

// The environment of the parent is hostile here: nothing in it may reach the
// server or lead the client elsewhere.
func TestParentKilledHardLeavesNoServerAndLosesNoData(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentDir+"="+dir,
		"PGHOST=nowhere.invalid", "PGPORT=1", "PGUSER=nobody", "PGDATABASE=none", "PGDATA=/nonexistent", "PGSSLMODE=require")
	parent.Stderr = os.Stderr
	_, err := parent.StdinPipe()
	require.NoError(t, err)
	output, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	t.Cleanup(func() {
		_ = parent.Process.Kill()
		_ = endOrphans(context.Background(), filepath.Join(dir, "data"), slog.Default())
	})
	url, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	conn := connect(t, strings.TrimSpace(url))
	do(t, conn, `CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n`)
	_, err = Start(testContext(t), Options{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, fmt.Sprintf("process %d", parent.Process.Pid))

	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())
	requireNoServer(t, dir)
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "database system is shut down", "it was not a clean end")

	s := startServer(t, Options{Dir: dir})
	require.Equal(t, 1000, ask[int](t, connect(t, s.URL("parley")), `SELECT count(*) FROM kept`))
}

func TestStaleLockFilesOfAReusedPidDoNotStopAStart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		command []string
		zombie  bool
	}{
		{name: "a living stranger has the pid", command: []string{"cat"}},
		{name: "a zombie has the pid", command: []string{"true"}, zombie: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := madeFolder(t)
			stranger := asServer(t, test.command[0])
			stdin, err := stranger.StdinPipe()
			require.NoError(t, err)
			require.NoError(t, stranger.Start())
			t.Cleanup(func() { _ = stdin.Close(); _ = stranger.Wait() })
			if test.zombie {
				requireZombie(t, stranger.Process.Pid)
			}
			leavePidFiles(t, dir, stranger.Process.Pid)

			s := startServer(t, Options{Dir: dir, Unsafe: true})
			require.Equal(t, 1, ask[int](t, connect(t, s.URL("parley")), `SELECT 1`))
			require.NoError(t, stranger.Process.Signal(syscall.Signal(0)), "the stranger was harmed")
		})
	}
}

// leavePidFiles writes what a server with that pid would have left.
func leavePidFiles(t *testing.T, dir string, pid int) {
	t.Helper()
	who, err := serverAccount()
	require.NoError(t, err)
	sockets := filepath.Join(dir, "socket")
	require.NoError(t, makePrivate(sockets, who))
	data := filepath.Join(dir, "data")
	content := fmt.Sprintf("%d\n%s\n1700000000\n%d\n%s\n\n  1234567         0\nready   \n", pid, data, port, sockets)
	for _, path := range []string{filepath.Join(data, pidFile), filepath.Join(sockets, socketFile+".lock")} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.NoError(t, os.Chown(path, who.uid, who.gid))
	}
}

func requireZombie(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stat, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		return err == nil && strings.HasPrefix(string(stat), "Z")
	}, timeout, tick)
}

func TestLivingOrphanIsEndedBeforeAStart(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	orphan := runOrphan(t, dir)

	s := startServer(t, Options{Dir: dir})
	require.NotEqual(t, orphan, s.process.Pid)
	require.Equal(t, 1, ask[int](t, connect(t, s.URL("parley")), `SELECT 1`))
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "received fast shutdown request")
	require.NotContains(t, string(log), "not properly shut down")
}

func TestBackendsWithoutALeaderAreEndedBeforeAStart(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	orphan := runOrphan(t, dir)
	require.NoError(t, syscall.Kill(orphan, syscall.SIGSTOP)) // its children live on for sure
	require.NoError(t, os.Remove(filepath.Join(dir, "data", pidFile)))
	require.NoError(t, syscall.Kill(orphan, syscall.SIGKILL))

	s := startServer(t, Options{Dir: dir})
	require.Equal(t, 1, ask[int](t, connect(t, s.URL("parley")), `SELECT 1`))
}

// runOrphan runs a server on dir that no Start knows of and returns its pid.
func runOrphan(t *testing.T, dir string) int {
	t.Helper()
	who, err := serverAccount()
	require.NoError(t, err)
	sockets, err := makeSocketFolder(dir, who)
	require.NoError(t, err)
	log, err := openLog(filepath.Join(dir, "postgres.log"))
	require.NoError(t, err)
	data := filepath.Join(dir, "data")
	cmd := asServer(t, filepath.Join(installed(t, dir).dir, "postgres"), serverArguments(data, sockets, Options{MaxConnections: 10})...)
	cmd.Stdout, cmd.Stderr = log.file, log.file
	s := &Server{dataDir: data, socketDir: sockets, log: log}
	require.NoError(t, cmd.Start())
	s.process = cmd.Process
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone; _ = log.file.Close() })
	require.Eventually(t, s.saysReady, timeout, tick)
	return cmd.Process.Pid
}
