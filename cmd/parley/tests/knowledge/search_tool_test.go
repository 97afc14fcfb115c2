package knowledge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAModelSearchesByATool(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base := ada.NewBase(t)
	path := ada.Indexed(t, base, "Kettle", manual)
	thread := threadOn(t, ada, base, map[string]any{"knowledge_mode": "tool", "no_knowledge": "refuse"})
	messages := "/v1/conversations/threads/" + thread + "/messages"

	a := ada.Say(t, thread, "How long is the warranty of a kettle?")
	require.Equal(t, "Echo: How long is the warranty of a kettle?", a.Text("assistant_message.content"), "nothing is searched unless the model asks")
	require.Empty(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/turns/"+a.Text("turn_id")+"/retrievals").Items())

	a = ada.Say(t, thread, "How long is the warranty of a kettle?\n"+`call search_knowledge {"query": "warranty of a kettle"}`+"\n"+`call search_knowledge {"query": "Xyzzyplugh"}`)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.True(t, strings.HasSuffix(a.Text("assistant_message.content"), " [1]"), a)
	citations, _ := a.At("assistant_message.citations").([]any)
	require.Len(t, citations, 1, a)
	require.Equal(t, "Kettle", citations[0].(map[string]any)["title"])
	require.Equal(t, citations, ada.Get(t, messages+"?order=desc").Items()[0]["citations"])
	turn := "/v1/conversations/threads/" + thread + "/turns/" + a.Text("turn_id")
	found := ada.Get(t, turn+"/retrievals").Items()
	require.Len(t, found, 2)
	require.ElementsMatch(t, []any{"warranty of a kettle", "Xyzzyplugh"}, []any{found[0]["query"], found[1]["query"]})
	calls := ada.Get(t, "/v1/tool-calls?turn_id="+a.Text("turn_id")).Items()
	require.Len(t, calls, 2)
	for _, c := range calls {
		require.Equal(t, []any{"succeeded", "knowledge", "read", nil}, []any{c["status"], c["kind"], c["effect"], c["tool_id"]})
		require.NotContains(t, c["result"], "year", "texts of documents are kept where they are erased with them")
	}

	a = ada.Say(t, thread, `call search_knowledge {"query": " "}`)
	require.Contains(t, a.Text("assistant_message.content"), "query", a)
	require.Equal(t, "failed", ada.Get(t, "/v1/tool-calls?turn_id="+a.Text("turn_id")).Items()[0]["status"])

	stream := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": `call search_knowledge {"query": "warranty of a kettle"}`},
		harness.Header{Name: "Accept", Value: "text/event-stream"}).String()
	last := -1
	for _, event := range []string{"tool_call.created", "retrieval.completed", "tool_call.completed", "message.delta", "citation.added", "turn.completed"} {
		at := strings.Index(stream, "event: "+event+"\n")
		require.Greater(t, at, last, "%s\n%s", event, stream)
		last = at
	}

	require.Equal(t, http.StatusNoContent, ada.Delete(t, path).Status)
	b := ada.Say(t, thread, `call search_knowledge {"query": "warranty of a kettle"}`)
	require.Contains(t, b.Text("assistant_message.content"), "Nothing was found.", b)
}
