package mcptool_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/work/webhook"
)

func TestAnAddressThatIsNotAllowedIsNotCalled(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	url := serve(t, server("Finds an order.", returns(&mcp.CallToolResult{})), nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	})
	for _, target := range []string{url, "http://169.254.169.254/mcp"} {
		got := call(t, newCaller(webhook.PublicTargets), pinned(target, domain.RemoteTool{Name: "a"}), `{}`)
		require.Equal(t, domain.ToolFailed, got.Status)
		require.Contains(t, got.Text, "was not called: the address is not public")
		_, err := newCaller(webhook.PublicTargets).List(inWorkspace(t), target, nil)
		require.ErrorContains(t, err, "the address is not public")
	}
	require.False(t, asked.Load())
}

func TestAServerThatFailsIsNotCalledForAWhile(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	url := serve(t, server("", returns(nil)), nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(http.StatusBadGateway)
		})
	})
	caller := newCaller(webhook.AnyTargets)
	for range 5 {
		require.Contains(t, call(t, caller, pinned(url, domain.RemoteTool{Name: "a"}), `{}`).Text, "it answered 502")
	}
	before := asked.Load()
	require.Contains(t, call(t, caller, pinned(url, domain.RemoteTool{Name: "a"}), `{}`).Text, "failed too often")
	require.Equal(t, before, asked.Load())
}

func TestCredentialsAreShownToTheServer(t *testing.T) {
	t.Parallel()
	var given atomic.Int64
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "client" || password != "secret" {
			http.Error(w, "sesame", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "token-%d", "token_type": "Bearer", "expires_in": 3600}`, given.Add(1))
	}))
	t.Cleanup(tokens.Close)
	var want atomic.Value
	want.Store("Bearer t1")
	var refused atomic.Int64
	url := serve(t, server("Finds an order.", returns(&mcp.CallToolResult{Content: []mcp.Content{text("found")}})), nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization") + r.Header.Get("X-Key"); got != want.Load() {
				refused.Add(1)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	caller := newCaller(webhook.AnyTargets)
	bearer := &domain.Credentials{Type: domain.BearerCredentials, Token: "t1"}
	tools, err := caller.List(inWorkspace(t), url, bearer)
	require.NoError(t, err)
	v := pinned(url, tools[0])
	ask := func(secrets *domain.Credentials) domain.ToolOutcome {
		got, err := caller.Call(inWorkspace(t), ports.ToolCall{Version: v, Credentials: secrets})
		require.NoError(t, err)
		return got
	}
	require.Equal(t, "found", ask(bearer).Text)
	require.Contains(t, ask(nil).Text, "was not called: it answered 401")
	want.Store("k1")
	require.Equal(t, "found", ask(&domain.Credentials{Type: domain.HeaderCredentials, Name: "X-Key", Value: "k1"}).Text)

	client := &domain.Credentials{Type: domain.OAuthCredentials, TokenURL: tokens.URL, ClientID: "client", ClientSecret: "secret"}
	want.Store("Bearer token-1")
	require.Equal(t, "found", ask(client).Text)
	require.Equal(t, "found", ask(client).Text)
	require.EqualValues(t, 1, given.Load(), "one token for both")
	want.Store("Bearer token-2")
	require.Equal(t, "found", ask(client).Text, "a token that was refused is not used again: another one is asked for")
	_, err = caller.List(inWorkspace(t), url, &domain.Credentials{Type: domain.BearerCredentials, Token: "wrong"})
	require.ErrorContains(t, err, "credentials must be those that the server accepts: it answered 401")
	client.ClientSecret = "wrong"
	got := ask(client)
	require.Equal(t, domain.ToolFailed, got.Status)
	require.Contains(t, got.Text, "the server of its access tokens answered 401")
	require.NotContains(t, got.Text, "sesame")
	_, err = caller.List(inWorkspace(t), url, client)
	require.ErrorContains(t, err, "credentials must be those that the server accepts: the server of its access tokens answered 401")
}

func TestAnAnswerIsReadOnAfterItsStreamWasClosed(t *testing.T) {
	t.Parallel()
	var calls, resumed atomic.Int64
	var id atomic.Value
	url := serve(t, server("Finds an order.", returns(&mcp.CallToolResult{})), nil, func(next http.Handler) http.Handler {
		called := atCall(func(w http.ResponseWriter, r *http.Request) {
			var message struct{ ID json.RawMessage }
			_ = json.NewDecoder(r.Body).Decode(&message)
			id.Store(string(message.ID))
			calls.Add(1)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "id: 1\nretry: 10\ndata:\n\n")
		})(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				called.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			if resumed.Add(1); r.Header.Get("Last-Event-Id") == "1" {
				_, _ = fmt.Fprintf(w, "id: 2\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"late\"}]}}\n\n", id.Load())
			}
		})
	})
	got := call(t, newCaller(webhook.AnyTargets), imported(t, url), `{}`)
	require.Equal(t, []any{domain.ToolSucceeded, "late"}, []any{got.Status, got.Text})
	require.Equal(t, []int64{1, 1}, []int64{calls.Load(), resumed.Load()})
}
