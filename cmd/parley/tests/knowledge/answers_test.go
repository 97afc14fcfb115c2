package knowledge

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// threadOn opens a thread with a bot that answers from a knowledge base.
func threadOn(t *testing.T, c *harness.Caller, base string, more map[string]any) string {
	t.Helper()
	settings := map[string]any{"knowledge": []any{map[string]any{"id": strings.TrimPrefix(base, "/v1/knowledge-bases/")}}}
	maps.Copy(settings, more)
	return c.ThreadWith(t, settings)
}

func TestU6AnAnswerCitesTheWordsOfTheDocument(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	path := ada.Indexed(t, base, "Kettle", manual)
	text := []rune(ada.Get(t, path+"/text").Text("text"))
	thread := threadOn(t, ada, base, nil)

	a := ada.Say(t, thread, "How long is the warranty of a kettle?")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.True(t, strings.HasSuffix(a.Text("assistant_message.content"), " [1]"), a)
	citations, _ := a.At("assistant_message.citations").([]any)
	require.Len(t, citations, 1, a)
	citation := citations[0].(map[string]any)
	require.NotEmpty(t, citation["quote"])
	require.Equal(t, citation["quote"], string(text[int(citation["start"].(float64)):int(citation["end"].(float64))]), "the offsets do not point at the quote")
	require.Equal(t, []any{float64(1), "Kettle", nil, strings.TrimPrefix(path, base+"/documents/")},
		[]any{citation["number"], citation["title"], citation["page"], citation["document_id"]})
	require.Empty(t, a.At("user_message.citations"))

	turn := "/v1/conversations/threads/" + thread + "/turns/" + a.Text("turn_id")
	found := ada.Get(t, turn+"/retrievals")
	require.Equal(t, http.StatusOK, found.Status, found)
	require.Len(t, found.Items(), 1)
	search := found.Items()[0]
	require.Equal(t, []any{"How long is the warranty of a kettle?", "lexical", false}, []any{search["query"], search["mode"], search["degraded"]})
	first := search["candidates"].([]any)[0].(map[string]any)
	require.Equal(t, []any{true, true, citation["chunk_id"]}, []any{first["given"], first["cited"], first["chunk_id"]})

	messages := ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items()
	require.Equal(t, citations, messages[1]["citations"])
	require.Empty(t, messages[0]["citations"])

	require.Equal(t, http.StatusNoContent, ada.Delete(t, path).Status)
	after := ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items()
	require.Equal(t, citations, after[1]["citations"], "a citation changes with the document")

	eve := p.Register(t)
	harness.RequireCode(t, eve.Get(t, turn+"/retrievals"), http.StatusNotFound, "NOT_FOUND")
}

func TestWhereNothingIsFoundTheBotAnswersAsItsSettingsSay(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base := ada.NewBase(t)
	ada.Indexed(t, base, "Kettle", manual)
	refuses := threadOn(t, ada, base, map[string]any{"no_knowledge": "refuse", "no_knowledge_text": "Этого я не знаю."})
	a := ada.Say(t, refuses, "Xyzzyplugh qwrtzpsdf?")
	require.Equal(t, "Этого я не знаю.", a.Text("assistant_message.content"), a)
	require.Empty(t, a.At("assistant_message.citations"))
	b := ada.Say(t, threadOn(t, ada, base, nil), "Xyzzyplugh qwrtzpsdf?")
	require.Equal(t, "Echo: Xyzzyplugh qwrtzpsdf?", b.Text("assistant_message.content"), b)

	require.Equal(t, http.StatusNoContent, ada.Delete(t, base+"?force=true").Status)
	c := ada.Say(t, refuses, "How long is the warranty of a kettle?")
	require.Equal(t, "Этого я не знаю.", c.Text("assistant_message.content"), "of a base that is deleted")
}

func TestAStreamTellsWhatWasFoundAndCited(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base := ada.NewBase(t)
	ada.Indexed(t, base, "Kettle", manual)
	thread := threadOn(t, ada, base, nil)
	a := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "How long is the warranty of a kettle?"},
		harness.Header{Name: "Accept", Value: "text/event-stream"})
	require.Equal(t, http.StatusOK, a.Status, a)
	stream := a.String()
	last := -1
	for _, event := range []string{"turn.created", "message.created", "retrieval.completed", "message.delta", "citation.added", "message.completed", "turn.completed"} {
		at := strings.Index(stream, "event: "+event+"\n")
		require.Greater(t, at, last, "%s\n%s", event, stream)
		last = at
	}
	require.Equal(t, 2, strings.Count(stream, `"quote":`), "of citation.added and message.completed: %s", stream)
}

func TestSettingsNameKnowledgeBasesThatAreThere(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	mine, hers := strings.TrimPrefix(ada.NewBase(t), "/v1/knowledge-bases/"), strings.TrimPrefix(eve.NewBase(t), "/v1/knowledge-bases/")
	made := func(uses ...map[string]any) harness.Answer {
		return ada.Post(t, "/v1/bots", map[string]any{"name": "a", "settings": map[string]any{"knowledge": uses}})
	}
	use := func(id string) map[string]any { return map[string]any{"id": id} }
	good := made(use(mine))
	require.Equal(t, http.StatusCreated, good.Status, good)
	harness.RequireWrong(t, made(use(mine), use(uuid.NewString())), "settings.knowledge.1.id")
	harness.RequireWrong(t, made(use(hers)), "settings.knowledge.0.id")
	harness.RequireWrong(t, made(use(mine), use(mine)), "settings.knowledge.1.id")
	harness.RequireWrong(t, made(map[string]any{"id": mine, "filter": map[string]any{"a": map[string]any{}}}), "settings.knowledge.0.filter")
	harness.RequireWrong(t, made(map[string]any{"id": mine, "top_k": 0}), "settings.knowledge.0.top_k")
	harness.RequireWrong(t, ada.Put(t, "/v1/bots/"+good.Text("id")+"/instruction",
		map[string]any{"instruction": "x", "settings": map[string]any{"knowledge": []any{use(hers)}}}), "settings.knowledge.0.id")
}
