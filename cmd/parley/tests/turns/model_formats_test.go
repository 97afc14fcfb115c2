package turns

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

func TestAnswersOfOtherServersReachTheCallerAsText(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, "MODEL_TIMEOUT=10m") // an answer with an explicit end does not wait for it
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small"})
	for _, test := range []struct {
		format string
		finish any
		tokens any
	}{
		{"mistral-reasoning", "stop", 34.0},
		{"groq", "stop", 34.0},
		{"openai-no-finish", nil, 34.0},
		{"openai-null-error", "stop", 34.0},
		{"openai-open-after-usage", "stop", 34.0},
		{"finish-model_length", "length", nil},
		{"json", "stop", 34.0},
		{"cr", "stop", 34.0},
		{"reasoning-of-20-megabytes", "stop", 34.0},
	} {
		s.Then(modeltest.Script{Format: test.format})
		a := ada.Say(t, thread, "Hi")
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", test.format, a)
		require.Equal(t, []any{"Hello there", test.finish}, []any{a.At("assistant_message.content"), a.At("finish_reason")}, test.format)
		if test.tokens != nil {
			require.Equal(t, test.tokens, a.At("output_tokens"), test.format)
		}
	}
}

func TestAWorkspacesBaseURLKeepsItsQuery(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	own := s.URL + "/openai/deployments/small?api-version=2024-10-21"
	a := ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "azure-own-key", "base_url": own})
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, own, a.Text("base_url"))
	a = ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "openai/small"}), "Hi")
	require.Equal(t, http.StatusOK, a.Status, a)
	call := s.Calls()[0]
	require.Equal(t, []string{"/openai/deployments/small/chat/completions", "api-version=2024-10-21", "azure-own-key", ""},
		[]string{call.Path, call.Query, call.Header.Get("Api-Key"), call.Header.Get("Authorization")})
}
