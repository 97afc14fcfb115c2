package httptool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/adapters/httptool"
	"github.com/parley/parley/modules/bots/adapters/tooltarget"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

func newCaller(targets webhook.Targets) httptool.Caller {
	return httptool.Caller{Target: tooltarget.Client{
		HTTP: webhook.NewStreamClient(targets),
		Guard: resilience.NewGroup("tool", resilience.Policy{
			Timeout: time.Minute, Concurrency: 64, PerSource: 16, Failures: 5, Sources: 3, OpenFor: time.Minute,
		}, slog.New(slog.DiscardHandler)),
		Slots: resilience.NewSlots(16), Tokens: tooltarget.NewTokens(),
	}}
}

// tool is a tool at a URL, changed by more.
func tool(url string, more ...func(d *domain.ToolDefinition)) domain.ToolVersion {
	d := domain.ToolDefinition{Effect: domain.Reads, Timeout: 5 * time.Second, MaxOutputBytes: 1000, URL: url, Method: http.MethodPost}
	for _, change := range more {
		change(&d)
	}
	return domain.ToolVersion{ToolID: uuid.New(), Number: 1, Kind: domain.HTTPTool, Name: "get_order", Definition: d}
}

func method(name string) func(d *domain.ToolDefinition) {
	return func(d *domain.ToolDefinition) { d.Method = name }
}

func quick(d *domain.ToolDefinition) { d.Timeout = 300 * time.Millisecond }

func call(t *testing.T, c httptool.Caller, v domain.ToolVersion, arguments string) domain.ToolOutcome {
	t.Helper()
	ctx := callctx.With(t.Context(), &callctx.Call{Principal: callctx.Principal{WorkspaceID: uuid.MustParse("01932d3c-7a3e-7c52-9d0e-2f6f5f8f0a11")}})
	outcome, err := c.Call(ctx, ports.ToolCall{Version: v, Operation: uuid.MustParse("01932d3c-7a3e-7c52-9d0e-2f6f5f8f0a12"), Arguments: json.RawMessage(arguments)})
	require.NoError(t, err)
	return outcome
}

func TestArgumentsAreSentAsTheDefinitionSays(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.RequestURI, r.Header.Get("Content-Type"), body, r.Header.Get("X-Request-Key"))
	}))
	t.Cleanup(server.Close)
	caller := newCaller(webhook.AnyTargets)
	for name, test := range map[string]struct {
		tool            domain.ToolVersion
		arguments, want string
	}{
		"a body":            {tool(server.URL), `{"b": 1, "a": "x"}`, `POST / application/json {"b": 1, "a": "x"} `},
		"no arguments":      {tool(server.URL), ``, `POST / application/json {} `},
		"a query":           {tool(server.URL+"/o?v=1", method("GET")), `{"b": [1, "2"], "a": "x&y=1", "t": true, "n": null}`, `GET /o?a=x%26y%3D1&b=1&b=2&t=true&v=1   `},
		"a delete":          {tool(server.URL+"/o/{id}", method("DELETE")), `{"id": 7, "x": 1}`, `DELETE /o/7?x=1   `},
		"a place":           {tool(server.URL+"/o/{id}/lines/{n}", method("PUT")), `{"id": "a/b?c#d %", "n": 2, "x": 1}`, `PUT /o/a%2Fb%3Fc%23d%20%25/lines/2 application/json {"x":1} `},
		"one place twice":   {tool(server.URL+"/{id}/{id}", method("GET")), `{"id": "1"}`, `GET /1/1   `},
		"a key of the call": {tool(server.URL, func(d *domain.ToolDefinition) { d.IdempotencyHeader = "X-Request-Key" }), `{}`, `POST / application/json {} 01932d3c-7a3e-7c52-9d0e-2f6f5f8f0a12`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := call(t, caller, test.tool, test.arguments)
			require.Equal(t, domain.ToolSucceeded, got.Status, got.Text)
			require.Equal(t, test.want, got.Text)
			require.Equal(t, 200, got.HTTPStatus)
			require.Positive(t, got.Duration)
		})
	}
	for name, test := range map[string]struct {
		tool      domain.ToolVersion
		arguments string
	}{
		"another path":         {tool(server.URL + "/o/{id}"), `{"id": ".."}`},
		"a part of one":        {tool(server.URL + "/o/{id}"), `{"id": "a/../../admin"}`},
		"a part of Windows":    {tool(server.URL + "/o/{id}"), `{"id": "..\\admin"}`},
		"nothing":              {tool(server.URL + "/o/{id}"), `{"id": ""}`},
		"a line":               {tool(server.URL + "/o/{id}"), `{"id": "a\nb"}`},
		"no value":             {tool(server.URL + "/o/{id}"), `{}`},
		"a list in a path":     {tool(server.URL + "/o/{id}"), `{"id": ["x"]}`},
		"an object in a query": {tool(server.URL, method("GET")), `{"id": {}}`},
		"what is fixed":        {tool(server.URL+"?key=1", method("GET")), `{"key": "2"}`},
	} {
		got := call(t, caller, test.tool, test.arguments)
		require.Equal(t, domain.ToolInvalid, got.Status, "%s: %s", name, got.Text)
		require.NotEmpty(t, got.Text)
	}
}

// raw is a server that answers each connection by hand, once it has read the head of the request.
func raw(t *testing.T, answer func(conn net.Conn)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := conn.Read(make([]byte, 64<<10)); err == nil {
					answer(conn)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func says(text string) func(conn net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

func hangs(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func TestWhatBecomesOfACall(t *testing.T) {
	t.Parallel()
	ok := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	closed := raw(t, hangs)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	for name, test := range map[string]struct {
		url    string
		status domain.ToolStatus
		http   int
		text   string
	}{
		"it answers":                   {raw(t, says(ok+"Content-Length: 4\r\n\r\ngood")), domain.ToolSucceeded, 200, "good"},
		"nothing":                      {raw(t, says("HTTP/1.1 204 No Content\r\n\r\n")), domain.ToolSucceeded, 204, ""},
		"an error":                     {raw(t, says("HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\nno order")), domain.ToolFailed, 404, "no order"},
		"an error of the server":       {raw(t, says("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nbroken")), domain.ToolFailed, 500, "500"},
		"a redirect":                   {raw(t, says("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")), domain.ToolFailed, 302, "redirect"},
		"nobody listens":               {nobody, domain.ToolFailed, 0, "was not called"},
		"it hangs":                     {closed, domain.ToolUnknown, 0, "in time"},
		"it closes":                    {raw(t, func(net.Conn) {}), domain.ToolUnknown, 0, "unknown"},
		"no HTTP":                      {raw(t, says("SSH-2.0-OpenSSH\r\n")), domain.ToolUnknown, 0, "unknown"},
		"it closes in its answer":      {raw(t, says(ok+"Content-Length: 100\r\n\r\nhalf")), domain.ToolUnknown, 200, "broke off"},
		"it hangs in its answer":       {raw(t, func(conn net.Conn) { says(ok + "Content-Length: 100\r\n\r\nhalf")(conn); hangs(conn) }), domain.ToolUnknown, 200, "broke off"},
		"a chunk breaks off":           {raw(t, says(ok+"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf")), domain.ToolUnknown, 200, "broke off"},
		"more than it says":            {raw(t, says(ok+"Content-Length: 4\r\n\r\ngood and more")), domain.ToolSucceeded, 200, "good"},
		"a huge answer":                {raw(t, says(ok+"Content-Length: 100000000\r\n\r\n"+strings.Repeat("é", 2000))), domain.ToolSucceeded, 200, strings.Repeat("é", 500)},
		"a picture":                    {raw(t, says("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\x89PNG")), domain.ToolSucceeded, 200, "no text"},
		"bytes that are none of UTF-8": {raw(t, says(ok+"Content-Length: 5\r\n\r\na\xff\x00b\xc3")), domain.ToolSucceeded, 200, "a\uFFFD\uFFFDb\uFFFD"},
		"headers without end": {raw(t, func(conn net.Conn) {
			says(ok)(conn)
			for range 40 {
				if _, err := fmt.Fprintf(conn, "X-%s: 1\r\n", strings.Repeat("x", 2000)); err != nil {
					return
				}
			}
			hangs(conn)
		}), domain.ToolUnknown, 0, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			got := call(t, newCaller(webhook.AnyTargets), tool(test.url, quick), `{}`)
			require.Less(t, time.Since(begun), 20*time.Second)
			require.Equal(t, []any{test.status, test.http}, []any{got.Status, got.HTTPStatus}, got.Text)
			require.Contains(t, got.Text, test.text)
			require.Equal(t, strings.Contains(name, "huge"), got.Truncated)
			require.LessOrEqual(t, len(got.Text), 1000)
		})
	}
}

func TestAnAddressThatIsNotAllowedIsNotCalled(t *testing.T) {
	t.Parallel()
	var called atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	t.Cleanup(server.Close)
	for _, url := range []string{server.URL, strings.Replace(server.URL, "http:", "https:", 1), "http://169.254.169.254/latest"} {
		got := call(t, newCaller(webhook.PublicTargets), tool(url), `{}`)
		require.Equal(t, domain.ToolFailed, got.Status, got.Text)
		require.Contains(t, got.Text, "was not called")
	}
	require.False(t, called.Load())
}

func TestAToolThatFailsIsNotCalledForAWhile(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(server.Close)
	caller := newCaller(webhook.AnyTargets)
	for range 5 {
		require.Equal(t, 502, call(t, caller, tool(server.URL), `{}`).HTTPStatus)
	}
	got := call(t, caller, tool(server.URL), `{}`)
	require.Equal(t, []any{domain.ToolFailed, 0}, []any{got.Status, got.HTTPStatus})
	require.Contains(t, got.Text, "failed too often")
	require.EqualValues(t, 5, calls.Load())
}

func TestACallThatIsEndedIsUnknownOnceItWasSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(callctx.With(t.Context(), &callctx.Call{Principal: callctx.Principal{WorkspaceID: uuid.New()}}))
	url := raw(t, func(conn net.Conn) { cancel(); hangs(conn) })
	got, err := newCaller(webhook.AnyTargets).Call(ctx, ports.ToolCall{Version: tool(url)})
	require.NoError(t, err)
	require.Equal(t, domain.ToolUnknown, got.Status, got.Text)
	got, err = newCaller(webhook.AnyTargets).Call(ctx, ports.ToolCall{Version: tool(url)})
	require.NoError(t, err)
	require.Equal(t, domain.ToolFailed, got.Status, got.Text)
}

func TestCredentialsAreShownToTheTarget(t *testing.T) {
	t.Parallel()
	var given atomic.Int64
	var refused atomic.Bool
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "client" || password != "secret" || r.FormValue("scope") != "orders more" || r.FormValue("grant_type") != "client_credentials" {
			http.Error(w, "sesame", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "token-%d", "token_type": "Bearer", "expires_in": 3600}`, given.Add(1))
	}))
	t.Cleanup(tokens.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused.Swap(false) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, r.Header.Get("Authorization")+r.Header.Get("X-Key"))
	}))
	t.Cleanup(server.Close)
	caller := newCaller(webhook.AnyTargets)
	ask := func(secrets domain.Credentials) domain.ToolOutcome {
		ctx := callctx.With(t.Context(), &callctx.Call{Principal: callctx.Principal{WorkspaceID: uuid.New()}})
		got, err := caller.Call(ctx, ports.ToolCall{Version: tool(server.URL), Credentials: &secrets})
		require.NoError(t, err)
		return got
	}
	require.Equal(t, "k1", ask(domain.Credentials{Type: domain.HeaderCredentials, Name: "X-Key", Value: "k1"}).Text)
	require.Equal(t, "Bearer t1", ask(domain.Credentials{Type: domain.BearerCredentials, Token: "t1"}).Text)

	client := domain.Credentials{Type: domain.OAuthCredentials, TokenURL: tokens.URL, ClientID: "client", ClientSecret: "secret", Scope: "orders more"}
	ctx := callctx.With(t.Context(), &callctx.Call{Principal: callctx.Principal{WorkspaceID: uuid.New()}})
	again := func() string {
		got, err := caller.Call(ctx, ports.ToolCall{Version: tool(server.URL), Credentials: &client})
		require.NoError(t, err)
		return got.Text
	}
	require.Equal(t, []string{"Bearer token-1", "Bearer token-1"}, []string{again(), again()}, "one token for both")
	require.Equal(t, "Bearer token-2", ask(client).Text, "another workspace has another")
	refused.Store(true)
	require.Contains(t, again(), "401")
	require.Equal(t, "Bearer token-3", again(), "a token that was refused is not used again")
	client.ClientSecret = "wrong"
	got := ask(client)
	require.Equal(t, []any{domain.ToolFailed, 0}, []any{got.Status, got.HTTPStatus})
	require.Contains(t, got.Text, "answered 401")
	require.NotContains(t, got.Text, "sesame")
	require.NotContains(t, got.Text, "wrong")
}
