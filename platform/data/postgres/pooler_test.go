package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
)

// pgBouncer gives the program, and skips the test where there is none, or one before the version.
func pgBouncer(t *testing.T, major, minor int) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // which is not in everybody's PATH
	}
	version, err := exec.Command(program, "--version").Output()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("PgBouncer is not installed (package pgbouncer)")
	}
	require.NoError(t, err)
	var found [2]int
	_, err = fmt.Sscanf(string(version), "PgBouncer %d.%d", &found[0], &found[1])
	require.NoError(t, err, "%s", version)
	if slices.Compare(found[:], []int{major, minor}) < 0 {
		t.Skipf("PgBouncer %d.%d or newer is not installed, %d.%d is", major, minor, found[0], found[1])
	}
	return program
}

// pooler starts a PgBouncer that does each transaction on any of two connections, and gives the URL past it. It ends
// with the test.
func pooler(t *testing.T, program, direct string) string {
	t.Helper()
	server, err := url.Parse(direct)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "parley-pgbouncer-") //nolint:usetesting // its user cannot reach t.TempDir when we are root
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	settings := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, `
[databases]
* = host=%s port=%s user=%s
[pgbouncer]
pool_mode = transaction
default_pool_size = 2
auth_type = any
listen_port = 6432
unix_socket_dir = %s
ignore_startup_parameters = extra_float_digits
`, server.Query().Get("host"), server.Query().Get("port"), server.User.Username(), dir), 0o644))
	cmd := exec.Command(program, "-q", settings)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // which it refuses to work as
		cmd.SysProcAttr.Credential = credential(t, "postgres")
		require.NoError(t, os.Chown(dir, int(cmd.SysProcAttr.Credential.Uid), -1))
	}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	query := url.Values{"host": {dir}, "port": {"6432"}, "sslmode": {"disable"}}
	past := url.URL{Scheme: "postgres", User: server.User, Path: server.Path, RawQuery: query.Encode()}
	require.Eventually(t, func() bool {
		conn, err := pgx.Connect(t.Context(), past.String())
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	}, timeout, tick)
	return past.String()
}

func credential(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	found, err := user.Lookup(name)
	require.NoError(t, err)
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Behind a pooler each transaction may be on another connection: nothing that one leaves is another's, and nothing that
// one has prepared is needed by another, unless the pooler sees to it.
func TestTheWallHoldsBehindAPooler(t *testing.T) {
	t.Parallel()
	t.Run("of any version", func(t *testing.T) {
		t.Parallel()
		holds(t, pgBouncer(t, 1, 0), "")
	})
	t.Run("that keeps prepared statements", func(t *testing.T) {
		t.Parallel()
		db := holds(t, pgBouncer(t, 1, 21), "&default_query_exec_mode=cache_statement")
		require.NotZero(t, db.Pool().Pipelined)
		require.Zero(t, db.Pool().Dropped)
	})
}

func holds(t *testing.T, program, mode string) *postgres.DB {
	t.Helper()
	s := setup(t, 1)
	db, err := postgres.Open(t.Context(), postgres.Options{URL: pooler(t, program, s.url) + mode, Pooled: true, MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	const callers, each = 8, 25
	var wg sync.WaitGroup
	for i := range callers {
		ctx, workspace := s.a, s.aID
		if i%2 == 1 {
			ctx, workspace = s.b, s.bID
		}
		wg.Go(func() {
			for range each {
				for _, read := range []postgres.Conn{db.In(ctx), db.InPipeline(ctx)} {
					var foreign int
					err := read.QueryRow(ctx, "SELECT count(*) FROM threads WHERE workspace_id <> $1", workspace).Scan(&foreign)
					if !check(t, err == nil && foreign == 0, fmt.Sprint("a read: ", err, foreign)) {
						return
					}
				}
				err := db.Write(ctx, func(ctx context.Context) error {
					if err := db.In(ctx).QueryRow(ctx, owner+" LIMIT 1").Scan(new(uuid.UUID)); err != nil {
						return err
					}
					_, err := db.In(ctx).Exec(ctx, insertThread, workspace, uuid.New())
					return err
				})
				if !check(t, err == nil, fmt.Sprint("a write: ", err)) {
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1+callers/2*each, s.stored(t, s.aID))
	require.Equal(t, 1+callers/2*each, s.stored(t, s.bID))
	nobody := t.Context()
	require.ErrorIs(t, db.In(nobody).QueryRow(nobody, owner).Scan(new(uuid.UUID)), pgx.ErrNoRows)
	return db
}
