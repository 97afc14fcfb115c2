package operating

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/clickhousetest"
	"github.com/parley/parley/platform/testing/qdranttest"
	"github.com/parley/parley/platform/testing/redistest"
)

// outsideServers gives the settings for a Redis and a Qdrant that tests may use.
func outsideServers(t *testing.T) (redis, qdrant string) {
	t.Helper()
	qdrant = "QDRANT_URL=" + qdranttest.URL(t)
	return "REDIS_URL=" + redistest.URL(t), qdrant
}

// lost gives the URL of a database that is not there yet; it is removed at the end.
func lost(t *testing.T) (database, name string) {
	t.Helper()
	admin := harness.Postgres.EmptyURL(t)
	u, err := url.Parse(admin)
	require.NoError(t, err)
	name = "made_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	u.Path = "/" + name
	conn := harness.Postgres.Superuser(t, admin)
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
		require.NoError(t, err)
	})
	return u.String(), name
}

const (
	prepared = "All infra is prepared.\n"
	passed   = "[OK] secret key\nAll infra checks passed.\n"
)

func TestInitAndCheckTellALineForEachDependencyInOneOrder(t *testing.T) {
	t.Parallel()
	database, _ := lost(t)
	environ := []string{"DATABASE_URL=" + database}
	code, stdout, stderr := harness.Tool(t, environ, "check")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `^\[FAIL\] postgres: .*database "made_\w+" does not exist.*\n\[OK\] memory\n\[OK\] files\n\[FAIL\] vectors: .*\n$`, stdout)
	require.Regexp(t, `^parley: 2 of [45] failed$`, strings.Join(harness.Problems(stderr), "\n"))

	for range 2 {
		code, stdout, stderr = harness.Tool(t, environ, "init")
		require.Equal(t, app.ExitOK, code, stderr)
		require.Equal(t, "[OK] postgres\n[OK] memory\n[OK] files\n[OK] vectors\n"+prepared, stdout)
	}
	code, stdout, stderr = harness.Tool(t, environ, "check")
	require.Equal(t, app.ExitOK, code, stderr)
	require.Equal(t, "[OK] postgres\n[OK] memory\n[OK] files\n[OK] vectors\n"+passed, stdout)
	require.Empty(t, stderr)
	conn := harness.Postgres.Superuser(t, database)
	for _, table := range []string{"workspaces", "vectors"} {
		var rows int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows))
		require.Zero(t, rows, "the check has left something in %s", table)
	}

	redis, qdrant := outsideServers(t)
	environ = append(environ, redis, qdrant)
	code, stdout, stderr = harness.Tool(t, environ, "init")
	require.Equal(t, app.ExitOK, code, stderr)
	require.Equal(t, "[OK] postgres\n[OK] redis\n[OK] files\n[OK] qdrant\n"+prepared, stdout)
	code, stdout, stderr = harness.Tool(t, environ, "check")
	require.Equal(t, app.ExitOK, code, stderr)
	require.Equal(t, "[OK] postgres\n[OK] redis\n[OK] files\n[OK] qdrant\n"+passed, stdout)
}

func TestAllFiveRealServicesArePreparedTriedAndServedOn(t *testing.T) {
	t.Parallel()
	redis, qdrant := outsideServers(t)
	address, counts := clickhousetest.Server(t)
	environ := append(harness.InS3(t), redis, qdrant, "DATABASE_URL="+harness.Postgres.URL(t), "DATA_DIR="+t.TempDir(), "CLICKHOUSE_HOST="+address, "CLICKHOUSE_DATABASE="+counts)
	const all = "[OK] postgres\n[OK] redis\n[OK] minio\n[OK] clickhouse\n[OK] qdrant\n"
	for range 2 {
		code, stdout, stderr := harness.Tool(t, environ, "init")
		require.Equal(t, app.ExitOK, code, stderr)
		require.Equal(t, all+prepared, stdout)
	}
	code, stdout, stderr := harness.Tool(t, environ, "check")
	require.Equal(t, app.ExitOK, code, stderr)
	require.Equal(t, all+passed, stdout)
	ready := harness.Start(t, environ...).Anonymous().Get(t, "/readyz")
	for _, name := range []string{"postgres", "redis", "minio", "clickhouse", "qdrant"} {
		require.Equal(t, "ok", ready.Text("checks."+name+".status"), name)
	}
}

func TestWhatIsAwayFailsAloneAndTellsNoSecret(t *testing.T) {
	t.Parallel()
	nobody := harness.FreeAddress(t)
	environ := []string{"DATABASE_URL=" + harness.Postgres.URL(t), "REDIS_URL=redis://ada:hunter2@" + nobody + "/0", "QDRANT_URL=http://" + nobody, "QDRANT_API_KEY=hunter2"}
	for _, command := range []string{"check", "init"} {
		code, stdout, stderr := harness.Tool(t, environ, command)
		require.Equal(t, app.ExitFailed, code, command)
		require.Regexp(t, `^\[OK\] postgres\n\[FAIL\] redis: .*refused.*\n\[OK\] files\n\[FAIL\] qdrant: .*refused.*\n(\[OK\] secret key\n)?$`, stdout)
		require.Regexp(t, `^parley: 2 of [45] failed$`, strings.Join(harness.Problems(stderr), "\n"))
		require.NotContains(t, stdout+stderr, "hunter2")
	}
	code, stdout, stderr := harness.Tool(t, []string{"DATABASE_URL=postgres://ada:hunter2@" + nobody + "/d"}, "check")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `^\[FAIL\] postgres: .*refused.*\n\[OK\] memory\n\[OK\] files\n\[FAIL\] vectors: .*refused.*\n$`, stdout)
	require.NotContains(t, stdout+stderr, "hunter2")
}

func TestACheckTellsOfASchemaThatIsBehind(t *testing.T) {
	t.Parallel()
	environ := []string{"DATABASE_URL=" + harness.Postgres.URL(t)}
	code, _, stderr := harness.Tool(t, environ, "migrate", "down", "--yes")
	require.Equal(t, app.ExitOK, code, stderr)
	code, stdout, _ := harness.Tool(t, environ, "check")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `(?m)^\[FAIL\] postgres: the schema is at version \d+ of \d+: run parley init$`, stdout)
}

func TestManyThatInitAtOnceOnADatabaseThatIsNotThereAllSucceed(t *testing.T) {
	t.Parallel()
	database, _ := lost(t)
	fourTimes(t, func() error {
		code, stdout, stderr := harness.Tool(t, []string{"DATABASE_URL=" + database}, "init")
		if code != app.ExitOK || !strings.HasSuffix(stdout, prepared) {
			return fmt.Errorf("%d: %s%s", code, stdout, stderr)
		}
		return nil
	})
	code, stdout, stderr := harness.Tool(t, []string{"DATABASE_URL=" + database}, "check")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
}

// fourTimes does the same four times at once.
func fourTimes(t *testing.T, do func() error) {
	t.Helper()
	failures := make([]error, 4)
	var wait sync.WaitGroup
	for i := range failures {
		wait.Go(func() { failures[i] = do() })
	}
	wait.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
}

func TestWhoMayMakeNoDatabaseIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	database, name := lost(t)
	u, err := url.Parse(database)
	require.NoError(t, err)
	role := "r" + name
	conn := harness.Postgres.Superuser(t, harness.Postgres.EmptyURL(t))
	_, err = conn.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN NOSUPERUSER")
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = conn.Exec(context.Background(), "DROP ROLE "+role) })
	u.User = url.User(role)
	code, stdout, _ := harness.Tool(t, []string{"DATABASE_URL=" + u.String()}, "init")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `(?m)^\[FAIL\] postgres: the database "`+name+`" does not exist, and the user of DATABASE_URL may not make it \(a superuser can: CREATE DATABASE, or ALTER ROLE … CREATEDB\)`, stdout)
}

func TestTheEmbeddedDatabaseIsPreparedByManyAndCheckedWhileItIsServed(t *testing.T) {
	t.Parallel()
	environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(harness.OpenFolder(t), "data")}
	fourTimes(t, func() error {
		code, stdout, stderr := harness.Tool(t, environ, "init")
		if code != app.ExitOK || stdout != "[OK] postgres\n[OK] memory\n[OK] files\n[OK] vectors\n"+prepared {
			return fmt.Errorf("%d: %s%s", code, stdout, stderr)
		}
		return nil
	})
	check := func() {
		t.Helper()
		code, stdout, stderr := harness.Tool(t, environ, "check")
		require.Equal(t, app.ExitOK, code, stdout+stderr)
		require.Equal(t, "[OK] postgres\n[OK] memory\n[OK] files\n[OK] vectors\n"+passed, stdout)
	}
	check()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	log, ended := harness.NewLogBuffer(), make(chan int, 1)
	go func() { ended <- app.Run(ctx, "test", []string{"parley"}, environ, &harness.LockedBuffer{}, log) }()
	p := &harness.Program{Log: log, Client: http.DefaultClient}
	select {
	case p.URL = <-log.Serving:
	case <-time.After(harness.Timeout):
		t.Fatalf("parley does not serve:\n%s", log)
	}
	check()
	code, stdout, stderr := harness.Tool(t, environ, "init")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	require.Equal(t, http.StatusOK, p.Anonymous().Get(t, "/readyz").Status, "the server was disturbed")
	stop()
	require.Equal(t, app.ExitOK, <-ended, log)
	check()
}

func TestAnEmbeddedDatabaseThatCannotBeStartedIsToldOnItsLine(t *testing.T) {
	t.Parallel()
	code, stdout, _ := harness.Tool(t, []string{"DATA_DIR=" + filepath.Join(harness.OpenFolder(t), "data"), "POSTGRES_BIN_DIR=" + t.TempDir()}, "check")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `^\[FAIL\] postgres: .*POSTGRES_BIN_DIR.*\n\[OK\] memory\n\[OK\] files\n\[FAIL\] vectors: .*\n$`, stdout)
}

func TestReadinessTellsOfQdrant(t *testing.T) {
	t.Parallel()
	away := "QDRANT_URL=http://" + harness.FreeAddress(t)
	strict := harness.Start(t, away, "READINESS_STRICT=true")
	a := strict.Anonymous().Get(t, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, a.Status, a)
	require.Equal(t, "failed", a.Text("checks.qdrant.status"), a)
	require.Equal(t, "ok", a.Text("checks.postgres.status"), a)
	a = harness.Start(t, away).Anonymous().Get(t, "/readyz")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "failed", a.Text("checks.qdrant.status"), a)

	_, qdrant := outsideServers(t)
	a = harness.Start(t, qdrant).Anonymous().Get(t, "/readyz")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "ok", a.Text("checks.qdrant.status"), a)
}
