package knowledge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/reranktest"
)

func TestU6ResultsAreSortedByARerankingModel(t *testing.T) {
	t.Parallel()
	fake := reranktest.New(t)
	ada := harness.Start(t, "RERANK_BASE_URL="+fake.BaseURL(), "RERANK_MODEL=m", "RERANK_API_KEY=sk-rerank-0123", "BREAKER_OPEN_FOR=1h").Register(t)
	base := ada.NewBase(t)
	ada.Indexed(t, base, "Long", "Kettle. The kettle is described together with a toaster, a lamp and many more things of no interest. Kettle.")
	ada.Indexed(t, base, "Short", "clean kettle")
	rerank := map[string]any{"rerank": true, "explain": true}
	plain := ada.Find(t, base, "kettle", map[string]any{"explain": true})
	require.Equal(t, []any{nil, false}, []any{plain.Items()[0]["rerank_score"], plain.At("explanation.reranked")})
	require.Empty(t, fake.Calls())

	found := ada.Find(t, base, "kettle", rerank)
	require.Equal(t, []string{"Short", "Long"}, harness.Titles(found), found)
	require.Equal(t, []any{0.5, false, true}, []any{found.Items()[0]["rerank_score"], found.At("degraded"), found.At("explanation.reranked")})
	call := fake.Calls()[0]
	require.Equal(t, []any{"m", "kettle", 2}, []any{call.Model, call.Query, call.TopN})
	require.Equal(t, []string{"Short"}, harness.Titles(ada.Post(t, "/v1/knowledge/search", map[string]any{"query": "kettle", "rerank": true, "top_k": 1})))

	// A bot that wants it: its retrieval has the scores.
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Clerk"}).Text("id")
	_, id, _ := strings.Cut(base, "bases/")
	put := ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{
		"instruction": "Be brief.", "settings": map[string]any{"knowledge": []any{map[string]any{"id": id, "rerank": true}}},
	})
	require.Equal(t, http.StatusOK, put.Status, put)
	ask := func() harness.Answer {
		thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
		turn := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "kettle"})
		require.Equal(t, http.StatusOK, turn.Status, turn)
		return ada.Get(t, "/v1/conversations/threads/"+thread+"/turns/"+turn.Text("turn_id")+"/retrievals")
	}
	search := ask().Items()[0]
	first := search["candidates"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"Short", 0.5, false}, []any{first["title"], first["rerank_score"], search["degraded"]})

	for i, script := range []reranktest.Script{{Status: http.StatusUnauthorized}, {Body: "{}"}, {Status: http.StatusServiceUnavailable}} {
		fake.Respond(script)
		found = ada.Find(t, base, "kettle", rerank)
		require.Equal(t, []any{true, false}, []any{found.At("degraded"), found.At("explanation.reranked")}, i)
		require.Equal(t, harness.Titles(plain), harness.Titles(found), "the order stays")
	}
	require.Equal(t, true, ask().Items()[0]["degraded"])
}

func TestU6TheRerankingModelGetsABoundedPartOfWhatIsFound(t *testing.T) {
	t.Parallel()
	fake := reranktest.New(t)
	ada := harness.Start(t, "RERANK_BASE_URL="+fake.BaseURL(), "RERANK_MODEL=m").Register(t)
	base := ada.NewBase(t, map[string]any{"chunk_size": 200, "chunk_overlap": 0})
	var text strings.Builder
	for i := range 80 {
		fmt.Fprintf(&text, "# Part %d\n\nThe kettle has the part number%d, %s.\n\n", i, i, strings.Repeat("which is of metal ", 9))
	}
	ada.Indexed(t, base, "Kettle", text.String())
	found := ada.Find(t, base, "kettle number7", map[string]any{"rerank": true, "top_k": 50})
	require.Len(t, fake.Calls()[0].Documents, 50)
	require.Contains(t, found.Items()[0]["text"], "number7,")
}

func TestU6WithoutARerankingModelASearchThatWantsItIsRefused(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base := ada.NewBase(t)
	a := ada.Post(t, base+"/search", map[string]any{"query": "x", "rerank": true})
	harness.RequireCode(t, a, http.StatusUnprocessableEntity, "NO_RERANKER")
	require.Contains(t, a.Text("message"), "RERANK_BASE_URL")
	require.Equal(t, http.StatusOK, ada.Post(t, base+"/search", map[string]any{"query": "x", "rerank": false}).Status)
}
