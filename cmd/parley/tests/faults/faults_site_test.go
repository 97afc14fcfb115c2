//go:build faults

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/data/postgres/embedded"
	"github.com/parley/parley/platform/testing/foldertest"
)

// The fault suite: the real binary as a child process, on a Postgres of the test's own that writes as durably as in
// production. Clients send each operation again until they have a definite answer; then rows are counted.

// faultTimeout is how long anything here may take to come good again.
const faultTimeout = 60 * time.Second

// cluster is a Postgres server that a test owns, and may kill.
type cluster struct {
	dir    string
	server *embedded.Server
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir, err := foldertest.Make("parley-fault-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return startClusterIn(t, dir)
}

func startClusterIn(t *testing.T, dir string) *cluster {
	t.Helper()
	c := &cluster{dir: dir}
	c.start(t)
	t.Cleanup(func() { _ = c.server.Stop(context.Background()) })
	return c
}

func (c *cluster) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), faultTimeout)
	defer cancel()
	var err error
	c.server, err = embedded.Start(ctx, embedded.Options{Dir: c.dir, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
}

// kill takes the server away as a power cut does, and waits until it is gone.
func (c *cluster) kill(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	<-c.server.Done()
}

func (c *cluster) url() string {
	return c.server.URL("parley") + "&application_name=parley-under-fault"
}

// superuser connects as the superuser, whom row-level security does not bind.
func (c *cluster) superuser(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), c.server.URL("parley"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// site is where the program runs. It may die and come back, at another address; its data folder stays.
type site struct {
	t       *testing.T
	environ []string
	client  *http.Client
	url     atomic.Pointer[string]
	child   *life

	openFiles int // the limit of the program's open files; 0: that of the test

	mu      sync.Mutex
	answers map[int]int // how many of each status clients have seen; 0: none came
	observe func(client int, o *op, sent, came time.Time, a *harness.Answer)
}

func newSite(t *testing.T, database string, settings ...string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{
		t:       t,
		answers: map[int]int{},
		environ: append([]string{
			"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + database, "DATA_DIR=" + dir, "SECRET_KEY=" + harness.SecretKey,
			"DATABASE_MAX_CONNS=8", "AUTH_RATE_LIMIT_MAX=100000", "RATE_LIMIT_MAX=10000000", "ACCESS_TTL=1h",
			"UPKEEP_INTERVAL=200ms", "MODEL_TIMEOUT=1s",
		}, settings...),
		client: &http.Client{Transport: harness.ContractTransport{T: t, Contract: harness.LoadedContract()}, Timeout: harness.Timeout},
	}
	t.Cleanup(func() {
		if s.child != nil {
			s.kill()
		}
		if t.Failed() && s.child != nil {
			t.Logf("the last process logged:\n%s", s.child.log.tail())
		}
	})
	return s
}

// life is one life of the program.
type life struct {
	process *os.Process
	log     *lineLog
	done    chan struct{}
}

// launch starts the program and waits until it serves.
func (s *site) launch(settings ...string) {
	s.t.Helper()
	path, err := harness.BuiltProgram()
	require.NoError(s.t, err)
	c := &life{log: newLineLog(), done: make(chan struct{})}
	cmd := exec.Command(path, "serve")
	if s.openFiles > 0 {
		cmd = exec.Command("sh", "-c", `ulimit -n "$1"; exec "$0" serve`, path, strconv.Itoa(s.openFiles))
	}
	cmd.Env, cmd.Stderr = append(append([]string{}, s.environ...), settings...), c.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the death signal is bound to the thread
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(c.done)
	}()
	require.NoError(s.t, <-started)
	c.process, s.child = cmd.Process, c
	select {
	case url := <-c.log.Serving:
		s.url.Store(&url)
	case <-c.done:
		s.t.Fatalf("the program ended:\n%s", c.log.tail())
	case <-time.After(faultTimeout):
		s.t.Fatalf("the program does not serve:\n%s", c.log.tail())
	}
}

// kill ends the program as kill -9 does.
func (s *site) kill() {
	_ = s.child.process.Kill() // it may be dead already
	<-s.child.done
}

// died waits until the program has killed itself.
func (s *site) died() {
	s.t.Helper()
	select {
	case <-s.child.done:
	case <-time.After(faultTimeout):
		s.t.Fatalf("the program did not reach its fault point:\n%s", s.child.log.tail())
	}
}

// lineLog takes what a process writes apart into lines.
type lineLog struct {
	*harness.LogBuffer
	rest []byte
}

func newLineLog() *lineLog { return &lineLog{LogBuffer: harness.NewLogBuffer()} }

func (l *lineLog) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		if _, err := l.LogBuffer.Write(append(line, '\n')); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

// tail gives the last lines but for those of the access log.
func (l *lineLog) tail() string {
	var lines []string
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, `"msg":"request"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-30):], "")
}

// send makes one call. An error means that it is not known what came of it.
func (s *site) send(ctx context.Context, token, method, path, body string, headers ...harness.Header) (harness.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, *s.url.Load()+path, strings.NewReader(body))
	if err != nil {
		return harness.Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		req.Header.Set(h.Name, h.Value)
	}
	a, err := s.do(req)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[a.Status]++
	return a, err
}

func (s *site) do(req *http.Request) (harness.Answer, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return harness.Answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return harness.Answer{}, err
	}
	a := harness.Answer{Status: res.StatusCode, Header: res.Header, Raw: raw}
	_ = json.Unmarshal(raw, &a.Body) // what is no JSON fails the contract
	return a, nil
}

// seen tells how many answers of a status clients have had.
func (s *site) seen(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[status]
}

// pause waits; it ends early with the context.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// ageLeases ends the leases of turns that no process can be at any more, rather than waiting for it.
func ageLeases(ctx context.Context, db *pgx.Conn) error {
	_, err := db.Exec(ctx, `UPDATE llm_turns SET lease_until = now() - interval '1 s'
	    WHERE status = 'running' AND lease_until < now() + interval '30 s'`) // a lease is 31 s: an attempt of the last second lives
	return err
}

// ager ages leases all the time, on connections that may break, until the test ends.
func (c *cluster) ager(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	url := c.server.URL("parley")
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if conn, err := pgx.Connect(ctx, url); err == nil {
				for ctx.Err() == nil && ageLeases(ctx, conn) == nil {
					pause(ctx, 300*time.Millisecond)
				}
				_ = conn.Close(context.Background())
			}
			pause(ctx, 300*time.Millisecond)
		}
	}()
}

var errNoAnswer = errors.New("no definite answer in time")

func newID() uuid.UUID { return uuid.New() }
