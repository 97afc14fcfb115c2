package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/pgtest"
)

var pg pgtest.Server

// atEnd tidies up after all tests.
var atEnd []func()

func TestMain(m *testing.M) {
	code := pg.Run(m)
	for _, tidy := range atEnd {
		tidy()
	}
	os.Exit(code)
}

// program is the whole program, started by run as a person would start it, on a database of the test's own.
type program struct {
	url      string // of the API
	database string // as superuser
	settings []string
	log      *logBuffer
	client   *http.Client
	stop     func() int // as a signal does, and waits; gives the exit code
}

// start runs `parley serve` and waits until it serves. More settings may be given as NAME=value.
func start(t *testing.T, settings ...string) *program {
	t.Helper()
	return startOn(t, pg.URL(t), settings...)
}

// secretKey is that of every program that names no other.
const secretKey = "a master secret that all programs of a test share"

func startOn(t *testing.T, database string, settings ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := newLogBuffer()
	environ := append([]string{
		"HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + database, "DATA_DIR=" + t.TempDir(), "DATABASE_MAX_CONNS=8", "AUTH_RATE_LIMIT_MAX=100000", "RATE_LIMIT_MAX=1000000",
		"SECRET_KEY=" + secretKey, // a database takes one
		"SHUTDOWN_DELAY=0s",       // also in production
	}, settings...)
	code := make(chan int, 1)
	go func() { code <- Run(ctx, "test", []string{"parley", "serve"}, environ, io.Discard, log) }()
	stop := sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	said := &secrets{}
	t.Cleanup(func() {
		stop()
		said.requireUnlogged(t, log)
	})
	p := &program{database: database, settings: environ, log: log, stop: stop}
	select {
	case p.url = <-log.serving:
	case <-time.After(30 * time.Second):
		t.Fatalf("parley does not serve:\n%s", log)
	case c := <-code:
		code <- c
		t.Fatalf("parley ended with %d:\n%s", c, log)
	}
	p.client = &http.Client{Transport: contractTransport{t: t, contract: loadedContract(), said: said}, Timeout: 30 * time.Second}
	return p
}

// restart stops the program and starts it anew on the same data; c goes on with it.
func (c *caller) restart(t *testing.T) {
	t.Helper()
	require.Equal(t, ExitOK, c.stop())
	c.program = startOn(t, c.database, c.settings...)
}

// logBuffer keeps what the program logs and tells the address when it serves.
type logBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	serving chan string
}

func newLogBuffer() *logBuffer { return &logBuffer{serving: make(chan string, 1)} }

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range bytes.Lines(b) { // the log writes several lines at once where they come together
		var line struct{ Msg, Address string }
		if json.Unmarshal(text, &line) == nil && line.Msg == "serving" {
			l.serving <- line.Address
		}
	}
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines gives the log as it was written, a map a line.
func (l *logBuffer) lines(t *testing.T) (lines []map[string]any) {
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

// caller makes calls to a program, with or without a token.
type caller struct {
	*program
	token     string
	refresh   string
	email     string
	user      string
	workspace string
}

const password = "correct horse battery"

// anonymous makes calls without a token.
func (p *program) anonymous() *caller { return &caller{program: p} }

// register makes a user with a workspace of its own.
func (p *program) register(t *testing.T) *caller {
	t.Helper()
	c := &caller{program: p, email: "u" + uuid.NewString() + "@example.com"}
	a := c.post(t, "/v1/auth/register", map[string]any{"email": c.email, "password": password, "workspace_name": "Acme"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	c.take(a)
	return c
}

// take uses the tokens of an answer from now on.
func (c *caller) take(a answer) {
	c.token, c.refresh = a.text("access_token"), a.text("refresh_token")
	c.user, c.workspace = a.text("user_id"), a.text("workspace_id")
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Raw    []byte
	Body   map[string]any
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Raw) }

// text reads a string of the body by its path: "details.turn_id".
func (a answer) text(path string) string {
	s, _ := a.at(path).(string)
	return s
}

func (a answer) at(path string) any {
	var v any = a.Body
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// items gives a list's items.
func (a answer) items() (items []map[string]any) {
	list, _ := a.Body["items"].([]any)
	for _, v := range list {
		items = append(items, v.(map[string]any))
	}
	return items
}

// header is a request header, given to the calls below.
type header struct{ name, value string }

func operation(id string) header { return header{"X-Operation-Id", id} }

func (c *caller) get(t *testing.T, path string, headers ...header) answer {
	t.Helper()
	return c.call(t, http.MethodGet, path, nil, headers...)
}

func (c *caller) post(t *testing.T, path string, body any, headers ...header) answer {
	t.Helper()
	return c.call(t, http.MethodPost, path, body, headers...)
}

func (c *caller) put(t *testing.T, path string, body any, headers ...header) answer {
	t.Helper()
	return c.call(t, http.MethodPut, path, body, headers...)
}

// call makes a call. A string or []byte body goes out as it is, nil as no body, anything else as JSON. Of headers with
// the same name the later one replaces the token or content type that the call would have; the value "" removes it.
func (c *caller) call(t *testing.T, method, path string, body any, headers ...header) answer {
	t.Helper()
	a, err := c.try(t, method, path, body, headers...)
	require.NoError(t, err)
	return a
}

// try is call for a program that may not answer.
func (c *caller) try(t *testing.T, method, path string, body any, headers ...header) (answer, error) {
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
	req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, reader)
	require.NoError(t, err)
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, h := range headers {
		req.Header.Del(h.name)
	}
	for _, h := range headers {
		if h.value != "" {
			req.Header.Add(h.name, h.value)
		}
	}
	res, err := c.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	a := answer{Status: res.StatusCode, Header: res.Header}
	if a.Raw, err = io.ReadAll(res.Body); err != nil {
		return answer{}, err
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && method != http.MethodHead {
		require.NoError(t, json.Unmarshal(a.Raw, &a.Body), string(a.Raw))
	}
	return a, nil
}

// requireCode asserts an error answer: status, code, the one format, the trace id of the header.
func requireCode(t *testing.T, a answer, status int, code string) {
	t.Helper()
	require.Equal(t, status, a.Status, a)
	require.Equal(t, code, a.text("code"), a)
	require.NotEmpty(t, a.text("message"), a)
	require.Equal(t, a.Header.Get("X-Trace-Id"), a.text("trace_id"), a)
	require.Len(t, a.Body, 4, a)
	require.Contains(t, a.Body, "details")
}
