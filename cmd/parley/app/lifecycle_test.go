package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
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
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/docs"
	"github.com/parley/parley/platform/postgres/embedded"
)

const (
	patience = 30 * time.Second
	tick     = 20 * time.Millisecond
)

// openFolder is a temporary folder that the embedded database's user can pass through, when we are root.
func openFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	return dir
}

// child is the real binary, run as a process of its own.
type child struct {
	*program
	cmd    *exec.Cmd
	exited chan struct{}
}

// spawn starts the binary with nothing in its environment but what is given.
func spawn(t *testing.T, binary string, environ []string, args ...string) *child {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	return spawnCommand(t, cmd)
}

func spawnCommand(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	output, err := cmd.StderrPipe()
	require.NoError(t, err)
	c := &child{program: &program{log: newLogBuffer()}, cmd: cmd, exited: make(chan struct{})}
	require.NoError(t, cmd.Start())
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			_, _ = c.log.Write(append(lines.Bytes(), '\n'))
		}
		_ = cmd.Wait()
		close(c.exited)
	}()
	t.Cleanup(func() { c.end(t, syscall.SIGTERM) })
	c.client = &http.Client{Transport: contractTransport{t: t, contract: loadedContract()}, Timeout: patience}
	return c
}

// serving waits until the child serves.
func (c *child) serving(t *testing.T) *child {
	t.Helper()
	select {
	case c.url = <-c.log.serving:
	case <-c.exited:
		t.Fatalf("parley ended:\n%s", c.log)
	case <-time.After(patience):
		t.Fatalf("parley does not serve:\n%s", c.log)
	}
	return c
}

// wait gives the exit code.
func (c *child) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-c.exited:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("parley does not end:\n%s", c.log)
		return 0
	}
}

func (c *child) end(t *testing.T, s os.Signal) int {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		require.NoError(t, err)
	}
	return c.wait(t)
}

func TestTheBinary(t *testing.T) {
	t.Parallel()
	binary, err := builtProgram()
	require.NoError(t, err)

	t.Run("serves with nothing set, alone on its folder, and keeps its data", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(openFolder(t), "data")
		environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		first := spawn(t, binary, environ).serving(t)
		ada := first.register(t)
		bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support"})
		require.Equal(t, http.StatusCreated, bot.Status, bot)

		second := spawn(t, binary, environ, "serve")
		require.Equal(t, ExitFailed, second.wait(t))
		require.Regexp(t, `(?m)^parley: another parley already uses this data folder: .* is held by process `+strconv.Itoa(first.cmd.Process.Pid), second.log.String())
		require.Equal(t, http.StatusOK, ada.get(t, "/readyz").Status, "the refused one has disturbed the first")
		require.Equal(t, ExitOK, first.end(t, syscall.SIGTERM), first.log)

		third := spawn(t, binary, environ, "serve").serving(t)
		ada.program = third.program
		require.Equal(t, "folder", ada.anchoredAs(t, "agrees").text("anchor.store"))
		require.FileExists(t, filepath.Join(data, "audit-anchor", "audit-anchor", ada.workspace+".json"))
		require.Equal(t, bot.Body, ada.get(t, bot.Header.Get("Location")).Body, "the token, the key and the bot outlive a stop")
		require.Equal(t, ExitOK, third.end(t, syscall.SIGINT), third.log)
	})

	t.Run("killed hard leaves no postgres and loses nothing", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(openFolder(t), "data")
		environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		first := spawn(t, binary, environ).serving(t)
		ada := first.register(t)
		bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support"})
		postmaster := regexp.MustCompile(`"pid":(\d+)`).FindStringSubmatch(first.log.String())
		require.NotNil(t, postmaster, first.log)
		first.end(t, syscall.SIGKILL)
		require.Eventually(t, func() bool {
			stat, err := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", postmaster[1]).Output()
			return err != nil || strings.HasPrefix(string(stat), "Z")
		}, patience, tick, "postgres lives on without its parent")

		second := spawn(t, binary, environ).serving(t)
		ada.program = second.program
		require.Equal(t, bot.Body, ada.get(t, bot.Header.Get("Location")).Body)
	})

	t.Run("ends when its embedded database does", func(t *testing.T) {
		t.Parallel()
		c := spawn(t, binary, []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(openFolder(t), "data")}).serving(t)
		pid, err := strconv.Atoi(regexp.MustCompile(`"pid":(\d+)`).FindStringSubmatch(c.log.String())[1])
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		require.Equal(t, ExitFailed, c.wait(t), c.log)
		require.Contains(t, c.log.String(), "parley: the embedded database has ended")
	})

	t.Run("as root starts under a umask that lets nobody else in", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(openFolder(t), "new", "data")
		cmd := exec.Command("/bin/sh", "-c", `umask 077; exec "$0"`, binary)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		c := spawnCommand(t, cmd).serving(t)
		require.Equal(t, ExitOK, c.end(t, syscall.SIGTERM), c.log)
	})

	t.Run("names the remedy where its user is unknown to the system", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("only root can run a program as another user")
		}
		const nobodyKnown = 4_000_123
		folder := openFolder(t)
		data, reachable := filepath.Join(folder, "data"), filepath.Join(folder, "parley")
		require.NoError(t, os.Link(binary, reachable))
		require.NoError(t, os.Mkdir(data, 0o755))
		require.NoError(t, os.Chown(data, nobodyKnown, nobodyKnown))
		cmd := exec.Command(reachable)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyKnown, Gid: nobodyKnown}}
		cmd.Dir = "/"
		c := spawnCommand(t, cmd)
		require.Equal(t, ExitFailed, c.wait(t))
		require.Contains(t, c.log.String(), "the user id 4000123 has no entry in /etc/passwd")
		require.Contains(t, c.log.String(), "DATABASE_URL")
	})

	t.Run("two that start at once on an empty database both come up", func(t *testing.T) {
		t.Parallel()
		database := pg.EmptyURL(t)
		environ := func() []string {
			return []string{"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + t.TempDir(), "DATABASE_URL=" + database, "DATABASE_MAX_CONNS=4", "SECRET_KEY=" + secretKey}
		}
		one, two := spawn(t, binary, environ()), spawn(t, binary, environ())
		for _, c := range []*child{one.serving(t), two.serving(t)} {
			c.register(t)
			require.Equal(t, ExitOK, c.end(t, syscall.SIGTERM), c.log)
		}
	})
}

// tool runs a subcommand to its end, within this process.
func tool(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, failed bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code = Run(ctx, "test", append([]string{"parley"}, args...), environ, &out, &failed)
	return code, out.String(), failed.String()
}

// problems are the last words: one line a problem.
func problems(stderr string) (lines []string) {
	for line := range strings.SplitSeq(strings.TrimSpace(stderr), "\n") {
		if !strings.HasPrefix(line, "{") {
			lines = append(lines, line)
		}
	}
	return lines
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
		code, stdout, stderr := tool(t, environ, args...)
		require.Equal(t, ExitUsage, code)
		require.Empty(t, stdout)
		require.NotContains(t, stderr, "hunter2", "a secret is told")
		lines := problems(stderr)
		require.Len(t, lines, len(wrong), stderr)
		for _, line := range lines {
			require.Regexp(t, `^parley: [A-Z_]+: should be .+`, line)
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "parley: "), ":")
			require.Contains(t, wrong, name)
		}
	}
	code, _, stderr := tool(t, []string{"APP_ENV=production"})
	require.Equal(t, ExitUsage, code)
	require.Len(t, problems(stderr), 3, stderr)
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
			code, _, stderr := tool(t, []string{"HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + database, "DATA_DIR=" + t.TempDir()}, args...)
			require.NotEqual(t, ExitOK, code)
			require.NotContains(t, stderr, "hunter2")
			require.Len(t, problems(stderr), 1, stderr)
		}
	}
}

func TestTheSubcommandsExplainThemselves(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"serve"}, {"worker"}, {"migrate"}, {"migrate", "up"}, {"migrate", "down"}, {"migrate", "status"}, {"audit"}, {"audit", "verify"}, {"audit", "adopt"}, {"backup"}, {"restore"}, {"upgrade-postgres"}, {"users"}, {"users", "create"}, {"workspaces"}, {"workspaces", "purge"}, {"jobs"}, {"jobs", "cancel"}, {"dead-letters"}, {"limits"}, {"limits", "set"}, {"health"}, {"openapi"}, {"env"}, {"version"}} {
		for _, flag := range []string{"--help", "-h"} {
			code, stdout, stderr := tool(t, []string{"LOG_LEVEL=wrong"}, append(args, flag)...)
			require.Equal(t, ExitOK, code, "%v: %s", args, stderr)
			require.Empty(t, stderr, args)
			require.Contains(t, stdout, "USAGE:", args)
			require.Contains(t, stdout, strings.Join(append([]string{"parley"}, args...), " "), args)
		}
	}
	environ := []string{"DATABASE_URL=" + pg.EmptyURL(t), "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}
	for _, args := range [][]string{
		{"nonsense"}, {"--nonsense"}, {"serve", "--nonsense"}, {"serve", "nonsense"}, {"worker", "nonsense"}, {"migrate", "nonsense"}, {"migrate", "up", "nonsense"}, {"migrate", "down", "--steps", "x"},
		{"migrate", "--nonsense"}, {"migrate", "down", "--steps", "-1"}, {"backup"}, {"restore"}, {"restore", "a", "b"}, {"upgrade-postgres", "a"}, {"openapi", "--nonsense"}, {"openapi", "nonsense"}, {"env", "nonsense"}, {"version", "nonsense"},
	} {
		code, _, stderr := tool(t, environ, args...)
		require.Equal(t, ExitUsage, code, "%v: %s", args, stderr)
		require.Len(t, problems(stderr), 1, "%v: %s", args, stderr)
		require.Regexp(t, `^parley: `, problems(stderr)[0])
	}
	code, stdout, _ := tool(t, nil, "version")
	require.Equal(t, ExitOK, code)
	require.Equal(t, "parley test\n", stdout)
	code, stdout, _ = tool(t, nil, "openapi")
	require.Equal(t, ExitOK, code)
	document, err := docs.Publish(api.YAML, api.Examples)
	require.NoError(t, err)
	published, err := document.YAML()
	require.NoError(t, err)
	require.Equal(t, string(published), stdout)
	code, stdout, _ = tool(t, nil, "env")
	require.Equal(t, ExitOK, code)
	require.Equal(t, config.Example(), stdout)
	example, err := os.ReadFile(filepath.Join(root, "env.example"))
	require.NoError(t, err)
	require.Equal(t, string(example), stdout, "run make generate")
}

func TestADatabaseIsUsedWithOneSecretKey(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	environ := []string{"HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + pg.URL(t), "DATA_DIR=" + data}
	kept := filepath.Join(data, "secret-key")
	serveOnce := func() {
		ctx, cancel := context.WithCancel(t.Context())
		log, code := newLogBuffer(), make(chan int, 1)
		go func() { code <- Run(ctx, "test", []string{"parley", "serve"}, environ, io.Discard, log) }()
		select {
		case <-log.serving:
			cancel()
			require.Equal(t, ExitOK, <-code)
		case c := <-code:
			cancel()
			require.Fail(t, "it does not serve", "%d: %s", c, log)
		}
	}
	serveOnce()
	first, err := os.ReadFile(kept)
	require.NoError(t, err)

	require.NoError(t, os.Remove(kept))
	code, _, stderr := tool(t, environ, "serve")
	require.Equal(t, ExitFailed, code)
	lines := problems(stderr)
	require.Len(t, lines, 1, stderr)
	for _, part := range []string{"SECRET_KEY: should be", kept, "seals of the audit log", "backup", "parley secret adopt --yes"} {
		require.Contains(t, lines[0], part)
	}
	code, _, stderr = tool(t, append(environ, "SECRET_KEY="+strings.Repeat("x", 32)), "serve")
	require.Equal(t, ExitFailed, code)
	require.NotContains(t, stderr, kept, "the key is configured")

	require.NoError(t, os.WriteFile(kept, []byte("cut"), 0o600))
	for _, command := range [][]string{{"serve"}, {"secret", "adopt", "--yes"}} {
		code, _, stderr = tool(t, environ, command...)
		require.Equal(t, ExitFailed, code)
		for _, part := range []string{"SECRET_KEY: ", kept + " is damaged", "seals of the audit log", "Restore it from a backup", "parley secret adopt --yes"} {
			require.Contains(t, stderr, part, command)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(data, "jwt-secret"), nil, 0o600))
	code, _, stderr = tool(t, append(environ, "SECRET_KEY="+string(first)), "serve")
	require.Equal(t, ExitFailed, code)
	require.Contains(t, stderr, "all sessions end")
	require.NoError(t, os.Remove(filepath.Join(data, "jwt-secret")))

	require.NoError(t, os.WriteFile(kept, first, 0o600))
	serveOnce()
	require.NoError(t, os.Remove(kept))
	code, _, _ = tool(t, environ, "secret", "adopt")
	require.Equal(t, ExitUsage, code)
	code, stdout, stderr := tool(t, environ, "secret", "adopt", "--yes")
	require.Equal(t, ExitOK, code, stderr)
	require.Contains(t, stdout, "from now on")
	serveOnce()
}

func TestMigrationsGoUpAndDownByHand(t *testing.T) {
	t.Parallel()
	environ := []string{"DATABASE_URL=" + pg.EmptyURL(t), "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0", "MIGRATE_ON_START=false"}
	migrate := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := tool(t, environ, append([]string{"migrate"}, args...)...)
		require.Equal(t, ExitOK, code, stderr)
		require.Regexp(t, want, stdout)
	}
	migrate(`^version 0 of (\d+) \(\d+ to apply: parley migrate up\)\n$`, "status")
	code, _, stderr := tool(t, environ, "serve")
	require.Equal(t, ExitFailed, code, "it serves without its tables")
	require.Len(t, problems(stderr), 1, stderr)
	require.Contains(t, stderr, "run parley migrate up")

	migrate(`\(up to date\)`, "up")
	migrate(`\(up to date\)`, "up")
	code, _, stderr = tool(t, environ, "migrate", "down")
	require.Equal(t, ExitUsage, code, "it removes data unasked")
	require.Contains(t, stderr, "--yes")
	migrate(`\(1 to apply: parley migrate up\)`, "down", "--yes")
	code, _, stderr = tool(t, environ, "serve")
	require.Equal(t, ExitFailed, code, "it serves with a table missing")
	require.Contains(t, stderr, "run parley migrate up")
	code, _, stderr = tool(t, environ, "migrate", "down", "--steps", "0")
	require.Equal(t, ExitUsage, code, "it removes everything unasked")
	require.Contains(t, stderr, "--yes")
	migrate(`^version 0 of`, "down", "--steps", "0", "--yes")
	migrate(`\(up to date\)`, "up")
	p := startOn(t, strings.TrimPrefix(environ[0], "DATABASE_URL="), "MIGRATE_ON_START=false")
	p.register(t)
}

// A start lives while it migrates, or whoever asks whether it does would kill it in the middle.
func TestAStartThatMigratesLives(t *testing.T) {
	t.Parallel()
	database, address := pg.URL(t), freeAddress(t)
	conn := pg.Superuser(t, database)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `LOCK TABLE schema_migrations`)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, "test", []string{"parley", "serve"}, []string{
			"HTTP_ADDR=" + address, "DATABASE_URL=" + database, "DATA_DIR=" + t.TempDir(), "SECRET_KEY=" + secretKey, "DATABASE_MAX_CONNS=8",
		}, io.Discard, io.Discard)
	}()
	client := &http.Client{Transport: contractTransport{t: t, contract: loadedContract(), said: &secrets{}}, Timeout: 10 * time.Second}
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
	require.Eventually(t, func() bool { status, _ := ask("/healthz"); return status == http.StatusOK }, patience, tick)
	status, body := ask("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, `"migrating"`)
	status, body = ask("/v1/bots")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "DOWNSTREAM_UNAVAILABLE")
	require.NoError(t, tx.Rollback(t.Context()))
	require.Eventually(t, func() bool { status, _ := ask("/readyz"); return status == http.StatusOK }, patience, tick)
	stop()
	require.Equal(t, ExitOK, <-ended)
}

func TestAPortThatIsTakenIsOneClearLine(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	code, _, stderr := tool(t, []string{"DATABASE_URL=" + pg.URL(t), "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=" + taken.Addr().String()}, "serve")
	require.Equal(t, ExitFailed, code)
	require.Len(t, problems(stderr), 1, stderr)
	require.Regexp(t, `^parley: HTTP_ADDR: should be an address that is free: .*`+regexp.QuoteMeta(taken.Addr().String()), problems(stderr)[0])

	data := t.TempDir() // with a database of its own: it is found before that is made
	code, _, stderr = tool(t, []string{"DATA_DIR=" + data, "HTTP_ADDR=" + taken.Addr().String()}, "serve")
	require.Equal(t, ExitFailed, code)
	require.Contains(t, problems(stderr)[0], "HTTP_ADDR")
	made, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Empty(t, made)
}

// requireAway wants every call refused as DOWNSTREAM_UNAVAILABLE while the process itself is well.
func requireAway(t *testing.T, ada *caller) {
	t.Helper()
	require.Eventually(t, func() bool { return ada.get(t, "/readyz").Status == http.StatusServiceUnavailable }, patience, tick)
	ready := ada.get(t, "/readyz")
	require.Equal(t, "not_ready", ready.text("status"), ready)
	require.Equal(t, "failed", ready.text("checks.postgres.status"))
	require.Equal(t, http.StatusOK, ada.get(t, "/healthz").Status)
	for _, a := range append(everyCall(t, ada),
		ada.post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password}),
		ada.post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.refresh}),
		ada.post(t, "/v1/auth/register", map[string]any{"email": "new@example.com", "password": password, "workspace_name": "New"}),
		ada.post(t, "/v1/auth/logout", nil),
	) {
		requireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
}

// requireBack wants all well again, and an operation that was refused meanwhile to be done when it is sent again.
func requireBack(t *testing.T, ada *caller, refused header) {
	t.Helper()
	require.Eventually(t, func() bool { return ada.get(t, "/readyz").Status == http.StatusOK }, patience, tick)
	require.Eventually(t, func() bool {
		return ada.post(t, "/v1/bots", map[string]any{"name": "Again"}, refused).Status == http.StatusCreated
	}, patience, tick)
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/auth/me").Status)
	require.Len(t, ada.get(t, "/v1/bots").items(), 2)
}

func TestADatabaseThatIsAwayIsToldAndComesBack(t *testing.T) {
	t.Parallel()
	t.Run("it takes no connections", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		ada := p.register(t)
		ada.post(t, "/v1/bots", map[string]any{"name": "First"})
		at, err := url.Parse(p.database)
		require.NoError(t, err)
		name := pgx.Identifier{strings.TrimPrefix(at.Path, "/")}.Sanitize()
		at.Path = "/parley"
		beside := pg.Superuser(t, at.String())
		_, err = beside.Exec(t.Context(), `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`)
		require.NoError(t, err)
		_, err = beside.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE quote_ident(datname) = $1 OR datname = trim('"' FROM $1)`, name)
		require.NoError(t, err)
		op := operation(uuid.NewString())
		requireAway(t, ada)
		requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "Again"}, op), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		_, err = beside.Exec(t.Context(), `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
		require.NoError(t, err)
		requireBack(t, ada, op)
	})
	t.Run("its server is stopped", func(t *testing.T) {
		t.Parallel()
		options := embedded.Options{Dir: openFolder(t), Log: slog.New(slog.DiscardHandler), Unsafe: true}
		server, err := embedded.Start(t.Context(), options)
		require.NoError(t, err)
		t.Cleanup(func() { _ = server.Stop(context.Background()) })
		p := startOn(t, server.URL("parley"))
		ada := p.register(t)
		ada.post(t, "/v1/bots", map[string]any{"name": "First"})
		require.NoError(t, server.Stop(t.Context()))
		op := operation(uuid.NewString())
		requireAway(t, ada)
		requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "Again"}, op), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		server, err = embedded.Start(t.Context(), options)
		require.NoError(t, err)
		requireBack(t, ada, op)
		require.Equal(t, ExitOK, p.stop())
	})
}
