package bots

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

const shop = `
openapi: 3.1.0
servers: [{url: https://shop.example.com}]
paths:
  /orders/{id}:
    get: {operationId: getOrder, parameters: [{name: id, in: path, required: true, schema: {type: string}}]}
    put: {operationId: putOrder, parameters: [{name: id, in: path, required: true, schema: {type: string}}, {name: X, in: cookie, required: true}]}
`

func TestChosenOperationsOfADocumentBecomeTools(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	listed := ada.Post(t, "/v1/tools/import", map[string]any{"document": shop})
	require.Equal(t, http.StatusOK, listed.Status, listed)
	candidates := listed.At("candidates").([]any)
	require.Len(t, candidates, 2)
	get, put := candidates[0].(map[string]any), candidates[1].(map[string]any)
	require.Equal(t, []any{"getOrder", nil, "putOrder"}, []any{get["name"], get["problem"], put["name"]})
	require.Contains(t, put["problem"], "cookie")
	require.Empty(t, ada.Get(t, "/v1/tools").Items(), "nothing was chosen")

	harness.RequireWrong(t, ada.Post(t, "/v1/tools/import", map[string]any{"document": shop, "operations": []string{"getOrder", "none"}}), "operations.1")
	harness.RequireWrong(t, ada.Post(t, "/v1/tools/import", map[string]any{"document": shop, "operations": []string{"getOrder", "putOrder"}}), "operations.1")
	harness.RequireWrong(t, ada.Post(t, "/v1/tools/import", map[string]any{"document": shop, "base_url": "https://169.254.169.254", "operations": []string{"getOrder"}}), "operations.0")
	require.Empty(t, ada.Get(t, "/v1/tools").Items(), "all or none")

	made := ada.Post(t, "/v1/tools/import", map[string]any{"document": shop, "operations": []string{"getOrder"}, "prefix": "shop_"})
	require.Equal(t, http.StatusOK, made.Status, made)
	tool := made.At("tools").([]any)[0].(map[string]any)
	require.Equal(t, []any{"shop_getOrder", "https://shop.example.com/orders/{id}", "read"}, []any{tool["name"], tool["url"], tool["effect"]})
	require.Len(t, ada.Get(t, "/v1/tools").Items(), 1)
	require.Equal(t, "tool.import", ada.Actions(t)[0])
	harness.RequireNameTaken(t, ada.Post(t, "/v1/tools/import", map[string]any{"document": shop, "operations": []string{"getOrder"}, "prefix": "shop_"}), "shop_getOrder", "operations.0")
}
