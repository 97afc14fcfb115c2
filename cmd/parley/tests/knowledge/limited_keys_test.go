package knowledge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// calls are all that read a base with a document.
func calls(t *testing.T, c *harness.Caller, base, document string) []harness.Answer {
	t.Helper()
	return []harness.Answer{
		c.Get(t, base), c.Get(t, base+"/documents"), c.Get(t, document), c.Get(t, document+"/text"), c.Get(t, document+"/chunks"),
		c.Post(t, base+"/search", map[string]any{"query": "warranty"}),
		c.Post(t, "/v1/knowledge/search", map[string]any{"query": "warranty", "knowledge_base_ids": []string{strings.TrimPrefix(base, "/v1/knowledge-bases/")}}),
	}
}

func TestU6AKeyLimitedToBotsReadsWhatItsBotsKnowAndNothingElse(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	known, hidden, free := ada.NewBase(t), ada.NewBase(t), ada.NewBase(t)
	kettle := ada.Indexed(t, known, "Kettle", manual)
	teapot := ada.Indexed(t, hidden, "Teapot", manual+" Porcelain is brittle.")
	ada.Indexed(t, free, "Free", manual)
	bot := newBot(t, ada, "mine", uses(strings.ToUpper(known[len("/v1/knowledge-bases/"):])))
	newBot(t, ada, "other", uses(hidden))
	for _, role := range []string{"viewer", "editor"} {
		key := ada.Key(t, role, map[string]any{"bot_ids": []string{bot}})
		for _, a := range calls(t, key, known, kettle) {
			require.Equal(t, http.StatusOK, a.Status, a)
		}
		require.Equal(t, "Kettle", key.Get(t, kettle).Text("title"))
		require.Equal(t, ada.Get(t, kettle+"/text").Body, key.Get(t, kettle+"/text").Body)
		require.NotEmpty(t, key.Get(t, kettle+"/chunks").Items())
		never := "/v1/knowledge-bases/" + uuid.NewString()
		unknown := calls(t, key, never, never+"/documents/"+uuid.NewString())
		for i, a := range calls(t, key, hidden, teapot) {
			require.Equal(t, http.StatusNotFound, a.Status, a)
			harness.RequireSameButTrace(t, unknown[i], a)
		}
		list := key.Get(t, "/v1/knowledge-bases").Items()
		require.Len(t, list, 1)
		require.Equal(t, strings.TrimPrefix(known, "/v1/knowledge-bases/"), list[0]["id"])
		require.EqualValues(t, 1, list[0]["documents"].(map[string]any)["ready"])
		require.Equal(t, []string{"Kettle"}, harness.Titles(key.Find(t, "/v1/knowledge", "warranty")))
		require.Len(t, ada.Find(t, "/v1/knowledge", "warranty").Items(), 3)

		for _, a := range []harness.Answer{
			key.Post(t, "/v1/knowledge-bases", map[string]any{"name": "x"}), key.Patch(t, known, map[string]any{"name": "x"}), key.Delete(t, known+"?force=true"),
			key.Post(t, known+"/reindex", nil), key.Post(t, known+"/documents", map[string]any{"title": "x", "text": "x"}),
			key.Patch(t, kettle, map[string]any{"title": "x"}), key.Post(t, kettle+"/reindex", nil), key.Delete(t, kettle),
		} {
			harness.RequireCode(t, a, http.StatusForbidden, "FORBIDDEN")
		}
	}
	require.Equal(t, "Kettle", ada.Get(t, kettle).Text("title"))
}

func TestAKeyLimitedToBotsSeesWhatTheirVersionsNameNow(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base, other := ada.NewBase(t), ada.NewBase(t)
	ada.Indexed(t, base, "Kettle", manual)
	bot := newBot(t, ada, "mine", map[string]any{})
	key := ada.Key(t, "editor", map[string]any{"bot_ids": []string{bot}})
	found := func() []string {
		t.Helper()
		return harness.Titles(key.Find(t, "/v1/knowledge", "warranty"))
	}
	put := func(c *harness.Caller, settings map[string]any, publish bool) harness.Answer {
		t.Helper()
		return c.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x", "settings": settings, "publish": publish})
	}
	require.Empty(t, found(), "its bot knows nothing")
	harness.RequireWrong(t, put(key, uses(base), true), "settings.knowledge.0.id")
	require.Empty(t, found(), "it has made its bot know a base")

	require.Equal(t, http.StatusOK, put(ada, uses(base), false).Status)
	require.Equal(t, []string{"Kettle"}, found(), "of the latest version")
	require.Equal(t, http.StatusOK, put(key, uses(base), true).Status, "what its bot knows already it may name")
	harness.RequireWrong(t, put(key, uses(other), true), "settings.knowledge.0.id")
	require.Equal(t, http.StatusOK, put(ada, map[string]any{}, false).Status)
	require.Equal(t, []string{"Kettle"}, found(), "of the published version")
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/bots/"+bot, map[string]any{"status": "archived"}).Status)
	require.Empty(t, found(), "of an archived bot")
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/bots/"+bot, map[string]any{"status": "active"}).Status)
	require.Equal(t, http.StatusOK, put(ada, map[string]any{}, true).Status)
	require.Empty(t, found(), "of a former version")
}

func TestU6ATurnOfAKeyLimitedToBotsCitesWhatTheBotKnows(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base, hidden := ada.NewBase(t), ada.NewBase(t)
	ada.Indexed(t, base, "Kettle", manual)
	ada.Indexed(t, hidden, "Teapot", manual)
	bot, other := newBot(t, ada, "mine", uses(base)), newBot(t, ada, "other", uses(hidden))
	key := ada.Key(t, "editor", map[string]any{"bot_ids": []string{bot}})
	thread := key.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	a := key.Say(t, thread, "How long is the warranty of a kettle?")
	require.Equal(t, http.StatusOK, a.Status, a)
	citations, _ := a.At("assistant_message.citations").([]any)
	require.Len(t, citations, 1, a)
	require.Equal(t, "Kettle", citations[0].(map[string]any)["title"])
	retrievals := "/v1/conversations/threads/" + thread + "/turns/" + a.Text("turn_id") + "/retrievals"
	require.Equal(t, ada.Get(t, retrievals).Body, key.Get(t, retrievals).Body)
	require.Len(t, key.Get(t, retrievals).Items(), 1)
	require.Contains(t, key.Get(t, retrievals).String(), "Kettle")
	harness.RequireCode(t, ada.Key(t, "editor", map[string]any{"bot_ids": []string{other}}).Get(t, retrievals), http.StatusNotFound, "NOT_FOUND")
}

func TestAnExplanationHasNoWordsThatAKeyMayNotRead(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	known, hidden := ada.NewBase(t), ada.NewBase(t)
	ada.Indexed(t, known, "Kettle", manual)
	ada.Indexed(t, hidden, "Teapot", manual+"\n\nPorcelain is brittle.")
	key := ada.Key(t, "viewer", map[string]any{"bot_ids": []string{newBot(t, ada, "mine", uses(known))}})
	words := func(c *harness.Caller, query string) map[string]float64 {
		t.Helper()
		list, _ := c.Find(t, "/v1/knowledge", query, map[string]any{"explain": true}).At("explanation.words").([]any)
		chunks := map[string]float64{}
		for _, w := range list {
			w := w.(map[string]any)
			chunks[w["word"].(string)] = w["chunks"].(float64)
		}
		return chunks
	}
	const query = "warrnty porcelain porcelayn"
	whole, some := words(ada, query), words(key, query)
	require.Contains(t, whole, "porcelain", "a whole key sees all words")
	require.Len(t, whole, 2)
	require.Len(t, some, 1, "words of other documents: %v", some)
	require.InDelta(t, 1, some["warranti"], 0, some)
	require.Greater(t, whole["warranti"], some["warranti"])
}
