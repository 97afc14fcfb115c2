package knowledge

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
	"github.com/parley/parley/platform/ops/usage"
)

const vectors = "/openai/v1/embeddings"

func embeds(input any, more ...any) map[string]any {
	body := map[string]any{"model": embeddingtest.Model, "input": input, "unknown": true}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

func TestEmbeddingsAreMadeInOpenAIsForm(t *testing.T) {
	t.Parallel()
	fake := embeddingtest.New(t)
	p := harness.Start(t, append([]string{
		"EMBEDDING_BASE_URL=" + fake.BaseURL(), "EMBEDDING_API_KEY=sk-embedding-0123", "EMBEDDING_MODEL=" + embeddingtest.Model,
		"EMBEDDING_QUERY_PREFIX=query: ", "EMBEDDING_PASSAGE_PREFIX=passage: ", "BREAKER_OPEN_FOR=200ms",
	}, own...)...)
	ada := p.Register(t)
	cost := func() float64 { return ada.Used(t, usage.Cost)["used"].(float64) }

	a := ada.Post(t, vectors, embeds([]string{"one two", "three"}))
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, []any{"list", embeddingtest.Model}, []any{a.At("object"), a.At("model")})
	require.Equal(t, []string{"passage: one two", "passage: three"}, fake.Calls()[0].Input)
	require.Equal(t, map[string]any{"prompt_tokens": 5.0, "total_tokens": 5.0}, a.At("usage"), "words are tokens to the fake")
	require.InDelta(t, 5, cost(), 0)
	data := a.Body["data"].([]any)
	require.Len(t, data, 2)
	second := data[1].(map[string]any)
	require.Equal(t, []any{"embedding", 1.0}, []any{second["object"], second["index"]})
	floats := second["embedding"].([]any)
	require.Len(t, floats, embeddingtest.Dimensions)

	a = ada.Post(t, vectors, embeds("three", "encoding_format", "base64", "dimensions", embeddingtest.Dimensions, "user", "me"))
	require.Equal(t, http.StatusOK, a.Status, a)
	raw, err := base64.StdEncoding.DecodeString(a.Body["data"].([]any)[0].(map[string]any)["embedding"].(string))
	require.NoError(t, err)
	require.Len(t, raw, 4*len(floats))
	for i, x := range floats {
		require.InDelta(t, x, math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])), 1e-6, "the same vector in both forms")
	}
	require.Equal(t, http.StatusOK, ada.Post(t, vectors, embeds("three", "input_type", "query", "encoding_format", nil)).Status)
	require.Equal(t, []string{"query: three"}, fake.Calls()[2].Input)

	for param, body := range map[string]map[string]any{
		"input":           embeds([]int{1, 2}),
		"input.1":         embeds([]string{"one", " "}),
		"encoding_format": embeds("one", "encoding_format", "int8"),
		"dimensions":      embeds("one", "dimensions", 7),
		"model":           {"input": "one"},
	} {
		a := ada.Post(t, vectors, body)
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		require.Equal(t, param, strings.TrimSuffix(a.Text("error.param"), ".0"), a)
	}
	for param, input := range map[string]any{"input": " ", "input.0": []string{" "}} {
		require.Equal(t, param, ada.Post(t, vectors, embeds(input)).At("error.param"))
	}
	named := func(n int) harness.Answer {
		return ada.Post(t, vectors, embeds("three"), harness.Header{Name: "Idempotency-Key", Value: strings.Repeat("x", n)})
	}
	require.Equal(t, http.StatusOK, named(255).Status)
	require.Equal(t, []any{http.StatusBadRequest, "Idempotency-Key"}, []any{named(256).Status, named(256).At("error.param")})
	for _, wrong := range []any{"", []string{}, []string{""}, nil, make([]string, 2049)} {
		harness.RequireCode(t, ada.Post(t, vectors, embeds(wrong)), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	}
	none := ada.Post(t, vectors, embeds("one", "model", "text-embedding-3-small"))
	harness.RequireCode(t, none, http.StatusNotFound, "MODEL_NOT_FOUND")
	require.Equal(t, []any{"model_not_found", "model"}, []any{none.At("error.code"), none.At("error.param")})

	fake.Respond(embeddingtest.Script{Status: http.StatusServiceUnavailable, Body: "secret-of-the-server"})
	away := ada.Post(t, vectors, embeds("one"))
	harness.RequireCode(t, away, http.StatusServiceUnavailable, "EMBEDDINGS_UNAVAILABLE")
	require.NotEmpty(t, away.Header.Get("Retry-After"))
	require.NotContains(t, away.String(), "secret-of-the-server")
	fake.Respond(embeddingtest.Script{})

	ada.Limit(t, usage.Cost, int(cost()))
	limited := ada.Post(t, vectors, embeds("one"))
	harness.RequireCode(t, limited, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "insufficient_quota", limited.At("error.code"))
}

func TestWhoMayMakeEmbeddings(t *testing.T) {
	t.Parallel()
	fake := embeddingtest.New(t)
	p := harness.Start(t, append([]string{"EMBEDDING_BASE_URL=" + fake.BaseURL(), "EMBEDDING_MODEL=" + embeddingtest.Model}, own...)...)
	ada, eve := p.Register(t), p.Register(t)
	bot := ada.NewBot(t)
	require.Equal(t, http.StatusOK, ada.Key(t, "editor").Post(t, vectors, embeds("one")).Status)
	limited := ada.Key(t, "editor", map[string]any{"bot_ids": []string{bot}})
	for _, c := range []*harness.Caller{ada.Key(t, "viewer"), ada.Key(t, "chat"), ada.Key(t, "embed"), limited, ada.Key(t, "embed").EndUser(t, bot)} {
		harness.RequireCode(t, c.Post(t, vectors, embeds("one")), http.StatusForbidden, "FORBIDDEN")
	}
	require.Len(t, fake.Calls(), 1)

	// The own model of another workspace is none of this one.
	theirs := embeddingtest.New(t)
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/embedding", map[string]any{"api_key": "sk-own-embedding", "model": "fake-own", "base_url": theirs.BaseURL()}).Status)
	require.Equal(t, http.StatusOK, ada.Post(t, vectors, embeds("one", "model", "fake-own")).Status)
	require.Len(t, theirs.Calls(), 1)
	harness.RequireCode(t, eve.Post(t, vectors, embeds("one", "model", "fake-own")), http.StatusNotFound, "MODEL_NOT_FOUND")
}
