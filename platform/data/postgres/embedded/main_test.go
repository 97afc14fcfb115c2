package embedded

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/testing/foldertest"
)

const (
	parentDir = "EMBEDDED_TEST_PARENT_DIR" // makes the test binary act as a parley on this folder
	timeout   = time.Minute
	tick      = 5 * time.Millisecond
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		if err := actAsParent(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// actAsParent runs a server until standard input ends, which it does not: the
// test kills this process.
func actAsParent(dir string) error {
	s, err := Start(context.Background(), Options{Dir: dir})
	if err != nil {
		return err
	}
	fmt.Println(s.URL(defaultDatabase))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// newFolder is a folder that the server's user can reach, which t.TempDir is
// not when the tests run as root.
func newFolder(t *testing.T) string {
	t.Helper()
	base, err := foldertest.Make("embedded")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(base)) })
	return filepath.Join(base, "pg")
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// startServer starts a server that the test's end stops.
func startServer(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(testContext(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(testContext(t))) })
	return s
}

// madeFolder is a folder with a stopped server's data in it.
func madeFolder(t *testing.T) string {
	t.Helper()
	dir := newFolder(t)
	s, err := Start(testContext(t), Options{Dir: dir, Unsafe: true})
	require.NoError(t, err)
	require.NoError(t, s.Stop(testContext(t)))
	return dir
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func ask[T any](t *testing.T, conn *pgx.Conn, query string) T {
	t.Helper()
	var answer T
	require.NoError(t, conn.QueryRow(testContext(t), query).Scan(&answer))
	return answer
}

func do(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	_, err := conn.Exec(testContext(t), statement)
	require.NoError(t, err)
}

func requireNoServer(t *testing.T, dir string) {
	t.Helper()
	require.Eventually(t, func() bool {
		living, err := livingServers(filepath.Join(dir, "data"))
		return err == nil && len(living) == 0
	}, timeout, tick, "a postgres still lives on %s", dir)
}

func waitDone(t *testing.T, s *Server) {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(timeout):
		t.Fatal("the server does not end")
	}
}

// asServer is a command that runs as the server's user.
func asServer(t *testing.T, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	who, err := serverAccount()
	require.NoError(t, err)
	cmd := exec.Command(name, arguments...)
	cmd.SysProcAttr = who.attributes(noSignal)
	cmd.Dir = "/"
	return cmd
}

func installed(t *testing.T, dir string) binaries {
	t.Helper()
	who, err := serverAccount()
	require.NoError(t, err)
	bin, err := chooseBinaries(testContext(t), "", filepath.Join(dir, "data"), who)
	require.NoError(t, err)
	return bin
}
