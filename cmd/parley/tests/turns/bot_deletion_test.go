package turns

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestU20ADeletedBotLeavesNoTextOfItsVersions(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	op := harness.Operation(uuid.NewString())
	made := ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Say " + marker, "settings": map[string]any{"model": "echo", "note": marker}}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	bot := "/v1/bots/" + made.Text("id")
	require.Equal(t, http.StatusOK, ada.Put(t, bot+"/instruction", map[string]any{"instruction": "Say again " + marker, "note": marker}).Status)
	thread := "/v1/conversations/threads/" + ada.Thread(t, made.Text("id"))
	a := ada.Post(t, thread+"/turn", harness.Says("hello"))
	require.Equal(t, http.StatusOK, a.Status, a)
	key := ada.Key(t, "editor", map[string]any{"bot_ids": []string{made.Text("id")}})
	other := "/v1/conversations/threads/" + ada.Thread(t, ada.NewBot(t))

	require.Equal(t, http.StatusNoContent, ada.Delete(t, bot).Status)
	requireErased(t, p, marker)
	for _, path := range []string{bot, bot + "/versions", bot + "/versions/1", bot + "/versions/1/diff/2", bot + "/history"} {
		harness.RequireCode(t, ada.Get(t, path), http.StatusNotFound, "BOT_NOT_FOUND")
	}
	harness.RequireCode(t, ada.Delete(t, bot), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Patch(t, bot, map[string]any{"status": "active"}), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, bot+"/publish", map[string]any{"version": 1}), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Put(t, bot+"/instruction", map[string]any{"instruction": "x"}), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": made.Text("id")}), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/webhook-endpoints", map[string]any{"name": "x", "bot_id": made.Text("id")}), http.StatusNotFound, "BOT_NOT_FOUND")
	require.Equal(t, http.StatusNotFound, ada.Post(t, "/v1/api-keys", map[string]any{"name": "x", "role": "viewer", "bot_ids": []string{made.Text("id")}}).Status)
	require.Len(t, ada.Get(t, "/v1/bots").Items(), 1)
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 2, "threads stay readable")
	harness.RequireCode(t, ada.Post(t, thread+"/turn", harness.Says("hello")), http.StatusConflict, "CONFLICT")
	require.Len(t, key.Get(t, "/v1/conversations/threads").Items(), 1, "the key is limited as before")
	require.Equal(t, http.StatusNotFound, key.Get(t, other).Status)
	rows := ada.Get(t, "/v1/audit-log?action=bot.delete").Items()
	require.Len(t, rows, 1)
	require.Equal(t, made.Text("id"), rows[0]["resource_id"])
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Say " + marker, "settings": map[string]any{"model": "echo", "note": marker}}, op), http.StatusConflict, "OPERATION_EXPIRED")
}

func TestABotThatAnswersMessagesOfEndpointsIsNotDeleted(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	endpoint := ada.NewEndpoint(t, bot)
	harness.RequireCode(t, ada.Delete(t, "/v1/bots/"+bot), http.StatusConflict, "CONFLICT")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/webhook-endpoints/"+endpoint.ID).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/bots/"+bot).Status)
}

func TestABotIsDeletedWithItsThreads(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, append([]string{"UPKEEP_INTERVAL=100ms"}, harness.FastJobs...)...)
	ada := p.Register(t)
	bot, kept := ada.NewBot(t), ada.NewBot(t)
	for range 25 {
		require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+ada.Thread(t, bot)+"/turn", harness.Says(marker)).Status)
	}
	other := "/v1/conversations/threads/" + ada.Thread(t, kept)
	require.Equal(t, http.StatusOK, ada.Post(t, other+"/turn", harness.Says("hello")).Status)
	running := "/v1/conversations/threads/" + ada.Thread(t, bot)
	s := ada.Open(t, http.MethodPost, running+"/turn", harness.Says(strings.Repeat(marker+" ", 400)))
	s.Until("message.delta")
	editor := ada.Key(t, "editor")
	harness.RequireCode(t, editor.Delete(t, "/v1/bots/"+bot+"?threads=true"), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/bots/"+bot+"?threads=true").Status)
	s.Rest()
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM threads`) == 1 }, time.Minute, 20*time.Millisecond)
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM bots WHERE threads_deleted_at IS NOT NULL`) == 0 }, time.Minute, 20*time.Millisecond)
	requireErased(t, p, marker)
	require.Len(t, ada.Get(t, other+"/messages").Items(), 2)
}

// The job of a deletion may be lost, or its process killed: another one goes on.
func TestThreadsOfADeletedBotAreErasedWithoutTheirJob(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, append([]string{"WORKERS=0"}, harness.FastJobs...)...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+ada.Thread(t, bot)+"/turn", harness.Says(marker)).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/bots/"+bot+"?threads=true").Status)
	p.SQL(t, `DELETE FROM job_queue`)
	p.SQL(t, `UPDATE bots SET threads_deleted_at = now() - interval '1 hour' WHERE threads_deleted_at IS NOT NULL`)
	second := harness.StartOn(t, p.Database, append([]string{"UPKEEP_INTERVAL=100ms"}, harness.FastJobs...)...)
	require.Eventually(t, func() bool { return second.Number(t, `SELECT count(*) FROM threads`) == 0 }, time.Minute, 20*time.Millisecond)
	requireErased(t, p, marker)
}
