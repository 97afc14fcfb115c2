package bots

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/usage"
)

func TestAToolHasImmutableVersions(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	created := ada.Post(t, "/v1/tools", harness.ToolBody("get_order"))
	require.Equal(t, http.StatusCreated, created.Status, created)
	tool := created.Header.Get("Location")
	require.Equal(t, `"1"`, created.Header.Get("ETag"))
	require.Equal(t, []any{10_000.0, 65_536.0, nil}, []any{created.At("timeout_ms"), created.At("max_output_bytes"), created.At("idempotency_header")})
	require.Equal(t, created.Body, ada.Get(t, tool).Body)

	match := func(tag string) harness.Header { return harness.Header{Name: "If-Match", Value: tag} }
	changed := ada.Patch(t, tool, map[string]any{"effect": "write", "method": "POST", "idempotency_header": "Idempotency-Key", "note": "it orders now"}, match(`"1"`))
	require.Equal(t, http.StatusOK, changed.Status, changed)
	require.Equal(t, []any{2.0, "write", "Idempotency-Key", created.At("schema")}, []any{changed.At("current_version"), changed.At("effect"), changed.At("idempotency_header"), changed.At("schema")})
	late := ada.Patch(t, tool, map[string]any{"description": "x"}, match(`"1"`))
	harness.RequireCode(t, late, http.StatusPreconditionFailed, "VERSION_CONFLICT")
	require.EqualValues(t, 2, late.At("details.current_version"))
	require.Nil(t, ada.Patch(t, tool, map[string]any{"idempotency_header": ""}).At("idempotency_header"))

	versions := ada.Get(t, tool+"/versions").Items()
	require.Len(t, versions, 3)
	require.Equal(t, []any{"it orders now", "write"}, []any{versions[1]["note"], versions[1]["effect"]})
	first := ada.Get(t, tool+"/versions/1")
	require.Equal(t, []any{"get_order", "read", "GET"}, []any{first.At("name"), first.At("effect"), first.At("method")})
	harness.RequireCode(t, ada.Get(t, tool+"/versions/4"), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, "/v1/tools/"+uuid.NewString()+"/versions/1"), http.StatusNotFound, "TOOL_NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, "/v1/tools/"+uuid.NewString()+"/versions"), http.StatusNotFound, "TOOL_NOT_FOUND")

	harness.RequireNameTaken(t, ada.Post(t, "/v1/tools", harness.ToolBody("get_order")), "get_order", "name")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, tool).Status)
	harness.RequireCode(t, ada.Get(t, tool), http.StatusNotFound, "TOOL_NOT_FOUND")
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/tools", harness.ToolBody("get_order")).Status, "the name is free again")
	require.Equal(t, []string{"tool.create", "tool.delete", "tool.change", "tool.change", "tool.create"}, ada.Actions(t)[:5])
}

func TestTheDefinitionOfAToolIsChecked(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for name, test := range map[string]struct {
		more  map[string]any
		wrong string
	}{
		"a name with a space":      {map[string]any{"name": "get order"}, "name"},
		"a name of a choice":       {map[string]any{"name": "auto"}, "name"},
		"a kind that is none":      {map[string]any{"kind": "mcp"}, "kind"},
		"a schema of a list":       {map[string]any{"schema": map[string]any{"type": "array", "required": []string{"order_id"}}}, "schema"},
		"a schema of elsewhere":    {map[string]any{"schema": map[string]any{"type": "object", "required": []string{"order_id"}, "$ref": "https://example.com/x"}}, "schema"},
		"no URL":                   {map[string]any{"url": "ftp://example.com/{order_id}"}, "url"},
		"an address of ours":       {map[string]any{"url": "https://169.254.169.254/{order_id}"}, "url"},
		"a place in the host":      {map[string]any{"url": "https://{order_id}.example.com/"}, "url"},
		"a place in the query":     {map[string]any{"url": "https://example.com/?x={order_id}"}, "url"},
		"a place of no argument":   {map[string]any{"url": "https://example.com/{other}"}, "url"},
		"half a place":             {map[string]any{"url": "https://example.com/{order_id"}, "url"},
		"a header of HTTP":         {map[string]any{"idempotency_header": "Authorization"}, "idempotency_header"},
		"a URL of a client's tool": {map[string]any{"kind": "client"}, "url"},
		"a write by GET":           {map[string]any{"effect": "write"}, "method"},
		"too long":                 {map[string]any{"timeout_ms": 60_001}, "timeout_ms"},
	} {
		a := ada.Post(t, "/v1/tools", harness.ToolBody("t", test.more))
		if name == "a URL of a client's tool" {
			harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
			continue
		}
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s: %s", name, a)
		require.Equal(t, []string{test.wrong}, harness.Fields(a), "%s: %s", name, a)
	}
	client := map[string]any{"kind": "client", "name": "open_page", "description": "Opens a page.", "effect": "read", "schema": map[string]any{"type": "object"}}
	a := ada.Post(t, "/v1/tools", client)
	require.Equal(t, http.StatusCreated, a.Status, a)
	require.Nil(t, a.At("url"))
	harness.RequireWrong(t, ada.Patch(t, a.Header.Get("Location"), map[string]any{"url": "https://example.com"}), "url")
	require.Len(t, ada.Get(t, "/v1/tools?kind=client").Items(), 1)
	require.Empty(t, ada.Get(t, "/v1/tools?kind=http").Items())
	require.Len(t, ada.Get(t, "/v1/tools?q=PAGE").Items(), 1)
	ada.Limit(t, usage.Tools, 1)
	harness.RequireCode(t, ada.Post(t, "/v1/tools", harness.ToolBody("t")), http.StatusForbidden, "LIMIT_REACHED")
}

// uses are settings that name a tool.
func uses(tool string, more ...any) map[string]any {
	one := map[string]any{"id": tool}
	for i := 0; i < len(more); i += 2 {
		one[more[i].(string)] = more[i+1]
	}
	return map[string]any{"tools": []any{one}}
}

func TestSettingsNameToolsThatAreThere(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	tool := ada.Post(t, "/v1/tools", harness.ToolBody("get_order")).Text("id")
	also := func(settings map[string]any, key string, value any) map[string]any {
		settings[key] = value
		return settings
	}
	for name, settings := range map[string]map[string]any{
		"a tool":             uses(tool),
		"all of a tool":      uses(strings.ToUpper(tool), "version", 1, "approval", "always"),
		"no version":         uses(tool, "version", nil),
		"limits and choices": also(also(also(uses(tool), "tool_choice", "get_order"), "max_tool_calls", 50), "max_steps", 20),
		"required":           also(uses(tool), "tool_choice", "required"),
		"none of none":       {"tool_choice": "none"},
		"knowledge":          {"knowledge_mode": "tool", "tool_choice": "search_knowledge"},
	} {
		a := ada.Post(t, "/v1/bots", map[string]any{"name": name, "settings": settings})
		require.Equal(t, http.StatusCreated, a.Status, "%s: %s", name, a)
		require.Nil(t, a.At("warnings"), name)
	}
	twice := uses(tool)
	twice["tools"] = append(twice["tools"].([]any), map[string]any{"id": tool})
	for wrong, list := range map[string][]map[string]any{
		"settings.tools.0.id":       {uses(uuid.NewString())},
		"settings.tools.1.id":       {twice},
		"settings.tools.0.version":  {uses(tool, "version", 2), uses(tool, "version", 0)},
		"settings.tools.0.approval": {uses(tool, "approval", "maybe")},
		"settings.tools.0.more":     {uses(tool, "more", 1)},
		"settings.tool_choice":      {also(uses(tool), "tool_choice", "get_orders"), {"tool_choice": "required"}, {"tool_choice": "get_order"}},
		"settings.max_tool_calls":   {{"max_tool_calls": 51}},
		"settings.max_steps":        {{"max_steps": 0}},
		"settings.knowledge_mode":   {{"knowledge_mode": "never"}},
	} {
		for _, settings := range list {
			harness.RequireWrong(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x", "settings": settings}), wrong)
		}
	}
	harness.RequireWrong(t, eve.Post(t, "/v1/bots", map[string]any{"name": "x", "settings": uses(tool)}), "settings.tools.0.id")
}

func TestAToolInUseIsNotDeletedUnlessForced(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	tool := ada.NewTool(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "b", "settings": uses(strings.ToUpper(tool))}).Text("id")
	put := func(settings map[string]any, publish bool) {
		t.Helper()
		a := ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x", "settings": settings, "publish": publish})
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	inUse := func() {
		t.Helper()
		a := ada.Delete(t, "/v1/tools/"+tool)
		harness.RequireCode(t, a, http.StatusConflict, "TOOL_IN_USE")
		require.Equal(t, []any{map[string]any{"id": bot, "name": "b"}}, a.At("details.bots"))
	}
	inUse()
	put(map[string]any{}, false)
	inUse()
	put(map[string]any{}, true)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/bots/"+bot+"/publish", map[string]any{"version": 1}).Status)
	inUse()
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/tools/"+tool+"?force=true").Status)
}

func TestNoBotIsMissedThatIsMadeWhileItsToolIsDeleted(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for range 8 {
		tool := ada.NewTool(t)
		var made, deleted harness.Answer
		var both sync.WaitGroup
		both.Go(func() { made = ada.Post(t, "/v1/bots", map[string]any{"name": "a", "settings": uses(tool)}) })
		both.Go(func() { deleted = ada.Delete(t, "/v1/tools/"+tool) })
		both.Wait()
		require.NotEqual(t, made.Status == http.StatusCreated, deleted.Status == http.StatusNoContent, "%s\n%s", made, deleted)
	}
}

func TestAKeyOfSomeBotsSeesTheirToolsAlone(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	tool, other := ada.NewTool(t), ada.NewTool(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "b", "settings": uses(tool)}).Text("id")
	made := ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "editor", "bot_ids": []string{bot}})
	key := &harness.Caller{Program: ada.Program, Token: made.Text("key"), Workspace: ada.Workspace}
	require.Len(t, key.Get(t, "/v1/tools").Items(), 1)
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/tools/"+tool+"/versions/1").Status)
	harness.RequireCode(t, key.Get(t, "/v1/tools/"+other), http.StatusNotFound, "TOOL_NOT_FOUND")
	for _, a := range []harness.Answer{
		key.Post(t, "/v1/tools", harness.ToolBody("x")), key.Patch(t, "/v1/tools/"+tool, map[string]any{"description": "x"}), key.Delete(t, "/v1/tools/"+tool),
	} {
		require.Equal(t, http.StatusForbidden, a.Status, a)
	}
	harness.RequireWrong(t, key.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x", "settings": uses(other)}), "settings.tools.0.id")
	require.Equal(t, http.StatusOK, key.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x", "settings": uses(tool)}).Status)
}

func TestCredentialsAreNeverReadBackAndStayWithTheirHost(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	bearer := map[string]any{"type": "bearer", "token": "sesame-open"}
	created := ada.Post(t, "/v1/tools", harness.ToolBody("get_order", map[string]any{"credentials": bearer}))
	require.Equal(t, http.StatusCreated, created.Status, created)
	tool := created.Header.Get("Location")
	require.Equal(t, []any{"bearer", "https://shop.example.com:443"}, []any{created.At("credentials.type"), created.At("credentials.origin")})

	require.Equal(t, http.StatusOK, ada.Patch(t, tool, map[string]any{"url": "https://shop.example.com/v2/{order_id}"}).Status, "the same host")
	harness.RequireWrong(t, ada.Patch(t, tool, map[string]any{"url": "https://evil.example.com/{order_id}"}), "url")
	moved := ada.Patch(t, tool, map[string]any{"url": "https://other.example.com/{order_id}", "credentials": map[string]any{"type": "header", "name": "X-Key", "value": "sesame-other"}})
	require.Equal(t, []any{3.0, "header", "https://other.example.com:443"}, []any{moved.At("current_version"), moved.At("credentials.type"), moved.At("credentials.origin")}, moved)
	alone := ada.Patch(t, tool, map[string]any{"credentials": map[string]any{
		"type": "oauth_client_credentials", "token_url": "https://login.example.com/token", "client_id": "c", "client_secret": "sesame-client",
	}})
	require.Equal(t, []any{3.0, "oauth_client_credentials"}, []any{alone.At("current_version"), alone.At("credentials.type")}, "credentials are of no version")

	for wrong, credentials := range map[string]map[string]any{
		"credentials.type":          {"type": "basic"},
		"credentials.token":         {"type": "bearer"},
		"credentials.value":         {"type": "bearer", "token": "x", "value": "y"},
		"credentials.name":          {"type": "header", "name": "Host", "value": "y"},
		"credentials.token_url":     {"type": "oauth_client_credentials", "token_url": "https://169.254.169.254/", "client_id": "c", "client_secret": "s"},
		"credentials.client_secret": {"type": "oauth_client_credentials", "token_url": "https://login.example.com/token", "client_id": "c"},
	} {
		harness.RequireWrong(t, ada.Patch(t, tool, map[string]any{"credentials": credentials}), wrong)
	}
	for _, path := range []string{tool, "/v1/tools", tool + "/versions", "/v1/audit-log"} {
		require.NotContains(t, string(ada.Get(t, path).Raw), "sesame", path)
	}
	require.Empty(t, ada.Texts(t, `SELECT tool_id::text FROM tool_credentials WHERE position('sesame' IN encode(sealed, 'escape')) > 0`))
	require.Nil(t, ada.Patch(t, tool, map[string]any{"credentials": nil}).At("credentials"))
	require.Empty(t, ada.Texts(t, `SELECT tool_id::text FROM tool_credentials`))
}
