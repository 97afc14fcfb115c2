package mcptool_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/work/webhook"
)

func TestServersThatCannotBeAskedNameTheField(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	answers := func(status int, kind, body string) string {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(web.Close)
		return web.URL
	}
	good := server("Finds an order.", returns(&mcp.CallToolResult{}))
	lists := func(result string) string {
		return serve(t, good, &mcp.StreamableHTTPOptions{JSONResponse: true}, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				raw, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(strings.NewReader(string(raw)))
				var message struct {
					ID     json.RawMessage
					Method string
				}
				_ = json.Unmarshal(raw, &message)
				if message.Method != "tools/list" {
					next.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, message.ID, result)
			})
		})
	}
	many := `{"name":"t","inputSchema":{"type":"object"}}` + strings.Repeat(`,{"name":"t","inputSchema":{"type":"object"}}`, 600)
	for name, test := range map[string]struct{ url, field, text string }{
		"nobody listens":      {nobody, "url", "cannot be reached"},
		"no MCP":              {answers(200, "text/html", "<html>"), "url", "none of MCP"},
		"no such page":        {answers(404, "text/html", "<html>"), "url", "404"},
		"a redirect":          {answers(302, "text/html", ""), "url", "redirect"},
		"no rights":           {answers(401, "text/plain", ""), "credentials", "401"},
		"another right":       {answers(403, "text/plain", ""), "credentials", "403"},
		"too many tools":      {lists(`{"tools":[` + many + `]}`), "url", "500 tools"},
		"pages without end":   {lists(`{"tools":[],"nextCursor":"again"}`), "url", "50 pages"},
		"tools that are none": {lists(`{"tools":"many"}`), "url", "none of MCP"},
		"a huge list":         {lists(`{"tools":[{"name":"` + strings.Repeat("x", 5<<20) + `"}]}`), "url", "bytes"},
	} {
		_, err := newCaller(webhook.AnyTargets).List(inWorkspace(t), test.url, nil)
		var rule *domain.RuleError
		require.ErrorAs(t, err, &rule, name)
		require.Equal(t, test.field, rule.Field, "%s: %s", name, rule.Rule)
		require.Contains(t, rule.Rule, test.text, name)
		require.NotContains(t, rule.Rule, "127.0.0.1", name)
	}
}

func TestOddToolsAreListedWithTheirProblem(t *testing.T) {
	t.Parallel()
	s := mcp.NewServer(&mcp.Implementation{Name: "shop", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "big", InputSchema: json.RawMessage(`{"type":"object","description":"` + strings.Repeat("x", 40_000) + `"}`)}, returns(nil))
	s.AddTool(&mcp.Tool{Name: "plain", Title: "A plain tool", InputSchema: json.RawMessage(`{"type":"object","$schema":"http://json-schema.org/draft-07/schema#"}`)}, returns(nil))
	s.AddTool(&mcp.Tool{Name: "wordy", Description: strings.Repeat("é", 5000), InputSchema: json.RawMessage(`{"type":"object"}`)}, returns(nil))
	tools, err := newCaller(webhook.AnyTargets).List(inWorkspace(t), serve(t, s, nil, nil), nil)
	require.NoError(t, err)
	require.Len(t, tools, 3)
	require.Equal(t, []any{"big", "Calls the tool big.", 0}, []any{tools[0].Name, tools[0].Description, len(tools[0].Schema)})
	require.Contains(t, tools[0].Problem, "32768 bytes")
	require.Equal(t, []any{"A plain tool", `{"type":"object"}`, ""}, []any{tools[1].Description, string(tools[1].Schema), tools[1].Problem})
	require.Equal(t, strings.Repeat("é", 4000), tools[2].Description)
}
