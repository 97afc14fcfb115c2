package channels

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAConversationOutlivesTheArchivingOfItsThread(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	path := "/v1/webhook-endpoints/" + chat.ID
	require.Equal(t, "new_thread", ada.Get(t, path).Text("on_archived"))

	first := ada.Answered(t, chat.Says(t, "c", "one").Text("event_id"))
	require.Equal(t, first, ada.Answered(t, chat.Says(t, "c", "two").Text("event_id")))
	ada.Archive(t, "/v1/conversations/threads/"+first)
	second := ada.Answered(t, chat.Says(t, "c", "three").Text("event_id"))
	require.NotEqual(t, first, second, "a new thread begins")
	require.Equal(t, second, ada.Answered(t, chat.Says(t, "c", "four").Text("event_id")))
	require.Equal(t, "archived", ada.Get(t, "/v1/conversations/threads/"+first).Text("status"))
	require.Equal(t, "c", ada.Get(t, "/v1/conversations/threads/"+second).Text("channel.conversation_id"))

	require.Equal(t, "reopen", ada.Patch(t, path, map[string]any{"on_archived": "reopen"}).Text("on_archived"))
	ada.Archive(t, "/v1/conversations/threads/"+second)
	require.Equal(t, second, ada.Answered(t, chat.Says(t, "c", "five").Text("event_id")))
	require.Equal(t, "active", ada.Get(t, "/v1/conversations/threads/"+second).Text("status"))
	require.Empty(t, ada.Get(t, "/v1/dead-letters").Items())
}

func TestKnownConversationsFollowTheBotOfTheirEndpoint(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	before, after := ada.NewBot(t), ada.NewBot(t)
	chat := ada.NewEndpoint(t, before)
	thread := ada.Answered(t, chat.Says(t, "c", "one").Text("event_id"))
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/webhook-endpoints/"+chat.ID, map[string]any{"bot_id": after}).Status)
	ada.Archive(t, "/v1/bots/"+before)
	require.Equal(t, thread, ada.Answered(t, chat.Says(t, "c", "two").Text("event_id")))
	require.Equal(t, after, ada.Get(t, "/v1/conversations/threads/"+thread).Text("bot_id"))
	turns := ada.Get(t, "/v1/conversations/threads/"+thread+"/turns").Items()
	require.Equal(t, []any{after, before}, []any{turns[0]["bot_id"], turns[1]["bot_id"]})
}

func TestMessagesWaitWhileTheBotOfTheirEndpointIsArchived(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	chat := ada.NewEndpoint(t, bot)
	ada.Archive(t, "/v1/bots/"+bot)
	event := chat.Says(t, "c", "one").Text("event_id")
	super := harness.Postgres.Superuser(t, p.Database)
	waits := func() bool {
		return harness.Count(t, super, `SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' AND failures = 0 AND attempt > 0`) == 1
	}
	require.Eventually(t, waits, harness.Timeout, harness.Tick, "it is put off and has not failed")
	require.Equal(t, "received", ada.Get(t, "/v1/webhook-events/"+event).Text("status"))
	require.Empty(t, ada.Get(t, "/v1/dead-letters").Items())
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/bots/"+bot, map[string]any{"status": "active"}).Status)
	ada.Answered(t, event) // soon, as it has not waited for long

	ada.Archive(t, "/v1/bots/"+bot)
	event = chat.Says(t, "c", "two").Text("event_id")
	require.Eventually(t, waits, harness.Timeout, harness.Tick)
	_, err := super.Exec(t.Context(), `UPDATE webhook_events SET received_at = now() - interval '8 days' WHERE id = $1`, event)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE job_queue SET run_at = now() WHERE kind = 'webhook.answer'`)
	require.NoError(t, err)
	ada.WaitUntil(t, "/v1/webhook-events/"+event, "status", "failed")
}
