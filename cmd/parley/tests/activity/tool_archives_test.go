package activity

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAnImportHasTheCallsOfToolsVariablesOutputsAndAttachments(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	ada, bob := p.Register(t), p.Register(t)
	tool := ada.Post(t, "/v1/tools", map[string]any{
		"kind": "client", "name": "ask", "description": "Asks.", "effect": "read", "schema": map[string]any{"type": "object"},
	})
	require.Equal(t, http.StatusCreated, tool.Status, tool)
	asks := ada.ThreadWith(t, map[string]any{"model": "echo", "tools": []any{map[string]any{"id": tool.Text("id")}}})
	require.Equal(t, http.StatusAccepted, ada.Say(t, asks, `call ask {"color": "red"}`).Status)
	call := ada.Get(t, "/v1/tool-calls").Items()[0]
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/tool-calls/"+call["id"].(string)+"/result", map[string]any{"content": "yes"}).Status)
	ada.WaitUntil(t, "/v1/conversations/threads/"+asks+"/turns/"+call["turn_id"].(string), "status", "completed")
	require.Equal(t, http.StatusAccepted, ada.Say(t, asks, `call ask {"color": "blue"}`).Status)
	waits := ada.Get(t, "/v1/tool-calls?status=waiting").Items()[0]

	reads := ada.ThreadWith(t, map[string]any{
		"model": "echo", "output_schema": json.RawMessage(`{"type":"object"}`), "variables": []any{map[string]any{"name": "plan", "default": "free"}},
	})
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/conversations/threads/"+reads, map[string]any{"variables": map[string]any{"plan": "pro"}}).Status)
	require.Equal(t, http.StatusOK, ada.Say(t, reads, `{"item": "cup"}`).Status)

	file := ada.Upload(t, "terms.txt", "Parcels leave every Tuesday.")
	require.Equal(t, http.StatusCreated, file.Status, file)
	attached := ada.ThreadWith(t, map[string]any{"model": "echo"})
	sent := ada.Post(t, "/v1/conversations/threads/"+attached+"/turn", map[string]any{
		"content": "What is in it?", "attachments": []any{map[string]any{"file_id": file.Text("id")}},
	})
	require.Contains(t, sent.Text("assistant_message.content"), "Parcels leave every Tuesday.", sent)

	path := stored(t, archiveOf(t, ada))
	code, out, errs := p.Parley(t, "import", "--json", "--owner", bob.Email, path)
	require.Equal(t, app.ExitOK, code, errs)
	var line struct {
		WorkspaceID string           `json:"workspace_id"`
		Imported    map[string]int64 `json:"imported"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &line), out)
	require.EqualValues(t, 2, line.Imported["tool_calls"])
	there := harness.Header{Name: "X-Workspace-Id", Value: line.WorkspaceID}
	for _, same := range []string{
		"/v1/tool-calls/" + call["id"].(string), "/v1/conversations/threads/" + reads, "/v1/conversations/threads/" + reads + "/messages",
		"/v1/conversations/threads/" + reads + "/turns", "/v1/conversations/threads/" + asks + "/messages",
		"/v1/conversations/threads/" + attached + "/messages",
	} {
		require.Equal(t, without(ada.Get(t, same).Body, "workspace_id"), without(bob.Get(t, same, there).Body, "workspace_id"), same)
	}
	require.Equal(t, map[string]any{"item": "cup"}, bob.Get(t, "/v1/conversations/threads/"+reads+"/messages", there).Items()[1]["output"])
	require.Equal(t, "cancelled", bob.Get(t, "/v1/tool-calls/"+waits["id"].(string), there).Text("status"), "of a turn that has failed here")
	again := bob.Post(t, "/v1/conversations/threads/"+asks+"/turns/"+waits["turn_id"].(string)+"/retry", nil, there)
	require.Equal(t, http.StatusOK, again.Status, again)
	require.Contains(t, again.Text("assistant_message.content"), "cancelled")
}
