package modeltest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/webhook"
)

// led is a client that calls the test's server whatever host a URL names.
type led struct{ to *modeltest.Server }

func (l led) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(l.to.URL)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = to.Scheme, to.Host
	return http.DefaultTransport.RoundTrip(r)
}

func TestTheQueryOfABaseURLIsKeptOnEveryCall(t *testing.T) {
	t.Parallel()
	refusal := modeltest.Script{Status: 400, Body: unsupportedParameter("max_tokens")}
	s := modeltest.New(t, refusal, modeltest.Script{}, modeltest.Script{}, modeltest.Script{})
	client := webhook.NewStreamClient(webhook.AnyTargets)
	p := hi
	p.MaxOutputTokens = new(7)
	_, err := openai.Model{Key: key, URL: s.URL + "/openai/deployments/d?api-version=2024-10-21&x=a%2Fb", Client: client}.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	p.Access = &ports.Access{Key: "sk-own-key", BaseURL: s.URL + "/openai/deployments/d/?api-version=2024-10-21"}
	_, err = openai.Model{Guarded: client}.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	p.Access.BaseURL = s.URL + "/anthropic?api-version=2023-06-01"
	_, err = anthropic.Model{Guarded: client}.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	var called []string
	for _, c := range s.Calls() {
		called = append(called, c.Path+"?"+c.Query)
	}
	require.Equal(t, []string{
		"/openai/deployments/d/chat/completions?api-version=2024-10-21&x=a%2Fb", "/openai/deployments/d/chat/completions?api-version=2024-10-21&x=a%2Fb",
		"/openai/deployments/d/chat/completions?api-version=2024-10-21", "/anthropic/v1/messages?api-version=2023-06-01",
	}, called)
}

func TestAKeyGoesWhereItsServerLooksForIt(t *testing.T) {
	t.Parallel()
	const entra = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2NvZ25pdGl2ZXNlcnZpY2VzLmF6dXJlLmNvbSJ9.c2ln"
	for _, test := range []struct {
		base, key             string
		authorization, apiKey string
	}{
		{"https://x.openai.azure.com/openai/deployments/d?api-version=2024-10-21", key, "", key},
		{"https://x.openai.azure.com/openai/v1", key, "", key},
		{"https://X.OpenAI.Azure.com/openai/v1/", key, "", key},
		{"https://x.cognitiveservices.azure.com/openai/deployments/d?api-version=2024-10-21", key, "", key},
		{"https://x.services.ai.azure.com/models?api-version=2024-05-01-preview", key, "", key},
		{"https://x.openai.azure.us/openai/v1", key, "", key},
		{"https://x.azure-api.net/openai/deployments/d?api-version=2024-10-21", key, "", key},
		{"https://gateway.example.com/openai/deployments/d?api-version=2024-10-21", key, "", key},
		{"https://x.openai.azure.com/openai/v1", entra, "Bearer " + entra, ""},
		{"https://x.models.ai.azure.com/v1?api-version=2024-05-01-preview", key, "Bearer " + key, ""},
		{"https://api.openai.com/v1", key, "Bearer " + key, ""},
		{"https://openai.azure.com.example.com/v1", key, "Bearer " + key, ""},
		{"https://api.mistral.ai/v1", key, "Bearer " + key, ""},
		{"https://x.openai.azure.com/openai/v1", "", "", ""},
		{"https://ollama.example.com/v1", "", "", ""},
	} {
		t.Run(test.base, func(t *testing.T) {
			t.Parallel()
			s := modeltest.New(t)
			_, err := openai.Model{Key: test.key, URL: test.base, Client: &http.Client{Transport: led{s}}}.Reply(t.Context(), hi, func(string) {})
			require.NoError(t, err)
			require.Equal(t, []string{test.authorization, test.apiKey},
				[]string{s.Calls()[0].Header.Get("Authorization"), s.Calls()[0].Header.Get("Api-Key")})
		})
	}
}

func TestTheBoundOfTheOutputHasTheNameThatTheModelKnows(t *testing.T) {
	t.Parallel()
	for model, name := range map[string]string{
		"o1": "max_completion_tokens", "o3-mini": "max_completion_tokens", "o4-mini-2025-04-16": "max_completion_tokens",
		"openai/o3": "max_completion_tokens", "gpt-5": "max_completion_tokens", "openai/gpt-5.1-chat": "max_completion_tokens", "GPT-5-mini": "max_completion_tokens",
		"gpt-4o": "max_tokens", "gpt-35-turbo": "max_tokens", "gpt-oss-120b": "max_tokens", "llama3.2": "max_tokens", "olmo1": "max_tokens", "solo1": "max_tokens",
	} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			s := modeltest.New(t)
			p := ports.Prompt{Content: "Hi", Asked: ports.Asked{Model: model, MaxOutputTokens: new(7)}}
			_, err := asking("openai", s, 0).Reply(t.Context(), p, func(string) {})
			require.NoError(t, err)
			require.Len(t, s.Calls(), 1)
			require.InEpsilon(t, 7.0, s.Calls()[0].Body[name], 0)
			for _, other := range []string{"max_tokens", "max_completion_tokens"} {
				require.True(t, other == name || s.Calls()[0].Body[other] == nil)
			}
		})
	}
}

func unsupportedParameter(name string) string {
	return `{"error":{"message":"Unsupported parameter: '` + name + `' is not supported with this model. Use something else instead.","type":"invalid_request_error","param":"` + name + `","code":"unsupported_parameter"}}`
}

const temperatureRefused = `{"error":{"message":"Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`

func TestACallIsRepeatedOnceWithoutWhatTheServerDoesNotSupport(t *testing.T) {
	t.Parallel()
	mistral := func(name string) string {
		return `{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","` + name + `"],"msg":"Extra inputs are not permitted","input":7}]},"type":"invalid_request_error","param":null,"code":null}`
	}
	refuses := func(status int, body string) modeltest.Script { return modeltest.Script{Status: status, Body: body} }
	for name, test := range map[string]struct {
		api, model string
		refusals   []modeltest.Script
		last       map[string]any // of the bodies: what it has
		without    []string
		fails      bool
	}{
		"a deployment of a reasoning model": {"openai", "assistant", []modeltest.Script{refuses(400, unsupportedParameter("max_tokens"))}, map[string]any{"max_completion_tokens": 7.0, "temperature": 0.5}, []string{"max_tokens"}, false},
		"an older server":                   {"openai", "o1", []modeltest.Script{refuses(400, `{"error":{"message":"Unrecognized request argument supplied: max_completion_tokens","type":"invalid_request_error","param":null,"code":null}}`)}, map[string]any{"max_tokens": 7.0}, []string{"max_completion_tokens"}, false},
		"Mistral":                           {"openai", "o1", []modeltest.Script{refuses(422, mistral("max_completion_tokens"))}, map[string]any{"max_tokens": 7.0}, []string{"max_completion_tokens"}, false},
		"a temperature":                     {"openai", "gpt-5.1", []modeltest.Script{refuses(400, temperatureRefused)}, map[string]any{"max_completion_tokens": 7.0}, []string{"temperature"}, false},
		"no wish for usage":                 {"openai", "m", []modeltest.Script{refuses(422, mistral("stream_options"))}, map[string]any{"max_tokens": 7.0, "temperature": 0.5}, []string{"stream_options"}, false},
		"all of them": {"openai", "m", []modeltest.Script{refuses(400, unsupportedParameter("max_tokens")), refuses(400, temperatureRefused), refuses(422, mistral("stream_options"))},
			map[string]any{"max_completion_tokens": 7.0}, []string{"max_tokens", "temperature", "stream_options"}, false},
		"neither name": {"openai", "m", []modeltest.Script{refuses(400, unsupportedParameter("max_tokens")), refuses(400, unsupportedParameter("max_completion_tokens"))},
			map[string]any{"max_completion_tokens": 7.0}, nil, true},
		"too large": {"openai", "m", []modeltest.Script{refuses(400, `{"error":{"message":"max_tokens is too large: 7. This model supports at most 5 completion tokens.","param":"max_tokens","code":"invalid_value"}}`)},
			map[string]any{"max_tokens": 7.0}, nil, true},
		"something else": {"openai", "m", []modeltest.Script{refuses(400, `{"error":{"message":"Unsupported parameter: 'messages'","code":"unsupported_parameter"}}`)}, map[string]any{"max_tokens": 7.0}, nil, true},
		"a newer Claude": {"anthropic", "claude-opus-4-7", []modeltest.Script{refuses(400, `{"type":"error","error":{"type":"invalid_request_error","message":"temperature is deprecated for this model."}}`)},
			map[string]any{"max_tokens": 7.0}, []string{"temperature"}, false},
		"a Claude that refuses": {"anthropic", "m", []modeltest.Script{refuses(400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: unexpected"}}`)}, map[string]any{"temperature": 0.5}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := modeltest.New(t, test.refusals...)
			p := ports.Prompt{Content: "Hi", Asked: ports.Asked{Model: test.model, MaxOutputTokens: new(7), Temperature: new(0.5)}}
			reply, err := asking(test.api, s, 0).Reply(t.Context(), p, func(string) {})
			calls := s.Calls()
			body := calls[len(calls)-1].Body
			for name, value := range test.last {
				require.Equal(t, value, body[name], name)
			}
			for _, name := range test.without {
				require.NotContains(t, body, name)
			}
			if test.fails {
				require.Error(t, err)
				require.Len(t, calls, len(test.refusals))
				return
			}
			require.NoError(t, err)
			require.Len(t, calls, len(test.refusals)+1)
			require.Equal(t, domain.FinishStop, reply.FinishReason)
		})
	}
}

func TestOpenAIsFirstReasoningModelsAreAskedWithoutATemperature(t *testing.T) {
	t.Parallel()
	for model, asked := range map[string]bool{
		"o1": false, "o3-mini": false, "openai/o4-mini-2025-04-16": false, "gpt-5": false, "gpt-5-nano": false,
		"gpt-5-chat-latest": true, "gpt-5.1": true, "gpt-4o": true, "llama3.2": true,
	} {
		s := modeltest.New(t)
		_, err := asking("openai", s, 0).Reply(t.Context(), ports.Prompt{Content: "Hi", Asked: ports.Asked{Model: model, Temperature: new(0.5)}}, func(string) {})
		require.NoError(t, err)
		require.Equal(t, asked, s.Calls()[0].Body["temperature"] != nil, model)
	}
}
