package knowledge

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/usage"
)

func TestASearchSeesItsOwnWorkspaceAlone(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	base, theirs := ada.NewBase(t), eve.NewBase(t)
	mine := ada.Indexed(t, base, "Mine", manual)
	eve.Indexed(t, theirs, "Theirs", manual)
	require.Equal(t, []string{"Mine"}, harness.Titles(ada.Find(t, "/v1/knowledge", "warranty")))
	require.Equal(t, []string{"Theirs"}, harness.Titles(eve.Find(t, "/v1/knowledge", "warranty")))
	harness.RequireCode(t, eve.Post(t, base+"/search", map[string]any{"query": "warranty"}), http.StatusNotFound, "KNOWLEDGE_BASE_NOT_FOUND")
	require.Equal(t, http.StatusNoContent, eve.Delete(t, theirs).Status)
	require.Equal(t, "ready", ada.Get(t, mine).Text("status"))
}

func TestASearchIsFilteredByMetadataAndExplained(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t, map[string]any{"language": "english"})
	for title, year := range map[string]int{"Old": 2024, "New": 2026} {
		ada.Indexed(t, base, title, manual, map[string]any{"metadata": map[string]any{"year": year, "draft": title == "New"}})
	}
	require.ElementsMatch(t, []string{"Old", "New"}, harness.Titles(ada.Find(t, base, "warranty")))
	for title, filter := range map[string]map[string]any{"Old": {"year": 2024}, "New": {"year": []int{2025, 2026}, "draft": true}} {
		require.Equal(t, []string{title}, harness.Titles(ada.Find(t, base, "warranty", map[string]any{"filter": filter})), filter)
	}
	require.Empty(t, harness.Titles(ada.Find(t, base, "warranty", map[string]any{"filter": map[string]any{"year": "2024"}})), "a text is no number")
	require.Empty(t, harness.Titles(ada.Find(t, base, "warranty", map[string]any{"filter": map[string]any{"other": 1}})))

	a := ada.Find(t, base, "warrnty", map[string]any{"explain": true, "top_k": 1})
	require.Len(t, a.Items(), 1)
	words, _ := a.At("explanation.words").([]any)
	require.NotEmpty(t, words)
	require.Equal(t, "warrnti", words[0].(map[string]any)["instead_of"])
	left, _ := a.At("explanation.left_out").([]any)
	require.Len(t, left, 1)
	require.Equal(t, "top_k", left[0].(map[string]any)["reason"])
	high := ada.Find(t, base, "warranty", map[string]any{"explain": true, "min_score": 1})
	require.Empty(t, high.Items())
	left, _ = high.At("explanation.left_out").([]any)
	require.Equal(t, "min_score", left[0].(map[string]any)["reason"])
}

func TestADocumentBeyondALimitFailsAndABaseIsRefused(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	ada.Limit(t, usage.KnowledgeBases, 1)
	ada.Limit(t, usage.KnowledgeBytes, 100)
	harness.RequireCode(t, ada.Post(t, "/v1/knowledge-bases", map[string]any{"name": "x"}), http.StatusForbidden, "LIMIT_REACHED")
	d := ada.WaitUntil(t, ada.AddText(t, base, "Kettle", manual), "status", "failed")
	require.Equal(t, "LIMIT_REACHED", d.Text("error.code"))
	ada.Limit(t, usage.Documents, 1)
	harness.RequireCode(t, ada.Post(t, base+"/documents", map[string]any{"title": "x", "text": "x"}), http.StatusForbidden, "LIMIT_REACHED")
}

// What a crash has left without a job is found and queued again.
func TestADocumentWithoutAJobIsFound(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	ada := p.Register(t)
	base := ada.NewBase(t)
	path := ada.Indexed(t, base, "Kettle", manual)
	p.SQL(t, `DELETE FROM job_queue WHERE kind = 'document.ingest'`)
	p.SQL(t, `UPDATE documents SET status = 'chunking', building = 2, chunks_done = 0, updated_at = now() - interval '1 hour'`)
	require.Eventually(t, func() bool {
		a := ada.Get(t, path)
		return a.Text("status") == "ready" && p.Number(t, `SELECT generation FROM documents`) == 2
	}, 30*time.Second, 50*time.Millisecond)
}
