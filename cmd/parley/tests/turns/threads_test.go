package turns

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestU10AThreadIsLabeledArchivedAndFound(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	ada.Post(t, "/v1/conversations/threads", map[string]any{})
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot, "title": "Order", "metadata": map[string]any{"n": 1}})
	require.Equal(t, []any{"Order", map[string]any{"n": 1.0}, nil}, []any{thread.At("title"), thread.At("metadata"), thread.At("last_message_at")}, thread)
	path := "/v1/conversations/threads/" + thread.Text("id")
	turn := ada.Post(t, path+"/turn", map[string]any{"content": "hello"})
	require.Equal(t, turn.At("assistant_message.created_at"), ada.Get(t, path).At("last_message_at"))

	archived := ada.Patch(t, path, map[string]any{"status": "archived", "title": "Order 4711"})
	require.Equal(t, []any{"archived", "Order 4711", map[string]any{"n": 1.0}}, []any{archived.At("status"), archived.At("title"), archived.At("metadata")}, archived)
	harness.RequireCode(t, ada.Post(t, path+"/turn", map[string]any{"content": "x"}), http.StatusConflict, "CONFLICT")
	list := "/v1/conversations/threads"
	require.Len(t, ada.Get(t, list+"?bot_id="+bot).Items(), 1)
	require.Len(t, ada.Get(t, list+"?status=archived").Items(), 1)
	require.Empty(t, ada.Get(t, list+"?status=active&bot_id="+bot).Items())
	harness.RequireCode(t, ada.Get(t, list+"?status=active&cursor="+ada.Get(t, list+"?limit=1").Text("next_cursor")), http.StatusBadRequest, "BAD_REQUEST")
	harness.RequireWrong(t, ada.Get(t, list+"?status=gone&bot_id=x"), "bot_id", "status")
	require.Equal(t, "active", ada.Patch(t, path, map[string]any{"status": "active"}).Text("status"))
	require.Equal(t, http.StatusOK, ada.Post(t, path+"/turn", map[string]any{"content": "x"}).Status)
	require.Len(t, ada.Get(t, "/v1/audit-log?action=thread.change").Items(), 2)

	const frame = `{"x":""}`
	metadata := func(size int) map[string]any {
		return map[string]any{"metadata": map[string]any{"x": strings.Repeat("y", size-len(frame))}}
	}
	require.Equal(t, http.StatusOK, ada.Patch(t, path, metadata(16<<10)).Status)
	harness.RequireWrong(t, ada.Patch(t, path, metadata(16<<10+1)), "metadata")
	harness.RequireWrong(t, ada.Post(t, list, metadata(16<<10+1)), "metadata")
	harness.RequireWrong(t, ada.Patch(t, path, `{"metadata":null,"status":"gone"}`), "metadata", "status")
}

func TestThreadsAreFoundByEndpointAndByRating(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	bot := ada.NewBot(t)
	const list = "/v1/conversations/threads"
	rated := func(rating string) string {
		thread := ada.Post(t, list, map[string]any{"bot_id": bot}).Text("id")
		for range 2 { // a thread with two such answers is found once
			turn := ada.Post(t, list+"/"+thread+"/turn", map[string]any{"content": "hello"})
			require.Equal(t, http.StatusOK, ada.Put(t, "/v1/conversations/messages/"+turn.Text("assistant_message.id")+"/feedback", map[string]any{"rating": rating}).Status)
		}
		return thread
	}
	ids := func(query string) (ids []string) {
		next := ""
		for first := true; first || next != ""; first = false {
			page := ada.Get(t, list+"?limit=1&"+query+next)
			for _, item := range page.Items() {
				ids = append(ids, item["id"].(string))
			}
			next = ""
			if page.At("has_more") == true {
				next = "&cursor=" + page.Text("next_cursor")
			}
		}
		return ids
	}
	good, bad, worse := rated("good"), rated("bad"), rated("bad")
	require.Equal(t, []string{worse, bad}, ids("rating=bad"), "newest first, page by page")
	require.Equal(t, []string{good}, ids("rating=good&status=active&bot_id="+bot))
	require.Empty(t, ids("rating=bad&status=archived"))
	require.Empty(t, ids("rating=bad&trial=true"))
	require.Empty(t, eve.Get(t, list+"?rating=bad").Items(), "another workspace's")

	shop, other := ada.NewEndpoint(t, bot), ada.NewEndpoint(t, bot)
	for _, conversation := range []string{"one", "two"} {
		shop.Says(t, conversation, "hello")
	}
	other.Says(t, "one", "hello")
	require.Eventually(t, func() bool { return len(ids("endpoint_id="+shop.ID)) == 2 }, harness.Timeout, harness.Tick)
	require.Empty(t, ids("rating=good&endpoint_id="+shop.ID))
	require.Empty(t, ids("trial=true&endpoint_id="+shop.ID))
	require.Empty(t, eve.Get(t, list+"?endpoint_id="+shop.ID).Items(), "another workspace's")
	harness.RequireWrong(t, ada.Get(t, list+"?rating=fine&endpoint_id=x"), "endpoint_id", "rating")
}

func TestU10MessagesAreReadInBothDirectionsRatedAndExported(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	path := "/v1/conversations/threads/" + ada.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	require.Empty(t, ada.Get(t, path+"/export").Raw, "the thread has no messages")
	const turns = 51 // more than a page of the export
	for i := range turns {
		ada.Post(t, path+"/turn", map[string]any{"content": fmt.Sprint("question ", i)})
	}
	var seqs []any
	query := "?order=desc&limit=40"
	for page := ada.Get(t, path+"/messages"+query); ; page = ada.Get(t, path+"/messages"+query+"&cursor="+page.Text("next_cursor")) {
		for _, m := range page.Items() {
			seqs = append(seqs, m["seq"])
		}
		if page.At("has_more") == false {
			break
		}
	}
	require.Len(t, seqs, 2*turns)
	for i, seq := range seqs {
		require.EqualValues(t, 2*turns-i, seq, "newest first")
	}
	backwards := ada.Get(t, path+"/messages"+query).Text("next_cursor")
	harness.RequireCode(t, ada.Get(t, path+"/messages?cursor="+backwards), http.StatusBadRequest, "BAD_REQUEST")
	harness.RequireWrong(t, ada.Get(t, path+"/messages?order=up"), "order")

	messages := ada.Get(t, path+"/messages?limit=2").Items()
	require.Nil(t, messages[1]["feedback"])
	rate := func(c *harness.Caller, i int, body any) harness.Answer {
		return c.Put(t, "/v1/conversations/messages/"+messages[i]["id"].(string)+"/feedback", body)
	}
	rate(ada, 1, map[string]any{"rating": "good"})
	rated := rate(ada, 1, map[string]any{"rating": "bad", "comment": "not my order"})
	require.Equal(t, []any{"bad", "not my order"}, []any{rated.At("feedback.rating"), rated.At("feedback.comment")}, rated)
	require.Equal(t, rated.Body, ada.Get(t, path+"/messages?limit=2").Items()[1], "it is shown on the message")
	harness.RequireWrong(t, rate(ada, 0, map[string]any{"rating": "good"}), "message_id")
	harness.RequireWrong(t, rate(ada, 1, map[string]any{"rating": "fair", "comment": strings.Repeat("ü", 2001)}), "comment", "rating")
	require.Equal(t, http.StatusOK, rate(ada, 1, map[string]any{"rating": "bad", "comment": strings.Repeat("ü", 2000)}).Status)
	harness.RequireCode(t, rate(eve, 1, map[string]any{"rating": "good"}), http.StatusNotFound, "NOT_FOUND")
	log := ada.Get(t, "/v1/audit-log?action=message.rate")
	require.Len(t, log.Items(), 3)
	require.NotContains(t, string(log.Raw), "not my order", "a comment is in the audit log")

	export := ada.Get(t, path+"/export")
	require.Equal(t, "application/x-ndjson", export.Header.Get("Content-Type"))
	ids, rows := harness.Lines(t, export)
	require.Len(t, ids, 2*turns)
	for i, row := range rows {
		require.EqualValues(t, i+1, row["seq"], "oldest first")
	}
	require.Equal(t, "question 50", rows[100]["content"])
	harness.RequireCode(t, eve.Get(t, path+"/export"), http.StatusNotFound, "THREAD_NOT_FOUND")
}
