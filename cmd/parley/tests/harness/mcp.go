package harness

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// MCPServer is an MCP server with the tools "find.order", which only reads, and "order". They repeat their arguments.
type MCPServer struct {
	URL    string
	server *mcp.Server
	mu     sync.Mutex
	calls  []string
}

// NewMCPServer starts an MCP server, which programs reach with WEBHOOK_ALLOW_PRIVATE.
func NewMCPServer(t *testing.T) *MCPServer {
	t.Helper()
	s := &MCPServer{server: mcp.NewServer(&mcp.Implementation{Name: "shop", Version: "1"}, nil)}
	s.Define("find.order", "Finds an order.", true)
	s.Define("order", "Orders goods.", false)
	web := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s.server }, nil))
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	s.URL = web.URL + "/mcp"
	return s
}

// Define changes the definition of a tool.
func (s *MCPServer) Define(name, description string, readOnly bool) {
	s.server.AddTool(&mcp.Tool{
		Name: name, Description: description, InputSchema: json.RawMessage(`{"type":"object"}`), Annotations: &mcp.ToolAnnotations{ReadOnlyHint: readOnly},
	}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, name+" "+string(r.Params.Arguments))
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done " + string(r.Params.Arguments)}}}, nil
	})
}

// Remove removes a tool.
func (s *MCPServer) Remove(name string) { s.server.RemoveTools(name) }

// Calls returns the calls so far, each with its arguments.
func (s *MCPServer) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.calls...)
}

// ImportTool imports a tool of an MCP server, and returns its id.
func (c *Caller) ImportTool(t *testing.T, s *MCPServer, name string) string {
	t.Helper()
	a := c.Post(t, "/v1/tools/import-mcp", map[string]any{"url": s.URL, "tools": []string{name}})
	require.Equal(t, http.StatusOK, a.Status, a)
	tools := a.At("tools").([]any)
	require.Len(t, tools, 1)
	return tools[0].(map[string]any)["id"].(string)
}

// Reviewed lets a tool have a changed definition with a hash, which waits for a review.
func (c *Caller) Reviewed(t *testing.T, super *pgx.Conn, tool, hash string) {
	t.Helper()
	_, err := super.Exec(t.Context(), `INSERT INTO tool_reviews (workspace_id, tool_id, status, hash, description, schema, effect, problem, found_at)
		VALUES ($1, $2, 'waiting', $3, 'x', '{"type":"object"}', 'read', '', now())`, c.Workspace, tool, hash)
	require.NoError(t, err)
}
