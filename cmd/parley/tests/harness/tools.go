package harness

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// ToolBody is the body of a call that creates a tool.
func ToolBody(name string, more ...map[string]any) map[string]any {
	body := map[string]any{
		"kind": "http", "name": name, "description": "Returns an order.", "effect": "read", "url": "https://shop.example.com/orders/{order_id}", "method": "GET",
		"schema": map[string]any{"type": "object", "properties": map[string]any{"order_id": map[string]any{"type": "string"}}, "required": []string{"order_id"}},
	}
	for _, m := range more {
		maps.Copy(body, m)
	}
	return body
}

// NewTool creates a tool with a name of its own, and returns its id.
func (c *Caller) NewTool(t *testing.T, more ...map[string]any) string {
	t.Helper()
	a := c.Post(t, "/v1/tools", ToolBody("tool_"+strings.ReplaceAll(uuid.NewString(), "-", ""), more...))
	require.Equal(t, http.StatusCreated, a.Status, a)
	require.Equal(t, "/v1/tools/"+a.Text("id"), a.Header.Get("Location"))
	return a.Text("id")
}

// WaitingCall returns a call of a tool that waits, in a thread of its own: for a result where the tool is a client's, else for a person.
func (c *Caller) WaitingCall(t *testing.T, client bool) string {
	t.Helper()
	body := ToolBody("tool_"+strings.ReplaceAll(uuid.NewString(), "-", ""), map[string]any{
		"effect": "write", "method": "POST", "url": "https://shop.example.com/orders", "schema": map[string]any{"type": "object"},
	})
	if client {
		body["kind"] = "client"
		delete(body, "url")
		delete(body, "method")
	}
	tool := c.Post(t, "/v1/tools", body)
	require.Equal(t, http.StatusCreated, tool.Status, tool)
	thread := c.ThreadWith(t, map[string]any{"model": "echo", "tools": []any{map[string]any{"id": tool.Text("id")}}})
	turn := c.Say(t, thread, "call "+tool.Text("name")+` {"count": 12}`)
	require.Equal(t, http.StatusAccepted, turn.Status, turn)
	return turn.At("tool_call_ids").([]any)[0].(string)
}
