package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

const prices = `MODEL_PRICES={"openai/small": {"input": 1000000, "output": 2000000, "cached": 100000, "window": 8000}}`

// withModels starts the program with both providers at a server of the test's.
func withModels(t *testing.T, settings ...string) (*caller, *modeltest.Server) {
	t.Helper()
	s := modeltest.New(t)
	return start(t, append([]string{
		"OPENAI_BASE_URL=" + s.URL + "/v1", "OPENAI_API_KEY=sk-operator", "ANTHROPIC_BASE_URL=" + s.URL, "ANTHROPIC_API_KEY=sk-operator",
		"WEBHOOK_ALLOW_PRIVATE=true", prices,
	}, settings...)...).register(t), s
}

// threadWith opens a thread with a bot of these settings.
func (c *caller) threadWith(t *testing.T, settings map[string]any) string {
	t.Helper()
	bot := c.post(t, "/v1/bots", map[string]any{"name": "Ada", "instruction": "Be kind.", "settings": settings})
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	return c.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot.text("id")}).text("id")
}

func (c *caller) say(t *testing.T, thread, content string, headers ...header) answer {
	t.Helper()
	return c.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": content}, headers...)
}

// llmTurn reads what is kept of a turn.
func (c *caller) llmTurn(t *testing.T, id string) (kept map[string]any) {
	t.Helper()
	var raw []byte
	conn := pg.Superuser(t, c.database)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_jsonb(t) FROM llm_turns t WHERE id = $1", id).Scan(&raw))
	require.NoError(t, json.Unmarshal(raw, &kept))
	return kept
}

func TestARealModelAnswersAndWhatItTookIsToldAndKept(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.threadWith(t, map[string]any{"model": "openai/small", "temperature": 0.5, "max_output_tokens": 99})
	s.Then(modeltest.Script{Input: 1100, Cached: 100, Output: 50})
	op := operation(uuid.NewString())
	a := ada.say(t, thread, "Hi", op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "Hello there", a.text("assistant_message.content"))
	want := map[string]any{
		"provider": "openai", "model": "small", "finish_reason": "stop", "input_tokens": 1100.0, "cached_tokens": 100.0, "output_tokens": 50.0,
		"cost_micros": 1000.0 + 10 + 100, "latency_ms": a.at("latency_ms"), "first_token_ms": a.at("first_token_ms"),
	}
	kept := ada.llmTurn(t, a.text("turn_id"))
	for name, value := range want {
		require.Equal(t, value, a.at(name), name)
		require.Equal(t, value, kept[name], name)
	}
	require.NotNil(t, a.at("first_token_ms"))
	require.Equal(t, string(a.Raw), string(ada.say(t, thread, "Hi", op).Raw), "sent again")

	require.Equal(t, "And you?", ada.say(t, thread, "And you?").text("user_message.content"))
	require.Len(t, s.Calls(), 2)
	require.Equal(t, []string{"system: Be kind.", "user: Hi", "assistant: Hello there", "user: And you?"}, s.Calls()[1].Messages())
	require.InEpsilon(t, 0.5, s.Calls()[1].Body["temperature"], 0)
	require.InEpsilon(t, 99.0, s.Calls()[1].Body["max_tokens"], 0)
	require.NotContains(t, ada.log.String(), "sk-operator")
	require.NotContains(t, ada.log.String(), "Be kind")
}

func TestTheHistoryIsCutByTheBotsLimitAndTheModelsWindow(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.threadWith(t, map[string]any{"model": "openai/small", "history_limit": 3})
	for i := range 4 {
		require.Equal(t, http.StatusOK, ada.say(t, thread, fmt.Sprint("question ", i)).Status)
	}
	require.Equal(t, []string{"system: Be kind.", "user: question 2", "assistant: Hello there", "user: question 3"}, s.Calls()[3].Messages(),
		"three messages, and not one that begins with an answer")
	long := strings.Repeat("long ", 3000) // 5000 tokens of 8000, of which 4000 are for the answer
	require.Equal(t, http.StatusOK, ada.say(t, thread, long).Status)
	require.Equal(t, []string{"system: Be kind.", "user: " + long}, s.Calls()[4].Messages())
	require.Equal(t, http.StatusOK, ada.say(t, thread, "short").Status)
	require.Equal(t, []string{"system: Be kind.", "user: short"}, s.Calls()[5].Messages(), "what is too long is not sent again")

	other := ada.threadWith(t, map[string]any{"model": "anthropic/claude", "history_limit": 0})
	require.Equal(t, http.StatusOK, ada.say(t, other, "one").Status)
	require.Equal(t, "anthropic", ada.say(t, other, "two").text("provider"))
	require.Equal(t, []string{"user: two"}, s.Calls()[7].Messages())
}

func TestAFailingModelIsFollowedByTheBotsNextOne(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.threadWith(t, map[string]any{"model": "openai/small", "fallbacks": []string{"anthropic/claude"}})
	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
	a := ada.say(t, thread, "Hi")
	require.Equal(t, []string{"anthropic", "claude"}, []string{a.text("provider"), a.text("model")}, a)
	require.Equal(t, "claude", ada.llmTurn(t, a.text("turn_id"))["model"])

	op := operation(uuid.NewString())
	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"}, modeltest.Script{Pieces: []string{"Hel"}, Breaks: true})
	a = ada.say(t, thread, "the secret question", op)
	requireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	kept := ada.llmTurn(t, a.text("details.turn_id"))
	require.Equal(t, "failed", kept["status"])
	require.Contains(t, kept["error"], "anthropic broke off its answer; openai/small: openai answered 401 invalid_api_key")
	require.Equal(t, []any{map[string]any{"provider": "openai", "model": "small", "code": "MODEL_CREDENTIALS"}}, a.at("details.others"))
	require.NotContains(t, kept["error"], "secret")
	require.NotContains(t, kept["error"], "sk-operator")
	a = ada.say(t, thread, "the secret question", op)
	require.Equal(t, http.StatusOK, a.Status, "the same call goes on: %s", a)
	require.Equal(t, "openai", a.text("provider"))
}

func TestAModelOfNoProviderIsAClearFailureOfTheTurn(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	for _, model := range []string{"openai/gpt-4o-mini", "gpt-4o-mini"} {
		a := ada.say(t, ada.threadWith(t, map[string]any{"model": model}), "Hi")
		requireCode(t, a, http.StatusUnprocessableEntity, "MODEL_NOT_FOUND")
		require.Equal(t, "MODEL_NOT_CONFIGURED", a.text("details.reason"))
		require.Contains(t, a.text("message"), "/v1/model-keys")
		require.Contains(t, a.text("message"), model)
		require.Equal(t, "failed", ada.llmTurn(t, a.text("details.turn_id"))["status"])
	}
}

func TestAWorkspaceSaysWhichModelsAnswerAndBringsItsOwnKey(t *testing.T) {
	t.Parallel()
	operator := modeltest.New(t)
	ada := start(t, "OPENAI_BASE_URL="+operator.URL, "WEBHOOK_ALLOW_PRIVATE=true", "ENCRYPTION_KEY="+strings.Repeat("k", 32)).register(t)
	eve := ada.register(t)
	thread := ada.threadWith(t, map[string]any{})
	require.JSONEq(t, `{"default_model":null,"fallbacks":[]}`, string(ada.get(t, "/v1/model-settings").Raw))
	require.Equal(t, "echo", ada.say(t, thread, "Hi").text("provider"))

	a := ada.put(t, "/v1/model-settings", map[string]any{"default_model": "openai/mine", "fallbacks": []string{"echo"}})
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, a.Raw, ada.get(t, "/v1/model-settings").Raw)
	require.Equal(t, "mine", ada.say(t, thread, "Hi").text("model"))
	require.Len(t, operator.Calls(), 1)
	require.Equal(t, "echo", eve.say(t, eve.threadWith(t, map[string]any{}), "Hi").text("provider"), "the settings are of one workspace")

	own, secret := modeltest.New(t), "sk-very-own-4321"
	op := operation(uuid.NewString())
	put := map[string]any{"api_key": secret, "base_url": own.URL + "/v1"}
	a = ada.put(t, "/v1/model-keys/openai", put, op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, a.Raw, ada.put(t, "/v1/model-keys/openai", put, op).Raw, "sent again")
	require.Equal(t, []string{"openai", "4321", own.URL + "/v1"}, []string{a.text("provider"), a.text("last_four"), a.text("base_url")})
	require.Len(t, ada.get(t, "/v1/model-keys").items(), 1)
	require.Empty(t, eve.get(t, "/v1/model-keys").items())
	requireCode(t, eve.call(t, http.MethodDelete, "/v1/model-keys/openai", nil), http.StatusNotFound, "NOT_FOUND")

	require.Equal(t, "mine", ada.say(t, thread, "Hi").text("model"))
	require.Len(t, operator.Calls(), 1, "the operator's server was asked with the workspace's key set")
	require.Equal(t, "Bearer "+secret, own.Calls()[0].Header.Get("Authorization"))
	ada.restart(t)
	require.Equal(t, "mine", ada.say(t, thread, "Hi").text("model"), "the key is opened after a restart")
	own.Then(modeltest.Script{Status: 403, Code: "no"})
	require.Equal(t, "echo", ada.say(t, thread, "Hi").text("provider"), "the fallback of the workspace")

	for _, text := range []string{string(ada.get(t, "/v1/model-keys").Raw), string(ada.get(t, "/v1/audit-log").Raw), ada.log.String(), dump(t, ada)} {
		require.NotContains(t, text, secret)
	}
	require.Contains(t, string(ada.get(t, "/v1/audit-log").Raw), "model_key.put")
	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, "/v1/model-keys/openai", nil).Status)
	require.Empty(t, ada.get(t, "/v1/model-keys").items())
	require.Equal(t, "mine", ada.say(t, thread, "Hi").text("model"))
	require.Len(t, operator.Calls(), 2)
	require.Equal(t, http.StatusOK, ada.put(t, "/v1/model-settings", map[string]any{}).Status)
	require.Equal(t, "echo", ada.say(t, thread, "Hi").text("provider"), "what is left out is unset")
}

// dump is all that is kept of what could hold a key.
func dump(t *testing.T, c *caller) (all string) {
	t.Helper()
	conn := pg.Superuser(t, c.database)
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
	ada := start(t).register(t)
	requireWrong(t, ada.put(t, "/v1/model-settings", map[string]any{"default_model": "gpt-4o", "fallbacks": []string{"echo", "x/y"}}), "default_model", "fallbacks.1")
	requireWrong(t, ada.put(t, "/v1/model-settings", map[string]any{"default_model": 7, "fallbacks": []string{""}, "more": 1}), "default_model", "fallbacks.0", "more")
	requireWrong(t, ada.put(t, "/v1/model-keys/openai", map[string]any{"api_key": "short"}), "api_key")
	requireWrong(t, ada.put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678\n"}), "api_key")
	requireWrong(t, ada.put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678", "base_url": "http://example.com"}), "base_url")
	requireWrong(t, ada.put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678", "base_url": "https://169.254.169.254/v1"}), "base_url")
	requireWrong(t, ada.put(t, "/v1/model-keys/mistral", map[string]any{"api_key": "sk-12345678"}), "provider")
	requireWrong(t, ada.post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"fallbacks": "echo"}}), "settings.fallbacks")
}
