package bots

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestATurnShowsTheCredentialsOfItsToolToTheTargetAlone(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s: %t", r.Method, r.URL.Path, r.Header.Get("X-Key") == "sesame-key")
	}))
	t.Cleanup(shop.Close)
	ada := harness.Start(t).Register(t)
	tool := ada.Post(t, "/v1/tools", harness.ToolBody("get_order", map[string]any{
		"url": shop.URL + "/orders/{order_id}", "credentials": map[string]any{"type": "header", "name": "X-Key", "value": "sesame-key"},
	})).Text("id")
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "b", "settings": uses(tool)}).Text("id")
	turn := ada.Post(t, "/v1/conversations/threads/"+ada.Thread(t, bot)+"/turn", map[string]any{"content": `call get_order {"order_id": "7"}`})
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Contains(t, turn.Text("assistant_message.content"), "GET /orders/7: true")
	require.NotContains(t, string(turn.Raw), "sesame")
}
