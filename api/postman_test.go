package api_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
)

// postmanItem is a folder or a request of the collection.
type postmanItem struct {
	Item    []postmanItem
	Request *struct {
		Method string
		Header []struct{ Key, Value string }
		URL    struct{ Path []string }
	}
}

// Every call is in the collection, and no header has a placeholder that somebody would have to fill in. That it runs is a test of
// its own, make test-clients.
func TestThePostmanCollectionHasEveryCallAndNoPlaceholders(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("postman.json")
	require.NoError(t, err)
	var collection struct{ Item []postmanItem }
	require.NoError(t, json.Unmarshal(raw, &collection))
	requests := map[string]int{}
	for _, folder := range collection.Item {
		for _, item := range folder.Item {
			names := make([]string, len(item.Request.URL.Path))
			for i, part := range item.Request.URL.Path {
				names[i] = part
				if strings.HasPrefix(part, "{{") {
					names[i] = "{}"
				}
			}
			requests[item.Request.Method+" /"+strings.Join(names, "/")]++
			for _, header := range item.Request.Header {
				require.NotContains(t, header.Value, "<", header.Key)
				require.NotContains(t, []string{"X-Workspace-Id", "X-User-Id", "X-Operation-Id", "X-Trace-Id"}, header.Key)
			}
		}
	}
	document, err := api.JSON()
	require.NoError(t, err)
	var paths struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(document, &paths))
	for path, item := range paths.Paths {
		for method := range item {
			if method == "parameters" {
				continue
			}
			parts := strings.Split(path, "/")
			for i, part := range parts {
				if strings.HasPrefix(part, "{") {
					parts[i] = "{}"
				}
			}
			require.Contains(t, requests, strings.ToUpper(method)+" "+strings.Join(parts, "/"), "make generate")
		}
	}
}
