package knowledge

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
	"github.com/parley/parley/platform/ops/usage"
)

// A token costs a millionth here, so that the cost is the number of tokens, which are words to the fake.
func TestU6PassagesAndQueriesAreCountedOnceAsCosts(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, fake *embeddingtest.Server) {
		t.Helper()
		ada := p.Register(t)
		base := ada.NewBase(t, model(embeddingtest.Model))
		cost := func() float64 { return ada.Used(t, usage.Cost)["used"].(float64) }
		ada.Indexed(t, base, "Kettle", "Fill the kettle with fresh water")
		require.InDelta(t, 6, cost(), 0, "the passage")
		ada.Indexed(t, base, "Kettle again", "Fill the kettle with fresh water")
		require.InDelta(t, 6, cost(), 0, "a text that is known is not sent")

		fake.Respond(embeddingtest.Script{Status: http.StatusServiceUnavailable, Refusals: 1})
		sent := len(fake.Calls())
		found := ada.Find(t, base, "kettle with cold water", mode("vector"))
		require.Equal(t, false, found.At("degraded"), found)
		require.Len(t, fake.Calls(), sent+2, "it was asked again")
		require.InDelta(t, 6+4, cost(), 0, "a query, once")
		ada.Find(t, base, "kettle", mode("lexical"))
		require.InDelta(t, 10, cost(), 0)
		require.Equal(t, http.StatusOK, ada.Post(t, "/v1/knowledge/search", map[string]any{"query": "kettle"}).Status)
		require.InDelta(t, 11, cost(), 0)

		ada.Limit(t, usage.Cost, 11)
		sent = len(fake.Calls())
		found = ada.Find(t, base, "kettle")
		require.Equal(t, []any{"lexical", true}, []any{found.At("mode"), found.At("degraded")}, "without money it is searched by words")
		require.Len(t, found.Items(), 2)
		require.Len(t, fake.Calls(), sent)
		waiting := ada.AddText(t, base, "Toaster", "Put bread into the toaster")
		ada.WaitUntil(t, waiting, "error.code", "LIMIT_REACHED")
		ada.Limit(t, usage.Cost, 0)
		require.Equal(t, false, ada.Find(t, base, "kettle").At("degraded"))
	}, own...)
}
