package operating

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/data/postgres/embedded"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/docs"
)

func TestTheBinary(t *testing.T) {
	t.Parallel()
	binary, err := harness.BuiltProgram()
	require.NoError(t, err)

	t.Run("serves with nothing set, alone on its folder, and keeps its data", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(harness.OpenFolder(t), "data")
		environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		first := harness.Spawn(t, binary, environ).Serving(t)
		ada := first.Register(t)
		bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"})
		require.Equal(t, http.StatusCreated, bot.Status, bot)

		second := harness.Spawn(t, binary, environ, "serve")
		require.Equal(t, app.ExitFailed, second.Wait(t))
		require.Regexp(t, `(?m)^parley: another parley already uses this data folder: .* is held by process `+strconv.Itoa(first.Cmd.Process.Pid), second.Log.String())
		require.Equal(t, http.StatusOK, ada.Get(t, "/readyz").Status, "the refused one has disturbed the first")
		require.Equal(t, app.ExitOK, first.End(t, syscall.SIGTERM), first.Log)

		third := harness.Spawn(t, binary, environ, "serve").Serving(t)
		ada.Program = third.Program
		require.Equal(t, "folder", ada.AnchoredAs(t, "agrees").Text("anchor.store"))
		require.FileExists(t, filepath.Join(data, "audit-anchor", "audit-anchor", ada.Workspace+".json"))
		require.Equal(t, bot.Body, ada.Get(t, bot.Header.Get("Location")).Body, "the token, the key and the bot outlive a stop")
		require.Equal(t, app.ExitOK, third.End(t, syscall.SIGINT), third.Log)
	})

	t.Run("killed hard leaves no postgres and loses nothing", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(harness.OpenFolder(t), "data")
		environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		first := harness.Spawn(t, binary, environ).Serving(t)
		ada := first.Register(t)
		bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"})
		postmaster := regexp.MustCompile(`"pid":(\d+)`).FindStringSubmatch(first.Log.String())
		require.NotNil(t, postmaster, first.Log)
		first.End(t, syscall.SIGKILL)
		require.Eventually(t, func() bool {
			stat, err := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", postmaster[1]).Output()
			return err != nil || strings.HasPrefix(string(stat), "Z")
		}, harness.Timeout, harness.Tick, "postgres lives on without its parent")

		second := harness.Spawn(t, binary, environ).Serving(t)
		ada.Program = second.Program
		require.Equal(t, bot.Body, ada.Get(t, bot.Header.Get("Location")).Body)
	})

	t.Run("ends when its embedded database does", func(t *testing.T) {
		t.Parallel()
		c := harness.Spawn(t, binary, []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(harness.OpenFolder(t), "data")}).Serving(t)
		pid, err := strconv.Atoi(regexp.MustCompile(`"pid":(\d+)`).FindStringSubmatch(c.Log.String())[1])
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		require.Equal(t, app.ExitFailed, c.Wait(t), c.Log)
		require.Contains(t, c.Log.String(), "parley: the embedded database has ended")
	})

	t.Run("as root starts under a umask that lets nobody else in", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(harness.OpenFolder(t), "new", "data")
		cmd := exec.Command("/bin/sh", "-c", `umask 077; exec "$0"`, binary)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		c := harness.SpawnCommand(t, cmd).Serving(t)
		require.Equal(t, app.ExitOK, c.End(t, syscall.SIGTERM), c.Log)
	})

	t.Run("names the remedy where its user is unknown to the system", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("only root can run a program as another user")
		}
		const nobodyKnown = 4_000_123
		data := filepath.Join(harness.OpenFolder(t), "data")
		require.NoError(t, os.Mkdir(data, 0o755))
		require.NoError(t, os.Chown(data, nobodyKnown, nobodyKnown))
		cmd := exec.Command(binary)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyKnown, Gid: nobodyKnown}}
		cmd.Dir = "/"
		c := harness.SpawnCommand(t, cmd)
		require.Equal(t, app.ExitFailed, c.Wait(t))
		require.Contains(t, c.Log.String(), "the user id 4000123 has no entry in /etc/passwd")
		require.Contains(t, c.Log.String(), "DATABASE_URL")
	})

	t.Run("two that start at once on an empty database both come up", func(t *testing.T) {
		t.Parallel()
		database := harness.Postgres.EmptyURL(t)
		environ := func() []string {
			return []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + t.TempDir(), "DATABASE_URL=" + database, "DATABASE_MAX_CONNS=4", "SECRET_KEY=" + harness.SecretKey}
		}
		one, two := harness.Spawn(t, binary, environ()), harness.Spawn(t, binary, environ())
		for _, c := range []*harness.Child{one.Serving(t), two.Serving(t)} {
			c.Register(t)
			require.Equal(t, app.ExitOK, c.End(t, syscall.SIGTERM), c.Log)
		}
	})
}

func TestWrongSettingsAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{
		"APP_ENV": "staging", "HTTP_ADDR": "8080", "LOG_FORMAT": "xml", "LOG_LEVEL": "loud", "EMBEDDED": "perhaps", "DATABASE_URL": "mysql://u:hunter2@h/d",
		"DATABASE_DIRECT_URL": "postgres://u:hunter2@h:port/d", "DATABASE_MAX_CONNS": "1", "MIGRATE_ON_START": "2", "SECRET_KEY": "hunter2", "JWT_SECRET": "hunter2-short",
		"ACCESS_TTL": "15", "REFRESH_TTL": "2000h", "READINESS_STRICT": "x", "CORS_ALLOW_ORIGINS": "example.com", "TRUSTED_PROXIES": "10.0.0.0/99",
		"BODY_LIMIT": "1M", "REQUEST_TIMEOUT": "0s", "MODEL_TIMEOUT": "1h", "SHUTDOWN_TIMEOUT": "-1s", "QDRANT_URL": "http://u:hunter2@h:6334", "QDRANT_API_KEY": "hunter2 ",
	}
	var environ []string
	for name, value := range wrong {
		environ = append(environ, name+"="+value)
	}
	for _, args := range [][]string{{}, {"serve"}, {"worker"}, {"migrate", "up"}, {"migrate", "down"}, {"migrate", "status"}, {"init"}, {"check"}} {
		code, stdout, stderr := harness.Tool(t, environ, args...)
		require.Equal(t, app.ExitUsage, code)
		require.Empty(t, stdout)
		require.NotContains(t, stderr, "hunter2", "a secret is printed")
		lines := harness.Problems(stderr)
		require.Len(t, lines, len(wrong), stderr)
		for _, line := range lines {
			require.Regexp(t, `^parley: [A-Z_]+: should be .+`, line)
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "parley: "), ":")
			require.Contains(t, wrong, name)
		}
	}
	code, _, stderr := harness.Tool(t, []string{"APP_ENV=production"})
	require.Equal(t, app.ExitUsage, code)
	require.Len(t, harness.Problems(stderr), 4, stderr)
	require.Contains(t, stderr, "SIGN_UP: must be set in production")
	require.Contains(t, stderr, "DATABASE_URL: must be set in production")
	require.Regexp(t, "SECRET_KEY: must be set in production, .*secret-key", stderr)
	require.Contains(t, stderr, "JWT_SECRET: must be set in production")
}

func TestADatabaseThatCannotBeReachedIsOneLineWithoutItsPassword(t *testing.T) {
	t.Parallel()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, database := range []string{
		"postgres://u:hunter2@" + closed.Addr().String() + "/d",
		"postgres://u:hunter2@" + closed.Addr().String() + "/d?sslmode=nonsense",
		"postgres://u:hunter2@" + closed.Addr().String() + "," + closed.Addr().String() + "/d",
	} {
		for _, args := range [][]string{{"serve"}, {"worker"}, {"migrate", "status"}, {"migrate", "up"}} {
			code, _, stderr := harness.Tool(t, []string{"HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + database, "DATA_DIR=" + t.TempDir()}, args...)
			require.NotEqual(t, app.ExitOK, code)
			require.NotContains(t, stderr, "hunter2")
			require.Len(t, harness.Problems(stderr), 1, stderr)
		}
	}
}

func TestTheSubcommandsExplainThemselves(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"serve"}, {"worker"}, {"migrate"}, {"migrate", "up"}, {"migrate", "down"}, {"migrate", "status"}, {"audit"}, {"audit", "verify"}, {"audit", "adopt"}, {"backup"}, {"restore"}, {"upgrade-postgres"}, {"users"}, {"users", "create"}, {"workspaces"}, {"workspaces", "purge"}, {"jobs"}, {"jobs", "cancel"}, {"dead-letters"}, {"limits"}, {"limits", "set"}, {"health"}, {"openapi"}, {"env"}, {"version"}} {
		for _, flag := range []string{"--help", "-h"} {
			code, stdout, stderr := harness.Tool(t, []string{"LOG_LEVEL=wrong"}, append(args, flag)...)
			require.Equal(t, app.ExitOK, code, "%v: %s", args, stderr)
			require.Empty(t, stderr, args)
			require.Contains(t, stdout, "USAGE:", args)
			require.Contains(t, stdout, strings.Join(append([]string{"parley"}, args...), " "), args)
		}
	}
	environ := []string{"DATABASE_URL=" + harness.Postgres.EmptyURL(t), "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}
	for _, args := range [][]string{
		{"nonsense"}, {"--nonsense"}, {"serve", "--nonsense"}, {"serve", "nonsense"}, {"worker", "nonsense"}, {"migrate", "nonsense"}, {"migrate", "up", "nonsense"}, {"migrate", "down", "--steps", "x"},
		{"migrate", "--nonsense"}, {"migrate", "down", "--steps", "-1"}, {"backup"}, {"restore"}, {"restore", "a", "b"}, {"upgrade-postgres", "a"}, {"openapi", "--nonsense"}, {"openapi", "nonsense"}, {"env", "nonsense"}, {"version", "nonsense"},
	} {
		code, _, stderr := harness.Tool(t, environ, args...)
		require.Equal(t, app.ExitUsage, code, "%v: %s", args, stderr)
		require.Len(t, harness.Problems(stderr), 1, "%v: %s", args, stderr)
		require.Regexp(t, `^parley: `, harness.Problems(stderr)[0])
	}
	code, stdout, _ := harness.Tool(t, nil, "version")
	require.Equal(t, app.ExitOK, code)
	require.Equal(t, "parley test\n", stdout)
	code, stdout, _ = harness.Tool(t, nil, "openapi")
	require.Equal(t, app.ExitOK, code)
	document, err := docs.Publish(api.YAML, api.Examples)
	require.NoError(t, err)
	published, err := document.YAML()
	require.NoError(t, err)
	require.Equal(t, string(published), stdout)
	code, stdout, _ = harness.Tool(t, nil, "env")
	require.Equal(t, app.ExitOK, code)
	require.Equal(t, config.Example(), stdout)
	example, err := os.ReadFile(filepath.Join(harness.Root, "env.example"))
	require.NoError(t, err)
	require.Equal(t, string(example), stdout, "run make generate")
}

func TestADatabaseIsUsedWithOneSecretKey(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + harness.Postgres.URL(t), "DATA_DIR=" + data}
	kept := filepath.Join(data, "secret-key")
	serveOnce := func() {
		ctx, cancel := context.WithCancel(t.Context())
		log, code := harness.NewLogBuffer(), make(chan int, 1)
		go func() { code <- app.Run(ctx, "test", []string{"parley", "serve"}, environ, io.Discard, log) }()
		select {
		case <-log.Serving:
			cancel()
			require.Equal(t, app.ExitOK, <-code)
		case c := <-code:
			cancel()
			require.Fail(t, "it does not serve", "%d: %s", c, log)
		}
	}
	serveOnce()
	first, err := os.ReadFile(kept)
	require.NoError(t, err)

	require.NoError(t, os.Remove(kept))
	code, _, stderr := harness.Tool(t, environ, "serve")
	require.Equal(t, app.ExitFailed, code)
	lines := harness.Problems(stderr)
	require.Len(t, lines, 1, stderr)
	for _, part := range []string{"SECRET_KEY: should be", kept, "seals of the audit log", "backup", "parley secret adopt --yes"} {
		require.Contains(t, lines[0], part)
	}
	code, _, stderr = harness.Tool(t, append(environ, "SECRET_KEY="+strings.Repeat("x", 32)), "serve")
	require.Equal(t, app.ExitFailed, code)
	require.NotContains(t, stderr, kept, "the key is configured")

	require.NoError(t, os.WriteFile(kept, []byte("cut"), 0o600))
	for _, command := range [][]string{{"serve"}, {"secret", "adopt", "--yes"}} {
		code, _, stderr = harness.Tool(t, environ, command...)
		require.Equal(t, app.ExitFailed, code)
		for _, part := range []string{"SECRET_KEY: ", kept + " is damaged", "seals of the audit log", "Restore it from a backup", "parley secret adopt --yes"} {
			require.Contains(t, stderr, part, command)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(data, "jwt-secret"), nil, 0o600))
	code, _, stderr = harness.Tool(t, append(environ, "SECRET_KEY="+string(first)), "serve")
	require.Equal(t, app.ExitFailed, code)
	require.Contains(t, stderr, "all sessions end")
	require.NoError(t, os.Remove(filepath.Join(data, "jwt-secret")))

	require.NoError(t, os.WriteFile(kept, first, 0o600))
	serveOnce()
	require.NoError(t, os.Remove(kept))
	code, _, _ = harness.Tool(t, environ, "secret", "adopt")
	require.Equal(t, app.ExitUsage, code)
	code, stdout, stderr := harness.Tool(t, environ, "secret", "adopt", "--yes")
	require.Equal(t, app.ExitOK, code, stderr)
	require.Contains(t, stdout, "from now on")
	serveOnce()
}

func TestMigrationsGoUpAndDownByHand(t *testing.T) {
	t.Parallel()
	environ := []string{"DATABASE_URL=" + harness.Postgres.EmptyURL(t), "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0", "MIGRATE_ON_START=false"}
	migrate := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := harness.Tool(t, environ, append([]string{"migrate"}, args...)...)
		require.Equal(t, app.ExitOK, code, stderr)
		require.Regexp(t, want, stdout)
	}
	migrate(`^version 0 of (\d+) \(\d+ to apply: parley migrate up\)\n$`, "status")
	code, _, stderr := harness.Tool(t, environ, "serve")
	require.Equal(t, app.ExitFailed, code, "it serves without its tables")
	require.Len(t, harness.Problems(stderr), 1, stderr)
	require.Contains(t, stderr, "run parley migrate up")

	migrate(`\(up to date\)`, "up")
	migrate(`\(up to date\)`, "up")
	code, _, stderr = harness.Tool(t, environ, "migrate", "down")
	require.Equal(t, app.ExitUsage, code, "it removes data unasked")
	require.Contains(t, stderr, "--yes")
	migrate(`\(1 to apply: parley migrate up\)`, "down", "--yes")
	code, _, stderr = harness.Tool(t, environ, "serve")
	require.Equal(t, app.ExitFailed, code, "it serves with a table missing")
	require.Contains(t, stderr, "run parley migrate up")
	code, _, stderr = harness.Tool(t, environ, "migrate", "down", "--steps", "0")
	require.Equal(t, app.ExitUsage, code, "it removes everything unasked")
	require.Contains(t, stderr, "--yes")
	migrate(`^version 0 of`, "down", "--steps", "0", "--yes")
	migrate(`\(up to date\)`, "up")
	p := harness.StartOn(t, strings.TrimPrefix(environ[0], "DATABASE_URL="), "MIGRATE_ON_START=false")
	p.Register(t)
}

// A start lives while it migrates, or whoever asks whether it does would kill it in the middle.
func TestAStartThatMigratesLives(t *testing.T) {
	t.Parallel()
	database, address := harness.Postgres.URL(t), harness.FreeAddress(t)
	conn := harness.Postgres.Superuser(t, database)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `LOCK TABLE schema_migrations`)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- app.Run(ctx, "test", []string{"parley", "serve"}, []string{
			"HTTP_ADDR=" + address, "DATABASE_URL=" + database, "DATA_DIR=" + t.TempDir(), "SECRET_KEY=" + harness.SecretKey, "DATABASE_MAX_CONNS=8",
		}, io.Discard, io.Discard)
	}()
	client := &http.Client{Transport: harness.ContractTransport{T: t, Contract: harness.LoadedContract(), Secrets: &harness.Secrets{}}, Timeout: harness.Timeout}
	ask := func(path string) (status int, body string) {
		res, err := client.Get("http://" + address + path)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(raw)
	}
	require.Eventually(t, func() bool { status, _ := ask("/healthz"); return status == http.StatusOK }, harness.Timeout, harness.Tick)
	status, body := ask("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, `"migrating"`)
	status, body = ask("/v1/bots")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "DOWNSTREAM_UNAVAILABLE")
	require.NoError(t, tx.Rollback(t.Context()))
	require.Eventually(t, func() bool { status, _ := ask("/readyz"); return status == http.StatusOK }, harness.Timeout, harness.Tick)
	stop()
	require.Equal(t, app.ExitOK, <-ended)
}

func TestAPortThatIsTakenIsOneClearLine(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	code, _, stderr := harness.Tool(t, []string{"DATABASE_URL=" + harness.Postgres.URL(t), "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=" + taken.Addr().String()}, "serve")
	require.Equal(t, app.ExitFailed, code)
	require.Len(t, harness.Problems(stderr), 1, stderr)
	require.Regexp(t, `^parley: HTTP_ADDR: should be an address that is free: .*`+regexp.QuoteMeta(taken.Addr().String()), harness.Problems(stderr)[0])

	data := t.TempDir() // with a database of its own: it is found before that is made
	code, _, stderr = harness.Tool(t, []string{"DATA_DIR=" + data, "HTTP_ADDR=" + taken.Addr().String()}, "serve")
	require.Equal(t, app.ExitFailed, code)
	require.Contains(t, harness.Problems(stderr)[0], "HTTP_ADDR")
	made, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Empty(t, made)
}

// requireAway wants every call refused as DOWNSTREAM_UNAVAILABLE while the process itself is well.
func requireAway(t *testing.T, ada *harness.Caller) {
	t.Helper()
	require.Eventually(t, func() bool { return ada.Get(t, "/readyz").Status == http.StatusServiceUnavailable }, harness.Timeout, harness.Tick)
	ready := ada.Get(t, "/readyz")
	require.Equal(t, "not_ready", ready.Text("status"), ready)
	require.Equal(t, "failed", ready.Text("checks.postgres.status"))
	require.Equal(t, http.StatusOK, ada.Get(t, "/healthz").Status)
	for _, a := range append(harness.EveryCall(t, ada),
		ada.Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password}),
		ada.Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Refresh}),
		ada.Post(t, "/v1/auth/register", map[string]any{"email": "new@example.com", "password": harness.Password, "workspace_name": "New"}),
		ada.Post(t, "/v1/auth/logout", nil),
	) {
		harness.RequireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
}

// requireBack wants all well again, and an operation that was refused meanwhile to be done when it is sent again.
func requireBack(t *testing.T, ada *harness.Caller, refused harness.Header) {
	t.Helper()
	require.Eventually(t, func() bool { return ada.Get(t, "/readyz").Status == http.StatusOK }, harness.Timeout, harness.Tick)
	require.Eventually(t, func() bool {
		return ada.Post(t, "/v1/bots", map[string]any{"name": "Again"}, refused).Status == http.StatusCreated
	}, harness.Timeout, harness.Tick)
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status)
	require.Len(t, ada.Get(t, "/v1/bots").Items(), 2)
}

func TestADatabaseThatIsAwayIsToldAndComesBack(t *testing.T) {
	t.Parallel()
	t.Run("it takes no connections", func(t *testing.T) {
		t.Parallel()
		p := harness.Start(t)
		ada := p.Register(t)
		ada.Post(t, "/v1/bots", map[string]any{"name": "First"})
		at, err := url.Parse(p.Database)
		require.NoError(t, err)
		name := pgx.Identifier{strings.TrimPrefix(at.Path, "/")}.Sanitize()
		at.Path = "/parley"
		beside := harness.Postgres.Superuser(t, at.String())
		_, err = beside.Exec(t.Context(), `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`)
		require.NoError(t, err)
		_, err = beside.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE quote_ident(datname) = $1 OR datname = trim('"' FROM $1)`, name)
		require.NoError(t, err)
		op := harness.Operation(uuid.NewString())
		requireAway(t, ada)
		harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "Again"}, op), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		_, err = beside.Exec(t.Context(), `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
		require.NoError(t, err)
		requireBack(t, ada, op)
	})
	t.Run("its server is stopped", func(t *testing.T) {
		t.Parallel()
		options := embedded.Options{Dir: harness.OpenFolder(t), Log: slog.New(slog.DiscardHandler), Unsafe: true}
		server, err := embedded.Start(t.Context(), options)
		require.NoError(t, err)
		t.Cleanup(func() { _ = server.Stop(context.Background()) })
		p := harness.StartOn(t, server.URL("parley"))
		ada := p.Register(t)
		ada.Post(t, "/v1/bots", map[string]any{"name": "First"})
		require.NoError(t, server.Stop(t.Context()))
		op := harness.Operation(uuid.NewString())
		requireAway(t, ada)
		harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "Again"}, op), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		server, err = embedded.Start(t.Context(), options)
		require.NoError(t, err)
		requireBack(t, ada, op)
		require.Equal(t, app.ExitOK, p.Stop())
	})
}
