package turns

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

const prices = `MODEL_PRICES={"openai/small": {"input": 1000000, "output": 2000000, "cached": 100000, "window": 8000}}`

// withModels starts the program with both providers at a server of the test's.
func withModels(t *testing.T, settings ...string) (*harness.Caller, *modeltest.Server) {
	t.Helper()
	s := modeltest.New(t)
	return harness.Start(t, append([]string{
		"OPENAI_BASE_URL=" + s.URL + "/v1", "OPENAI_API_KEY=sk-operator", "ANTHROPIC_BASE_URL=" + s.URL, "ANTHROPIC_API_KEY=sk-operator",
		"WEBHOOK_ALLOW_PRIVATE=true", prices,
	}, settings...)...).Register(t), s
}

func TestARealModelAnswersAndWhatItTookIsToldAndKept(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small", "temperature": 0.5, "max_output_tokens": 99})
	s.Then(modeltest.Script{Input: 1100, Cached: 100, Output: 50})
	op := harness.Operation(uuid.NewString())
	a := ada.Say(t, thread, "Hi", op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "Hello there", a.Text("assistant_message.content"))
	want := map[string]any{
		"provider": "openai", "model": "small", "finish_reason": "stop", "input_tokens": 1100.0, "cached_tokens": 100.0, "output_tokens": 50.0,
		"cost_micros": 1000.0 + 10 + 100, "latency_ms": a.At("latency_ms"), "first_token_ms": a.At("first_token_ms"),
	}
	kept := ada.LlmTurn(t, a.Text("turn_id"))
	for name, value := range want {
		require.Equal(t, value, a.At(name), name)
		require.Equal(t, value, kept[name], name)
	}
	require.NotNil(t, a.At("first_token_ms"))
	require.Equal(t, string(a.Raw), string(ada.Say(t, thread, "Hi", op).Raw), "sent again")

	require.Equal(t, "And you?", ada.Say(t, thread, "And you?").Text("user_message.content"))
	require.Len(t, s.Calls(), 2)
	require.Equal(t, []string{"system: Be kind.", "user: Hi", "assistant: Hello there", "user: And you?"}, s.Calls()[1].Messages())
	require.InEpsilon(t, 0.5, s.Calls()[1].Body["temperature"], 0)
	require.InEpsilon(t, 99.0, s.Calls()[1].Body["max_tokens"], 0)
	require.NotContains(t, ada.Log.String(), "sk-operator")
	require.NotContains(t, ada.Log.String(), "Be kind")
}

func TestTheHistoryIsCutByTheBotsLimitAndTheModelsWindow(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small", "history_limit": 3})
	for i := range 4 {
		require.Equal(t, http.StatusOK, ada.Say(t, thread, fmt.Sprint("question ", i)).Status)
	}
	require.Equal(t, []string{"system: Be kind.", "user: question 2", "assistant: Hello there", "user: question 3"}, s.Calls()[3].Messages(),
		"three messages, and not one that begins with an answer")
	long := strings.Repeat("long ", 3000) // 5000 tokens of 8000, of which 4000 are for the answer
	require.Equal(t, http.StatusOK, ada.Say(t, thread, long).Status)
	require.Equal(t, []string{"system: Be kind.", "user: " + long}, s.Calls()[4].Messages())
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "short").Status)
	require.Equal(t, []string{"system: Be kind.", "user: short"}, s.Calls()[5].Messages(), "what is too long is not sent again")

	other := ada.ThreadWith(t, map[string]any{"model": "anthropic/claude", "history_limit": 0})
	require.Equal(t, http.StatusOK, ada.Say(t, other, "one").Status)
	require.Equal(t, "anthropic", ada.Say(t, other, "two").Text("provider"))
	require.Equal(t, []string{"user: two"}, s.Calls()[7].Messages())
}

func TestAFailingModelIsFollowedByTheBotsNextOne(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small", "fallbacks": []string{"anthropic/claude"}})
	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
	a := ada.Say(t, thread, "Hi")
	require.Equal(t, []string{"anthropic", "claude"}, []string{a.Text("provider"), a.Text("model")}, a)
	require.Equal(t, "claude", ada.LlmTurn(t, a.Text("turn_id"))["model"])

	op := harness.Operation(uuid.NewString())
	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"}, modeltest.Script{Pieces: []string{"Hel"}, Breaks: true})
	a = ada.Say(t, thread, "the secret question", op)
	harness.RequireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	kept := ada.LlmTurn(t, a.Text("details.turn_id"))
	require.Equal(t, "failed", kept["status"])
	require.Contains(t, kept["error"], "anthropic broke off its answer; openai/small: openai answered 401 invalid_api_key")
	require.Equal(t, []any{map[string]any{"provider": "openai", "model": "small", "code": "MODEL_CREDENTIALS"}}, a.At("details.others"))
	require.NotContains(t, kept["error"], "secret")
	require.NotContains(t, kept["error"], "sk-operator")
	a = ada.Say(t, thread, "the secret question", op)
	require.Equal(t, http.StatusOK, a.Status, "the same call goes on: %s", a)
	require.Equal(t, "openai", a.Text("provider"))
}

func TestAModelOfNoProviderIsAClearFailureOfTheTurn(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, model := range []string{"openai/gpt-4o-mini", "gpt-4o-mini"} {
		a := ada.Say(t, ada.ThreadWith(t, map[string]any{"model": model}), "Hi")
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "MODEL_NOT_FOUND")
		require.Equal(t, "MODEL_NOT_CONFIGURED", a.Text("details.reason"))
		require.Contains(t, a.Text("message"), "/v1/model-keys")
		require.Contains(t, a.Text("message"), model)
		require.Equal(t, "failed", ada.LlmTurn(t, a.Text("details.turn_id"))["status"])
	}
}

func TestAWorkspaceSaysWhichModelsAnswerAndBringsItsOwnKey(t *testing.T) {
	t.Parallel()
	operator := modeltest.New(t)
	ada := harness.Start(t, "OPENAI_BASE_URL="+operator.URL, "WEBHOOK_ALLOW_PRIVATE=true", "ENCRYPTION_KEY="+strings.Repeat("k", 32)).Register(t)
	eve := ada.Register(t)
	thread := ada.ThreadWith(t, map[string]any{})
	require.JSONEq(t, `{"default_model":null,"fallbacks":[]}`, string(ada.Get(t, "/v1/model-settings").Raw))
	require.Equal(t, "echo", ada.Say(t, thread, "Hi").Text("provider"))

	a := ada.Put(t, "/v1/model-settings", map[string]any{"default_model": "openai/mine", "fallbacks": []string{"echo"}})
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, a.Raw, ada.Get(t, "/v1/model-settings").Raw)
	require.Equal(t, "mine", ada.Say(t, thread, "Hi").Text("model"))
	require.Len(t, operator.Calls(), 1)
	require.Equal(t, "echo", eve.Say(t, eve.ThreadWith(t, map[string]any{}), "Hi").Text("provider"), "the settings are of one workspace")

	own, secret := modeltest.New(t), "sk-very-own-4321"
	op := harness.Operation(uuid.NewString())
	put := map[string]any{"api_key": secret, "base_url": own.URL + "/v1"}
	a = ada.Put(t, "/v1/model-keys/openai", put, op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, a.Raw, ada.Put(t, "/v1/model-keys/openai", put, op).Raw, "sent again")
	require.Equal(t, []string{"openai", "4321", own.URL + "/v1"}, []string{a.Text("provider"), a.Text("last_four"), a.Text("base_url")})
	require.Len(t, ada.Get(t, "/v1/model-keys").Items(), 1)
	require.Empty(t, eve.Get(t, "/v1/model-keys").Items())
	harness.RequireCode(t, eve.Call(t, http.MethodDelete, "/v1/model-keys/openai", nil), http.StatusNotFound, "NOT_FOUND")

	require.Equal(t, "mine", ada.Say(t, thread, "Hi").Text("model"))
	require.Len(t, operator.Calls(), 1, "the operator's server was asked with the workspace's key set")
	require.Equal(t, "Bearer "+secret, own.Calls()[0].Header.Get("Authorization"))
	ada.Restart(t)
	require.Equal(t, "mine", ada.Say(t, thread, "Hi").Text("model"), "the key is opened after a restart")
	own.Then(modeltest.Script{Status: 403, Code: "no"})
	require.Equal(t, "echo", ada.Say(t, thread, "Hi").Text("provider"), "the fallback of the workspace")

	for _, text := range []string{string(ada.Get(t, "/v1/model-keys").Raw), string(ada.Get(t, "/v1/audit-log").Raw), ada.Log.String(), dump(t, ada)} {
		require.NotContains(t, text, secret)
	}
	require.Contains(t, string(ada.Get(t, "/v1/audit-log").Raw), "model_key.put")
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, "/v1/model-keys/openai", nil).Status)
	require.Empty(t, ada.Get(t, "/v1/model-keys").Items())
	require.Equal(t, "mine", ada.Say(t, thread, "Hi").Text("model"))
	require.Len(t, operator.Calls(), 2)
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-settings", map[string]any{}).Status)
	require.Equal(t, "echo", ada.Say(t, thread, "Hi").Text("provider"), "what is left out is unset")
}

// dump is all that is kept of what could hold a key.
func dump(t *testing.T, c *harness.Caller) (all string) {
	t.Helper()
	conn := harness.Postgres.Superuser(t, c.Database)
	for _, table := range []string{"model_keys", "operations", "audit_log", "llm_turns"} {
		var text string
		require.NoError(t, conn.QueryRow(context.Background(),
			"SELECT coalesce(string_agg(t::text || coalesce(encode(decode(substring(t::text from 'x([0-9a-f]+)'), 'hex'), 'escape'), ''), ''), '') FROM "+table+" t").Scan(&text))
		all += text
	}
	return all
}

func TestWrongSettingsOfModelsNameTheirFields(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	harness.RequireWrong(t, ada.Put(t, "/v1/model-settings", map[string]any{"default_model": "gpt-4o", "fallbacks": []string{"echo", "x/y"}}), "default_model", "fallbacks.1")
	harness.RequireWrong(t, ada.Put(t, "/v1/model-settings", map[string]any{"default_model": 7, "fallbacks": []string{""}, "more": 1}), "default_model", "fallbacks.0", "more")
	harness.RequireWrong(t, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "short"}), "api_key")
	harness.RequireWrong(t, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678\n"}), "api_key")
	harness.RequireWrong(t, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678", "base_url": "http://example.com"}), "base_url")
	harness.RequireWrong(t, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678", "base_url": "https://169.254.169.254/v1"}), "base_url")
	harness.RequireWrong(t, ada.Put(t, "/v1/model-keys/mistral", map[string]any{"api_key": "sk-12345678"}), "provider")
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"fallbacks": "echo"}}), "settings.fallbacks")
}
