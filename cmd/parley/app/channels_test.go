package app

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// answered waits until a message is answered, and returns its thread.
func (c *caller) answered(t *testing.T, event string) string {
	t.Helper()
	return c.waitUntil(t, "/v1/webhook-events/"+event, "status", "processed").text("thread_id")
}

func (c *caller) archive(t *testing.T, path string) {
	t.Helper()
	require.Equal(t, http.StatusOK, c.patch(t, path, map[string]any{"status": "archived"}).Status)
}

func TestAConversationOutlivesTheArchivingOfItsThread(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	path := "/v1/webhook-endpoints/" + chat.id
	require.Equal(t, "new_thread", ada.get(t, path).text("on_archived"))

	first := ada.answered(t, chat.says(t, "c", "one").text("event_id"))
	require.Equal(t, first, ada.answered(t, chat.says(t, "c", "two").text("event_id")))
	ada.archive(t, "/v1/conversations/threads/"+first)
	second := ada.answered(t, chat.says(t, "c", "three").text("event_id"))
	require.NotEqual(t, first, second, "a new thread begins")
	require.Equal(t, second, ada.answered(t, chat.says(t, "c", "four").text("event_id")))
	require.Equal(t, "archived", ada.get(t, "/v1/conversations/threads/"+first).text("status"))
	require.Equal(t, "c", ada.get(t, "/v1/conversations/threads/"+second).text("channel.conversation_id"))

	require.Equal(t, "reopen", ada.patch(t, path, map[string]any{"on_archived": "reopen"}).text("on_archived"))
	ada.archive(t, "/v1/conversations/threads/"+second)
	require.Equal(t, second, ada.answered(t, chat.says(t, "c", "five").text("event_id")))
	require.Equal(t, "active", ada.get(t, "/v1/conversations/threads/"+second).text("status"))
	require.Empty(t, ada.get(t, "/v1/dead-letters").items())
}

func TestKnownConversationsFollowTheBotOfTheirEndpoint(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	before, after := ada.newBot(t), ada.newBot(t)
	chat := ada.newEndpoint(t, before)
	thread := ada.answered(t, chat.says(t, "c", "one").text("event_id"))
	require.Equal(t, http.StatusOK, ada.patch(t, "/v1/webhook-endpoints/"+chat.id, map[string]any{"bot_id": after}).Status)
	ada.archive(t, "/v1/bots/"+before)
	require.Equal(t, thread, ada.answered(t, chat.says(t, "c", "two").text("event_id")))
	require.Equal(t, after, ada.get(t, "/v1/conversations/threads/"+thread).text("bot_id"))
	turns := ada.get(t, "/v1/conversations/threads/"+thread+"/turns").items()
	require.Equal(t, []any{after, before}, []any{turns[0]["bot_id"], turns[1]["bot_id"]})
}

func TestMessagesWaitWhileTheBotOfTheirEndpointIsArchived(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	bot := ada.newBot(t)
	chat := ada.newEndpoint(t, bot)
	ada.archive(t, "/v1/bots/"+bot)
	event := chat.says(t, "c", "one").text("event_id")
	super := pg.Superuser(t, p.database)
	waits := func() bool {
		return count(t, super, `SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' AND failures = 0 AND attempt > 0`) == 1
	}
	require.Eventually(t, waits, patience, tick, "it is put off and has not failed")
	require.Equal(t, "received", ada.get(t, "/v1/webhook-events/"+event).text("status"))
	require.Empty(t, ada.get(t, "/v1/dead-letters").items())
	require.Equal(t, http.StatusOK, ada.patch(t, "/v1/bots/"+bot, map[string]any{"status": "active"}).Status)
	ada.answered(t, event) // soon, as it has not waited for long

	ada.archive(t, "/v1/bots/"+bot)
	event = chat.says(t, "c", "two").text("event_id")
	require.Eventually(t, waits, patience, tick)
	_, err := super.Exec(t.Context(), `UPDATE webhook_events SET received_at = now() - interval '8 days' WHERE id = $1`, event)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE job_queue SET run_at = now() WHERE kind = 'webhook.answer'`)
	require.NoError(t, err)
	ada.waitUntil(t, "/v1/webhook-events/"+event, "status", "failed")
}
