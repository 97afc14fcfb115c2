package turns

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

// ids are those of the models in an answer, with the source of each.
func ids(a harness.Answer) (list []string) {
	for _, m := range a.Items() {
		list = append(list, m["id"].(string)+" "+m["source"].(string))
	}
	return list
}

func TestAWorkspaceSeesWhichModelsItCanUse(t *testing.T) {
	t.Parallel()
	operator := modeltest.New(t)
	ada := harness.Start(t, "OPENAI_BASE_URL="+operator.URL, "WEBHOOK_ALLOW_PRIVATE=true", prices, "MODEL_ALLOW=openai/gpt-4o*,anthropic/*,openai/o3").Register(t)
	eve := ada.Register(t)
	a := ada.Get(t, "/v1/models")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, []string{"echo operator", "openai/o3 operator", "openai/small operator"}, ids(a))
	require.Equal(t, []any{"openai/gpt-4o*"}, a.At("patterns"), "the operator has no key for anthropic")
	require.Empty(t, a.At("unavailable"))
	small := a.Items()[2]
	require.Equal(t, map[string]any{
		"id": "openai/small", "provider": "openai", "name": "small", "source": "operator", "window": 8000.0,
		"prices": map[string]any{"input": 1000000.0, "output": 2000000.0, "cached": 100000.0},
	}, small)
	require.Nil(t, a.Items()[1]["prices"])
	require.Nil(t, a.Items()[1]["window"])
	require.Empty(t, operator.Calls(), "the operator's provider was asked")

	own := modeltest.NewCatalog(t, modeltest.Listing{Names: []string{"small", "gpt-6", "not a name", ""}})
	claude := modeltest.NewCatalog(t, modeltest.Listing{Names: []string{"claude-x"}, HasMore: true})
	put := func(provider, key, url string) {
		t.Helper()
		require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/"+provider, map[string]any{"api_key": key, "base_url": url}).Status)
	}
	put("openai", "sk-own-openai-1", own.URL+"/v1?api-version=1")
	put("anthropic", "sk-own-anthropic", claude.URL)
	for range 3 {
		a = ada.Get(t, "/v1/models")
		require.Equal(t, []string{"anthropic/claude-x own_key", "echo operator", "openai/gpt-6 own_key", "openai/small own_key"}, ids(a))
		require.Empty(t, a.At("patterns"), "the workspace's own key takes the place of the operator's")
		require.Equal(t, "LIST_CUT", a.At("unavailable").([]any)[0].(map[string]any)["code"])
	}
	require.Len(t, own.Listed(), 1, "what was listed is remembered")
	require.Equal(t, "sk-own-openai-1", own.Listed()[0].Header.Get("Api-Key"), "as Azure takes it")
	require.Equal(t, "/v1/models?api-version=1", own.Listed()[0].Path)
	require.Contains(t, claude.Listed()[0].Path, "/v1/models")
	require.Equal(t, "sk-own-anthropic", claude.Listed()[0].Header.Get("X-Api-Key"))
	require.Equal(t, []string{"echo operator", "openai/o3 operator", "openai/small operator"}, ids(eve.Get(t, "/v1/models")))

	own.Lists(modeltest.Listing{Status: http.StatusUnauthorized, Code: "invalid_api_key"})
	put("openai", "sk-own-openai-2", own.URL+"/v1")
	a = ada.Get(t, "/v1/models")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, []string{"anthropic/claude-x own_key", "echo operator"}, ids(a), "another key has another list")
	failed := a.At("unavailable").([]any)[1].(map[string]any)
	require.Equal(t, []any{"openai", "own_key", "MODEL_CREDENTIALS"}, []any{failed["provider"], failed["source"], failed["code"]}, a)
	require.NotContains(t, string(a.Raw), "sk-own-openai-2")
	require.Len(t, own.Listed(), 2)
}

func TestAKeyForAModelIsTestedByOneCall(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t, "WEBHOOK_ALLOW_PRIVATE=true").Register(t)
	own := modeltest.NewCatalog(t, modeltest.Listing{Names: []string{"small"}})
	for _, provider := range []string{"openai", "anthropic"} {
		path, key := "/v1/model-keys/"+provider, "sk-own-secret-"+provider
		harness.RequireCode(t, ada.Post(t, path+"/test", nil), http.StatusNotFound, "NOT_FOUND")
		own.Lists(modeltest.Listing{Names: []string{"small"}})
		require.Equal(t, http.StatusOK, ada.Put(t, path, map[string]any{"api_key": key, "base_url": own.URL}).Status)
		op, before := harness.Operation(uuid.NewString()), len(own.Listed())
		a := ada.Post(t, path+"/test", nil, op)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, []any{true, nil, nil, nil}, []any{a.At("ok"), a.At("code"), a.At("message"), a.At("provider_code")})
		require.NotNil(t, a.At("latency_ms"))
		require.Contains(t, own.Listed()[before].Header.Get("Authorization")+own.Listed()[before].Header.Get("X-Api-Key"), key)
		require.Equal(t, string(a.Raw), string(ada.Post(t, path+"/test", nil, op).Raw), "sent again")
		require.Len(t, own.Listed(), before+1, "sent again it asks again")

		own.Lists(modeltest.Listing{Status: http.StatusUnauthorized, Code: "invalid_api_key"})
		a = ada.Post(t, path+"/test", map[string]any{})
		require.Equal(t, []any{false, "MODEL_CREDENTIALS", "invalid_api_key"}, []any{a.At("ok"), a.At("code"), a.At("provider_code")}, a)
		require.NotContains(t, string(a.Raw), key)

		asked := len(own.Calls())
		a = ada.Post(t, path+"/test", map[string]any{"model": provider + "/small"})
		require.Equal(t, true, a.At("ok"), a)
		require.Equal(t, "small", own.Calls()[asked].Body["model"])
		own.Then(modeltest.Script{Status: http.StatusNotFound, Code: "not_found_error"})
		a = ada.Post(t, path+"/test", map[string]any{"model": provider + "/other"})
		require.Equal(t, []any{false, "MODEL_NOT_FOUND"}, []any{a.At("ok"), a.At("code")}, a)
		own.Then(modeltest.Script{Pieces: []string{}, Finish: map[string]string{"openai": "length", "anthropic": "max_tokens"}[provider]})
		require.Equal(t, true, ada.Post(t, path+"/test", map[string]any{"model": provider + "/thinks"}).At("ok"), "a model that only thinks has taken the key")
		harness.RequireWrong(t, ada.Post(t, path+"/test", map[string]any{"model": "echo"}), "model")
	}
	audit := string(ada.Get(t, "/v1/audit-log").Raw)
	require.Contains(t, audit, "model_key.test")
	require.NotContains(t, audit, "sk-own-secret")
	limited := 0
	for range 10 {
		if a := ada.Post(t, "/v1/model-keys/openai/test", nil); a.Status != http.StatusOK {
			harness.RequireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
			limited++
		}
	}
	require.Positive(t, limited, "it can be used to guess keys")
}

func TestAKeyIsNotTestedWhereTenantsHaveNoBusiness(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	own := modeltest.NewCatalog(t, modeltest.Listing{})
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-own-secret", "base_url": "https://example.com/v1"}).Status)
	_, err := harness.Postgres.Superuser(t, ada.Database).Exec(t.Context(), `UPDATE model_keys SET base_url = $1`, own.URL) // as a name would that leads there
	require.NoError(t, err)
	a := ada.Post(t, "/v1/model-keys/openai/test", nil)
	require.Equal(t, []any{false, "DOWNSTREAM_UNAVAILABLE"}, []any{a.At("ok"), a.At("code")}, a)
	require.Contains(t, a.Text("message"), "the address is not public")
	a = ada.Get(t, "/v1/models")
	require.Contains(t, a.At("unavailable").([]any)[0].(map[string]any)["message"], "the address is not public", a)
	require.Empty(t, own.Listed())
}

func TestAModelThatNobodyServesIsSavedWithAWarning(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	warned := func(a harness.Answer, fields ...string) {
		t.Helper()
		require.Less(t, a.Status, 300, a)
		found := []string{}
		list, _ := a.At("warnings").([]any)
		for _, w := range list {
			w := w.(map[string]any)
			require.Equal(t, "MODEL_NOT_SERVED", w["code"], a)
			require.Contains(t, w["message"], "/v1/models")
			found = append(found, w["field"].(string))
		}
		require.Equal(t, append([]string{}, fields...), found, a)
	}
	settings := map[string]any{"model": "openai/gpt-9", "fallbacks": []string{"echo", "gpt-4o", "anthropic/claude"}}
	a := ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": settings})
	warned(a, "settings.model", "settings.fallbacks.1", "settings.fallbacks.2")
	bot := "/v1/bots/" + a.Text("id")
	require.Equal(t, "openai/gpt-9", ada.Get(t, bot).At("settings.model"), "it is saved")
	require.Nil(t, ada.Get(t, bot).At("warnings"))
	warned(ada.Put(t, bot+"/instruction", map[string]any{"instruction": "Be kind."}), "settings.model", "settings.fallbacks.1", "settings.fallbacks.2")
	warned(ada.Put(t, bot+"/instruction", map[string]any{"instruction": "Be kind.", "settings": map[string]any{"model": "echo"}}))
	warned(ada.Post(t, bot+"/rollback", map[string]any{"version": 1}), "settings.model", "settings.fallbacks.1", "settings.fallbacks.2")
	a = ada.Put(t, "/v1/model-settings", map[string]any{"default_model": "anthropic/claude", "fallbacks": []string{"echo", "openai/x"}})
	warned(a, "default_model", "fallbacks.1")
	require.Nil(t, ada.Get(t, "/v1/model-settings").At("warnings"))

	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-own-secret"}).Status)
	warned(ada.Put(t, bot+"/instruction", map[string]any{"instruction": "Be kind."}), "settings.fallbacks.1", "settings.fallbacks.2")
	warned(ada.Put(t, "/v1/model-settings", map[string]any{"default_model": "openai/x"}))
	warned(ada.Post(t, "/v1/bots", map[string]any{"name": "Ada"}))
}
