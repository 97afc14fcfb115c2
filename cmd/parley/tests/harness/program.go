package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/testing/pgtest"
)

var Postgres pgtest.Server

// AtEnd tidies up after all tests.
var AtEnd []func()

// Program is the whole program, started by run as a person would start it, on a database of the test's own.
type Program struct {
	URL      string // of the API
	Database string // as superuser
	Settings []string
	Log      *LogBuffer
	Client   *http.Client
	Stop     func() int // as a signal does, and waits; gives the exit code
}

// Start runs `parley serve` and waits until it serves. More settings may be given as NAME=value.
func Start(t *testing.T, settings ...string) *Program {
	t.Helper()
	return StartOn(t, Postgres.URL(t), settings...)
}

// SecretKey is that of every program that names no other.
const SecretKey = "a master secret that all programs of a test share"

// StartAtFullCost is Start for tests that look at password hashes or at the time that they take: they are those of production.
func StartAtFullCost(t *testing.T, settings ...string) *Program {
	t.Helper()
	return start(context.Background(), t, Postgres.URL(t), settings...)
}

// economies are shared by all programs of a package.
var economies = app.NewEconomies()

func StartOn(t *testing.T, database string, settings ...string) *Program {
	t.Helper()
	return start(economies.With(context.Background()), t, database, settings...)
}

func start(ctx context.Context, t *testing.T, database string, settings ...string) *Program {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	log := NewLogBuffer()
	environ := append([]string{
		"HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + database, "DATA_DIR=" + dataFolder(t), "DATABASE_MAX_CONNS=8", "AUTH_RATE_LIMIT_MAX=100000", "RATE_LIMIT_MAX=1000000",
		"SECRET_KEY=" + SecretKey, // a database takes one
		"SHUTDOWN_DELAY=0s",       // also in production
		"SIGN_UP=open",            // the same
	}, settings...)
	code := make(chan int, 1)
	go func() { code <- app.Run(ctx, "test", []string{"parley", "serve"}, environ, io.Discard, log) }()
	stop := sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	secrets := &Secrets{}
	t.Cleanup(func() {
		stop()
		secrets.requireUnlogged(t, log)
	})
	p := &Program{Database: database, Settings: environ, Log: log, Stop: stop}
	select {
	case p.URL = <-log.Serving:
	case <-time.After(Timeout):
		t.Fatalf("parley does not serve:\n%s", log)
	case c := <-code:
		code <- c
		t.Fatalf("parley ended with %d:\n%s", c, log)
	}
	p.Client = &http.Client{Transport: ContractTransport{T: t, Contract: LoadedContract(), Secrets: secrets}, Timeout: Timeout}
	return p
}

// sharedPDFium is the folder in which all programs of all tests keep what PDFium was compiled to: compiling it takes some ten
// seconds of a processor.
var sharedPDFium = filepath.Join(os.TempDir(), "parley-test-pdfium")

// dataFolder returns a folder for the data of a program.
func dataFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(sharedPDFium, 0o700))
	require.NoError(t, os.Symlink(sharedPDFium, filepath.Join(folder, "pdfium")))
	return folder
}

// Restart stops the program and starts it anew on the same data; c goes on with it.
func (c *Caller) Restart(t *testing.T) {
	t.Helper()
	require.Equal(t, app.ExitOK, c.Stop())
	c.Program = StartOn(t, c.Database, c.Settings...)
}

// LogBuffer keeps what the program logs and tells the address when it serves.
type LogBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	Serving chan string
}

func NewLogBuffer() *LogBuffer { return &LogBuffer{Serving: make(chan string, 1)} }

func (l *LogBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range bytes.Lines(b) { // the log writes several lines at once where they come together
		var line struct{ Msg, Address string }
		if json.Unmarshal(text, &line) == nil && line.Msg == "serving" {
			l.Serving <- line.Address
		}
	}
	return l.text.Write(b)
}

func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines gives the log as it was written, a map a line.
func (l *LogBuffer) Lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	scanner := bufio.NewScanner(strings.NewReader(l.String()))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line map[string]any
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &line), scanner.Text())
		lines = append(lines, line)
	}
	return lines
}

// Caller makes calls to a program, with or without a token.
type Caller struct {
	*Program
	Token     string
	Refresh   string
	Email     string
	User      string
	Workspace string
}

const Password = "correct horse battery"

// Anonymous makes calls without a token.
func (p *Program) Anonymous() *Caller { return &Caller{Program: p} }

// Register makes a user with a workspace of its own.
func (p *Program) Register(t *testing.T) *Caller {
	t.Helper()
	c := &Caller{Program: p, Email: "u" + uuid.NewString() + "@example.com"}
	a := c.Post(t, "/v1/auth/register", map[string]any{"email": c.Email, "password": Password, "workspace_name": "Acme"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	c.Take(a)
	return c
}

// Take uses the tokens of an answer from now on.
func (c *Caller) Take(a Answer) {
	c.Token, c.Refresh = a.Text("access_token"), a.Text("refresh_token")
	c.User, c.Workspace = a.Text("user_id"), a.Text("workspace_id")
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
	Body   map[string]any
}

func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Raw) }

// Text reads a string of the body by its path: "details.turn_id".
func (a Answer) Text(path string) string {
	s, _ := a.At(path).(string)
	return s
}

func (a Answer) At(path string) any {
	var v any = a.Body
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// Items gives a list's items.
func (a Answer) Items() (items []map[string]any) {
	list, _ := a.Body["items"].([]any)
	for _, v := range list {
		items = append(items, v.(map[string]any))
	}
	return items
}

// Header is a request header, given to the calls below.
type Header struct{ Name, Value string }

func Operation(id string) Header { return Header{"X-Operation-Id", id} }

func (c *Caller) Get(t *testing.T, path string, headers ...Header) Answer {
	t.Helper()
	return c.Call(t, http.MethodGet, path, nil, headers...)
}

func (c *Caller) Post(t *testing.T, path string, body any, headers ...Header) Answer {
	t.Helper()
	return c.Call(t, http.MethodPost, path, body, headers...)
}

func (c *Caller) Put(t *testing.T, path string, body any, headers ...Header) Answer {
	t.Helper()
	return c.Call(t, http.MethodPut, path, body, headers...)
}

// Call makes a call. A string or []byte body goes out as it is, nil as no body, anything else as JSON. Of headers with
// the same name the later one replaces the token or content type that the call would have; the value "" removes it.
func (c *Caller) Call(t *testing.T, method, path string, body any, headers ...Header) Answer {
	t.Helper()
	a, err := c.Try(t, method, path, body, headers...)
	require.NoError(t, err)
	return a
}

// Try is call for a program that may not answer.
func (c *Caller) Try(t *testing.T, method, path string, body any, headers ...Header) (Answer, error) {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	case io.Reader:
		reader = b
	default:
		raw, err := json.Marshal(b)
		require.NoError(t, err)
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, reader)
	require.NoError(t, err)
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for _, h := range headers {
		req.Header.Del(h.Name)
	}
	for _, h := range headers {
		if h.Value != "" {
			req.Header.Add(h.Name, h.Value)
		}
	}
	res, err := c.Client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, Header: res.Header}
	if a.Raw, err = io.ReadAll(res.Body); err != nil {
		return Answer{}, err
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && method != http.MethodHead {
		require.NoError(t, json.Unmarshal(a.Raw, &a.Body), string(a.Raw))
	}
	return a, nil
}

// RequireCode asserts an error answer: status, code, the one format, the trace id of the header. In an answer in OpenAI's form
// it is what that form makes of them.
func RequireCode(t *testing.T, a Answer, status int, code string) {
	t.Helper()
	if _, compatible := a.Body["error"]; compatible {
		if status == http.StatusUnprocessableEntity {
			status = http.StatusBadRequest
		}
		require.Equal(t, status, a.Status, a)
		require.Equal(t, gateway.OpenAIErrorOf(fail.New(fail.Internal, code, ""), "").Error.Code, a.Text("error.code"), a)
		require.NotEmpty(t, a.Text("error.message"), a)
		require.Equal(t, a.Header.Get("X-Trace-Id"), a.Header.Get("X-Request-Id"), a)
		return
	}
	require.Equal(t, status, a.Status, a)
	require.Equal(t, code, a.Text("code"), a)
	require.NotEmpty(t, a.Text("message"), a)
	require.Equal(t, a.Header.Get("X-Trace-Id"), a.Text("trace_id"), a)
	require.Len(t, a.Body, 4, a)
	require.Contains(t, a.Body, "details")
}

// Run runs the tests of a package on a Postgres of their own, and removes what they have built. It returns the exit code.
func Run(m *testing.M) int {
	if len(os.Args) == 2 && os.Args[1] == "read-pdf" { // the program runs itself to read a PDF
		return app.Run(context.Background(), "test", os.Args, os.Environ(), os.Stdout, os.Stderr)
	}
	code := Postgres.Run(m)
	for _, tidy := range AtEnd {
		tidy()
	}
	return code
}
