package rerank_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/adapters/rerank"
	"github.com/parley/parley/modules/knowledge/adapters/reranktest"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

func TestScoresBelongToTheirTexts(t *testing.T) {
	t.Parallel()
	fake := reranktest.New(t)
	s := rerank.Server{
		URL: fake.BaseURL() + "?v=1", Key: "sk-rerank-0123", Model: "m", Client: webhook.NewTrustedStreamClient(),
		Guard: resilience.NewGroup("rerank", resilience.Policy{Timeout: time.Minute, Concurrency: 2, Failures: 100, OpenFor: time.Hour}, slog.New(slog.DiscardHandler)),
	}
	ctx := callctx.As(t.Context(), uuid.New(), uuid.Nil)
	texts := []string{"a b c", "a", "z"}
	scores, err := s.Rerank(ctx, "a", texts)
	require.NoError(t, err)
	for i, text := range texts {
		require.InDelta(t, reranktest.Score("a", text), *scores[i], 1e-9)
	}
	call := fake.Calls()[0]
	require.Equal(t, []any{"m", "a", texts, 3, "/v1/rerank?v=1"}, []any{call.Model, call.Query, call.Documents, call.TopN, call.Path})
	require.Equal(t, "Bearer sk-rerank-0123", call.Header.Get("Authorization"))

	fake.Respond(reranktest.Script{Body: `{"results": [{"index": 2, "relevance_score": -1.5}]}`})
	scores, err = s.Rerank(ctx, "a", texts)
	require.NoError(t, err)
	require.Equal(t, []any{(*float64)(nil), (*float64)(nil), -1.5}, []any{scores[0], scores[1], *scores[2]}, "what is left out has none")

	for name, script := range map[string]reranktest.Script{
		"no JSON":          {Body: "secret-of-the-server"},
		"no results":       {Body: `{}`},
		"another text":     {Body: `{"results": [{"index": 3, "relevance_score": 1}]}`},
		"a text twice":     {Body: `{"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]}`},
		"no score":         {Body: `{"results": [{"index": 0}]}`},
		"a bad key":        {Status: http.StatusUnauthorized, Body: "secret-of-the-server"},
		"it is overloaded": {Status: http.StatusServiceUnavailable},
		"elsewhere":        {Status: http.StatusFound},
	} {
		fake.Respond(script)
		_, err := s.Rerank(ctx, "a", texts)
		require.ErrorIs(t, err, ports.ErrRerankAway, name)
		require.NotContains(t, err.Error(), "secret", name)
	}
}
