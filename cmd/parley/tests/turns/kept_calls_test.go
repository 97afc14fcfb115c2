package turns

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestCallsWithoutAThreadStayWhereTheirKeySaysSo(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	for _, role := range []string{"chat", "editor"} {
		key, other := ada.Key(t, role, map[string]any{"keeps_calls": true, "bot_ids": []string{bot}}), ada.Key(t, role)
		kept := func() int { return len(key.Get(t, "/v1/conversations/threads").Items()) }
		begun := kept()
		said := asks(bot, nil, "user", "one", "assistant", "Yes?", "user", "two")
		a := key.Post(t, completions, said)
		require.Equal(t, http.StatusOK, a.Status, a)
		calls := s.Calls()
		require.Equal(t, []string{"system: Be kind.", "user: one", "assistant: Yes?", "user: two"}, calls[len(calls)-1].Messages())
		thread := "/v1/conversations/threads/" + a.Header.Get("X-Parley-Thread-Id")
		require.Equal(t, map[string]any{"openai_history": true}, key.Get(t, thread).At("metadata"))
		messages := key.Get(t, thread+"/messages").Items()
		require.Len(t, messages, 2, "the last message and its answer")
		require.Equal(t, "Hello there", messages[1]["content"])

		first := key.Post(t, responses, responds(bot, "three"))
		require.Equal(t, true, first.At("store"), first)
		next := key.Post(t, responses, responds(bot, "four", "previous_response_id", first.Text("id")))
		require.Equal(t, first.Text("conversation.id"), next.Text("conversation.id"))
		require.Len(t, key.Get(t, "/v1/conversations/threads/"+next.Text("conversation.id")+"/messages").Items(), 4)
		require.Equal(t, begun+2, kept())

		// the call decides before the key, and what a chat client calls for itself or in a temporary chat is no conversation
		require.Empty(t, key.Post(t, completions, asks(bot, map[string]any{"store": false}, "user", "five")).Header.Get("X-Parley-Thread-Id"))
		require.Equal(t, false, key.Post(t, responses, responds(bot, "five", "store", false)).At("store"))
		title := asks(bot, map[string]any{"metadata": map[string]any{"task": "title_generation"}}, "user", "title?")
		require.Equal(t, http.StatusOK, key.Post(t, completions, title).Status)
		local := harness.Header{Name: "X-OpenWebUI-Chat-Id", Value: "local:abc"}
		require.Equal(t, http.StatusOK, key.Post(t, completions, asks(bot, nil, "user", "temporary"), local).Status)
		require.Equal(t, begun+2, kept())

		require.Equal(t, http.StatusOK, other.Post(t, completions, asks(bot, map[string]any{"store": nil}, "user", "six")).Status)
		require.Equal(t, begun+2, kept())
		require.NotEmpty(t, other.Post(t, completions, asks(bot, map[string]any{"store": true}, "user", "six")).Header.Get("X-Parley-Thread-Id"))
	}
	require.Equal(t, 6, harness.Count(t, ada.Super(t), `SELECT count(*) FROM threads WHERE expires_at IS NULL`))
}
