package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestU10AThreadIsLabeledArchivedAndFound(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	ada.post(t, "/v1/conversations/threads", map[string]any{})
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot, "title": "Order", "metadata": map[string]any{"n": 1}})
	require.Equal(t, []any{"Order", map[string]any{"n": 1.0}, nil}, []any{thread.at("title"), thread.at("metadata"), thread.at("last_message_at")}, thread)
	path := "/v1/conversations/threads/" + thread.text("id")
	turn := ada.post(t, path+"/turn", map[string]any{"content": "hello"})
	require.Equal(t, turn.at("assistant_message.created_at"), ada.get(t, path).at("last_message_at"))

	archived := ada.patch(t, path, map[string]any{"status": "archived", "title": "Order 4711"})
	require.Equal(t, []any{"archived", "Order 4711", map[string]any{"n": 1.0}}, []any{archived.at("status"), archived.at("title"), archived.at("metadata")}, archived)
	requireCode(t, ada.post(t, path+"/turn", map[string]any{"content": "x"}), http.StatusConflict, "CONFLICT")
	list := "/v1/conversations/threads"
	require.Len(t, ada.get(t, list+"?bot_id="+bot).items(), 1)
	require.Len(t, ada.get(t, list+"?status=archived").items(), 1)
	require.Empty(t, ada.get(t, list+"?status=active&bot_id="+bot).items())
	requireCode(t, ada.get(t, list+"?status=active&cursor="+ada.get(t, list+"?limit=1").text("next_cursor")), http.StatusBadRequest, "BAD_REQUEST")
	requireWrong(t, ada.get(t, list+"?status=gone&bot_id=x"), "bot_id", "status")
	require.Equal(t, "active", ada.patch(t, path, map[string]any{"status": "active"}).text("status"))
	require.Equal(t, http.StatusOK, ada.post(t, path+"/turn", map[string]any{"content": "x"}).Status)
	require.Len(t, ada.get(t, "/v1/audit-log?action=thread.change").items(), 2)

	const frame = `{"x":""}`
	metadata := func(size int) map[string]any {
		return map[string]any{"metadata": map[string]any{"x": strings.Repeat("y", size-len(frame))}}
	}
	require.Equal(t, http.StatusOK, ada.patch(t, path, metadata(16<<10)).Status)
	requireWrong(t, ada.patch(t, path, metadata(16<<10+1)), "metadata")
	requireWrong(t, ada.post(t, list, metadata(16<<10+1)), "metadata")
	requireWrong(t, ada.patch(t, path, `{"metadata":null,"status":"gone"}`), "metadata", "status")
}

func TestU10MessagesAreReadInBothDirectionsRatedAndExported(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	path := "/v1/conversations/threads/" + ada.post(t, "/v1/conversations/threads", map[string]any{}).text("id")
	require.Empty(t, ada.get(t, path+"/export").Raw, "nothing has been said")
	const turns = 51 // more than a page of the export
	for i := range turns {
		ada.post(t, path+"/turn", map[string]any{"content": fmt.Sprint("question ", i)})
	}
	var seqs []any
	query := "?order=desc&limit=40"
	for page := ada.get(t, path+"/messages"+query); ; page = ada.get(t, path+"/messages"+query+"&cursor="+page.text("next_cursor")) {
		for _, m := range page.items() {
			seqs = append(seqs, m["seq"])
		}
		if page.at("has_more") == false {
			break
		}
	}
	require.Len(t, seqs, 2*turns)
	for i, seq := range seqs {
		require.EqualValues(t, 2*turns-i, seq, "newest first")
	}
	backwards := ada.get(t, path+"/messages"+query).text("next_cursor")
	requireCode(t, ada.get(t, path+"/messages?cursor="+backwards), http.StatusBadRequest, "BAD_REQUEST")
	requireWrong(t, ada.get(t, path+"/messages?order=up"), "order")

	messages := ada.get(t, path+"/messages?limit=2").items()
	require.Nil(t, messages[1]["feedback"])
	rate := func(c *caller, i int, body any) answer {
		return c.put(t, "/v1/conversations/messages/"+messages[i]["id"].(string)+"/feedback", body)
	}
	rate(ada, 1, map[string]any{"rating": "good"})
	rated := rate(ada, 1, map[string]any{"rating": "bad", "comment": "not my order"})
	require.Equal(t, []any{"bad", "not my order"}, []any{rated.at("feedback.rating"), rated.at("feedback.comment")}, rated)
	require.Equal(t, rated.Body, ada.get(t, path+"/messages?limit=2").items()[1], "it is shown on the message")
	requireWrong(t, rate(ada, 0, map[string]any{"rating": "good"}), "message_id")
	requireWrong(t, rate(ada, 1, map[string]any{"rating": "fair", "comment": strings.Repeat("ü", 2001)}), "comment", "rating")
	require.Equal(t, http.StatusOK, rate(ada, 1, map[string]any{"rating": "bad", "comment": strings.Repeat("ü", 2000)}).Status)
	requireCode(t, rate(eve, 1, map[string]any{"rating": "good"}), http.StatusNotFound, "NOT_FOUND")
	log := ada.get(t, "/v1/audit-log?action=message.rate")
	require.Len(t, log.items(), 3)
	require.NotContains(t, string(log.Raw), "not my order", "a comment is in the audit log")

	export := ada.get(t, path+"/export")
	require.Equal(t, "application/x-ndjson", export.Header.Get("Content-Type"))
	ids, rows := lines(t, export)
	require.Len(t, ids, 2*turns)
	for i, row := range rows {
		require.EqualValues(t, i+1, row["seq"], "oldest first")
	}
	require.Equal(t, "question 50", rows[100]["content"])
	requireCode(t, eve.get(t, path+"/export"), http.StatusNotFound, "THREAD_NOT_FOUND")
}
