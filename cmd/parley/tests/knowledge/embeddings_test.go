package knowledge

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
)

// embedded starts a fake embedding model, and the program with it, its vectors in each store that there is.
func embedded(t *testing.T, test func(t *testing.T, p *harness.Program, fake *embeddingtest.Server), more ...string) {
	t.Helper()
	run := func(name string, settings ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := embeddingtest.New(t)
			test(t, harness.Start(t, append(append(settings, more...),
				"EMBEDDING_BASE_URL="+fake.BaseURL(), "EMBEDDING_API_KEY=sk-embedding-0123", "EMBEDDING_MODEL="+embeddingtest.Model+",fake-other",
				"BREAKER_OPEN_FOR=200ms")...), fake)
		})
	}
	run("Postgres")
	if url := os.Getenv("TEST_QDRANT_URL"); url != "" {
		run("Qdrant", "QDRANT_URL="+url)
	}
}

func model(name any) map[string]any { return map[string]any{"embedding_model": name} }

func mode(name string, more ...any) map[string]any {
	body := map[string]any{"mode": name}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

func TestU6DocumentsAreFoundByTheirVectors(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, fake *embeddingtest.Server) {
		t.Helper()
		ada, eve := p.Register(t), p.Register(t)
		base := ada.NewBase(t, model(embeddingtest.Model))
		require.Equal(t, embeddingtest.Model, ada.Get(t, base).Text("embedding_model"))
		kettle := ada.Indexed(t, base, "Kettle", "Fill the kettle with fresh water and press the lever", map[string]any{"metadata": map[string]any{"year": 2026}})
		ada.Indexed(t, base, "Toaster", "Put two slices of bread into the toaster")
		d := ada.Get(t, kettle)
		require.Equal(t, d.At("chunks_total"), d.At("chunks_done"))

		found := ada.Find(t, base, "fresh water in the kettle", mode("vector"))
		require.Equal(t, []any{"vector", false}, []any{found.At("mode"), found.At("degraded")})
		require.Equal(t, "Kettle", harness.Titles(found)[0])
		require.Greater(t, found.Items()[0]["cosine"], 0.5)
		require.Nil(t, found.Items()[0]["lexical_rank"])
		strict := ada.Find(t, base, "fresh water in the kettle", mode("vector", "min_score", 0.5, "explain", true))
		require.Equal(t, []string{"Kettle"}, harness.Titles(strict), "min_score is the least cosine")

		hybrid := ada.Find(t, base, "fresh water in the kettle")
		require.Equal(t, []any{"hybrid", false}, []any{hybrid.At("mode"), hybrid.At("degraded")}, "the default where there are embeddings")
		first := hybrid.Items()[0]
		require.Equal(t, []any{"Kettle", 1.0, 1.0}, []any{first["title"], first["lexical_rank"], first["score"]}, "it is the first of both")
		require.NotNil(t, first["cosine"])
		require.Equal(t, []string{"Kettle"}, harness.Titles(ada.Find(t, base, "bread", mode("vector", "filter", map[string]any{"year": 2026}))), "the filter holds")

		// Two tenants with the same text: none finds the other's, and each pays for its own.
		theirs := eve.NewBase(t, model(embeddingtest.Model))
		sent := fake.Texts()
		eve.Indexed(t, theirs, "Eve's", "Fill the kettle with fresh water and press the lever")
		require.Equal(t, sent+1, fake.Texts())
		require.Equal(t, []string{"Eve's"}, harness.Titles(eve.Find(t, theirs, "water", mode("vector"))))
		harness.RequireCode(t, eve.Post(t, base+"/search", map[string]any{"query": "water", "mode": "vector"}), http.StatusNotFound, "KNOWLEDGE_BASE_NOT_FOUND")

		// Several bases in one search, of which one has no embeddings.
		plain := ada.NewBase(t)
		ada.Indexed(t, plain, "Plain", "Water without a vector")
		several := ada.Post(t, "/v1/knowledge/search", map[string]any{"query": "water"})
		require.Subset(t, harness.Titles(several), []string{"Kettle", "Plain"})
		harness.RequireCode(t, ada.Post(t, plain+"/search", map[string]any{"query": "water", "mode": "vector"}), http.StatusUnprocessableEntity, "NO_EMBEDDINGS")

		require.Equal(t, http.StatusNoContent, ada.Delete(t, kettle).Status)
		require.Equal(t, []string{"Toaster"}, harness.Titles(ada.Find(t, base, "fresh water in the kettle", mode("vector"))), "what is deleted is not found from then on")
	})
}

func TestU6DocumentsWaitForAnEmbeddingModelThatIsAway(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, fake *embeddingtest.Server) {
		t.Helper()
		ada := p.Register(t)
		base := ada.NewBase(t, model(embeddingtest.Model))
		ada.Indexed(t, base, "Toaster", "Put two slices of bread into the toaster")
		fake.Respond(embeddingtest.Script{Status: http.StatusServiceUnavailable, Body: "secret-of-the-server"})
		path := ada.AddText(t, base, "Kettle", "Fill the kettle with fresh water")
		waiting := ada.WaitUntil(t, path, "error.code", "EMBEDDINGS_UNAVAILABLE")
		require.Equal(t, []any{"embedding", "embed"}, []any{waiting.At("status"), waiting.At("stage")})
		require.NotContains(t, waiting.String(), "secret-of-the-server")
		for _, how := range []string{"hybrid", "vector"} {
			found := ada.Find(t, base, "bread", mode(how))
			require.Equal(t, []any{"lexical", true}, []any{found.At("mode"), found.At("degraded")}, how)
			require.Equal(t, []string{"Toaster"}, harness.Titles(found))
		}
		fake.Respond(embeddingtest.Script{})
		ready := ada.WaitUntil(t, path, "status", "ready")
		require.Nil(t, ready.At("error"))
		require.Eventually(t, func() bool {
			found := ada.Find(t, base, "kettle water", mode("vector"))
			return found.At("degraded") == false && harness.Titles(found)[0] == "Kettle"
		}, time.Minute, 20*time.Millisecond)
	})
}

func TestU6AFailureThatStaysFailsTheDocument(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, fake *embeddingtest.Server) {
		t.Helper()
		ada := p.Register(t)
		base := ada.NewBase(t, model(embeddingtest.Model))
		fake.Respond(embeddingtest.Script{Key: "another"})
		path := ada.AddText(t, base, "Kettle", "Fill the kettle with fresh water")
		failed := ada.WaitUntil(t, path, "status", "failed")
		require.Equal(t, "EMBEDDING_FAILED", failed.Text("error.code"))
		require.Contains(t, failed.Text("error.message"), "EMBEDDING_API_KEY")
		require.NotContains(t, failed.String(), "sk-embedding")
		fake.Respond(embeddingtest.Script{})
		require.Equal(t, http.StatusAccepted, ada.Post(t, path+"/reindex", nil).Status)
		ada.WaitUntil(t, path, "status", "ready")
	})
}

func TestU6AnotherModelIsABaseIndexedAnewAndSearchedMeanwhile(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, fake *embeddingtest.Server) {
		t.Helper()
		ada := p.Register(t)
		base := ada.NewBase(t, model(embeddingtest.Model))
		var paths []string
		for i := range 12 {
			paths = append(paths, ada.AddText(t, base, fmt.Sprintf("Part %d", i), fmt.Sprintf("The part number%d of the machine is made of metal%d", i, i)))
		}
		for _, path := range paths {
			ada.WaitUntil(t, path, "status", "ready")
		}
		sent := fake.Texts()
		require.Equal(t, http.StatusAccepted, ada.Post(t, base+"/reindex", nil).Status)
		for _, path := range paths {
			ada.WaitUntil(t, path, "status", "ready")
		}
		require.Equal(t, sent, fake.Texts(), "a text is sent once in a workspace")

		a := ada.Patch(t, base, model("fake-other"))
		require.Equal(t, []any{http.StatusOK, "fake-other"}, []any{a.Status, a.Text("embedding_model")}, a)
		all := func() bool {
			found := ada.Find(t, base, "part number7 metal7", mode("vector"))
			require.Equal(t, []any{"vector", false}, []any{found.At("mode"), found.At("degraded")}, found)
			require.Contains(t, harness.Titles(found), "Part 7", "it is found all the time; cosines of two models compare badly meanwhile")
			return int(ada.Get(t, base).At("documents.ready").(float64)) == len(paths)
		}
		require.Eventually(t, all, 30*time.Second, 10*time.Millisecond)
		require.Equal(t, "fake-other", fake.Calls()[len(fake.Calls())-1].Model)
		require.Eventually(t, func() bool { // the last of the former vectors go after the switch
			before := len(fake.Calls())
			ada.Find(t, base, "part", mode("vector"))
			return len(fake.Calls()) == before+1 && fake.Calls()[before].Model == "fake-other"
		}, time.Minute, 20*time.Millisecond, "a query is still asked of the former model")

		a = ada.Patch(t, base, model(nil))
		require.Equal(t, []any{http.StatusOK, nil}, []any{a.Status, a.At("embedding_model")}, a)
		harness.RequireCode(t, ada.Post(t, base+"/search", map[string]any{"query": "part", "mode": "vector"}), http.StatusUnprocessableEntity, "NO_EMBEDDINGS")
	})
}

func TestU6OnlyModelsThatAreServedMayBeChosen(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	a := ada.Post(t, "/v1/knowledge-bases", map[string]any{"name": "Manuals", "embedding_model": "fake-other"})
	harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Contains(t, a.String(), "EMBEDDING_MODEL")
	fake := embeddingtest.New(t)
	ada = harness.Start(t, "EMBEDDING_BASE_URL="+fake.BaseURL(), "EMBEDDING_MODEL=fake-one,fake-other").Register(t)
	base := ada.NewBase(t, model("fake-other"))
	for _, a := range []harness.Answer{
		ada.Post(t, "/v1/knowledge-bases", map[string]any{"name": "Manuals", "embedding_model": "fake-third"}), ada.Patch(t, base, model("fake-third")),
	} {
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		require.Contains(t, a.String(), "fake-one, fake-other")
	}
}
