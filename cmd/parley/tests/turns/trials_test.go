package turns

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

const threadsPath = "/v1/conversations/threads"

// unpublished makes a bot whose second version is not published, and returns the paths of tries of the first one and of that.
func unpublished(t *testing.T, c *harness.Caller, settings map[string]any) (bot, first, second string) {
	t.Helper()
	bot = c.NewBot(t)
	a := c.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be brief.", "settings": settings, "publish": false})
	require.Equal(t, http.StatusOK, a.Status, a)
	versions := "/v1/bots/" + bot + "/versions/"
	return bot, versions + "1/try", versions + "2/try"
}

func TestAVersionIsTriedBeforeItIsPublished(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	hook := harness.NewReceiver(t)
	ada.Subscribe(t, hook.URL, "turn.completed", "turn.failed")
	bot, first, second := unpublished(t, ada, map[string]any{"model": "openai/small"})
	op := harness.Operation(uuid.NewString())
	a := ada.Post(t, second, harness.Says("one"), op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, []any{2.0, bot, "Hello there"}, []any{a.At("bot_version"), a.At("bot_id"), a.At("assistant_message.content")})
	require.Equal(t, []string{"system: Be brief.", "user: one"}, s.Calls()[0].Messages())
	require.Equal(t, string(a.Raw), string(ada.Post(t, second, harness.Says("one"), op).Raw), "sent again")
	thread := a.Text("thread_id")

	on := ada.Post(t, second, map[string]any{"content": "two", "thread_id": thread})
	require.Equal(t, thread, on.Text("thread_id"), on)
	require.Equal(t, []string{"system: Be brief.", "user: one", "assistant: Hello there", "user: two"}, s.Calls()[1].Messages())
	require.EqualValues(t, 1, ada.Post(t, first, map[string]any{"content": "three", "thread_id": thread}).At("bot_version"), "another version in the thread")
	text, kinds, _ := harness.StreamedText(ada.Open(t, http.MethodPost, second, harness.Says("four")).Rest())
	require.Equal(t, "Hello there", text)
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])

	shown := ada.Get(t, threadsPath+"/"+thread)
	require.Equal(t, true, shown.At("trial"))
	require.Empty(t, ada.Get(t, threadsPath).Items(), "a trial is listed")
	require.Empty(t, ada.Get(t, threadsPath+"?bot_id="+bot).Items())
	for _, query := range []string{"", "&bot_id=" + bot, "&status=active"} {
		require.Len(t, ada.Get(t, threadsPath+"?trial=true"+query).Items(), 2, query)
	}
	require.Empty(t, ada.Get(t, threadsPath+"?trial=true&bot_id="+ada.NewBot(t)).Items())
	s.Then(modeltest.Script{Status: http.StatusUnauthorized, Code: "invalid_api_key"})
	require.Equal(t, http.StatusUnprocessableEntity, ada.Post(t, second, map[string]any{"content": "x", "thread_id": thread}).Status)

	require.Equal(t, 0, ada.Number(t, `SELECT count(*) FROM analytics_outbox WHERE bot_id = $1 AND kind IN ('completed', 'failed')`, bot))
	require.Equal(t, 0, ada.Number(t, `SELECT count(*) FROM analytics_daily WHERE bot_id = $1`, bot))
	require.Equal(t, 5, ada.Number(t, `SELECT sum(turns) FROM usage_counters`), "a trial costs what other turns do")
	require.Empty(t, hook.All(), "a trial was published")
	require.Equal(t, 0, ada.Number(t, `SELECT count(*) FROM webhook_deliveries`))

	require.Equal(t, 2, ada.Number(t, `SELECT count(*) FROM threads WHERE trial AND expires_at BETWEEN created_at + interval '23 hours' AND created_at + interval '25 hours'`))
	ada.SQL(t, `UPDATE job_queue SET run_at = now() WHERE kind = 'thread.expire'`)
	require.Eventually(t, func() bool { return ada.Get(t, threadsPath+"/"+thread).Status == http.StatusNotFound }, harness.Timeout, 20*time.Millisecond)
	harness.RequireCode(t, ada.Post(t, second, map[string]any{"content": "x", "thread_id": thread}), http.StatusNotFound, "THREAD_NOT_FOUND")
}

func TestATrialWritesNothing(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	order, stock := s.tool(t, ada, "order", "write", nil), s.tool(t, ada, "stock", "read", nil)
	order["approval"] = "always"
	_, first, second := unpublished(t, ada, withTools(order, stock))
	wrote := ada.Post(t, second, harness.Says(`call order {"item": "cup"}`))
	require.Equal(t, http.StatusOK, wrote.Status, wrote)
	require.Contains(t, wrote.Text("assistant_message.content"), "Not made: this is a trial")
	require.Empty(t, s.calls(), "a trial has written")
	made := ada.Get(t, toolCalls+"?turn_id="+wrote.Text("turn_id")).Items()
	require.Equal(t, []any{"succeeded", 0.0}, []any{made[0]["status"], made[0]["attempts"]})

	thread := wrote.Text("thread_id")
	read := ada.Post(t, second, map[string]any{"content": `call stock {"item": "cup"}`, "thread_id": thread})
	require.Contains(t, read.Text("assistant_message.content"), `done {"item": "cup"}`, read)
	require.Len(t, s.calls(), 1)
	other := ada.Post(t, threadsPath+"/"+thread+"/turn", harness.Says("Hello"))
	require.EqualValues(t, 1, other.At("bot_version"), "a turn of the published version")
	require.Equal(t, true, ada.LlmTurn(t, other.Text("turn_id"))["trial"], "a turn by the other call is a trial too")
	require.Equal(t, http.StatusOK, ada.Post(t, first, harness.Says("Hello")).Status)
}

func TestATrialMayWaitForAPersonToRead(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	stock := s.tool(t, ada, "stock", "read", nil)
	stock["approval"] = "always"
	_, _, second := unpublished(t, ada, withTools(stock))
	op := harness.Operation(uuid.NewString())
	waits := ada.Post(t, second, harness.Says(`call stock {"item": "cup"}`), op)
	require.Equal(t, http.StatusAccepted, waits.Status, waits)
	ada.SQL(t, `UPDATE llm_turns SET created_at = now() - interval '1 hour', read_until = NULL`) // its client has gone
	call := toolCalls + "/" + ada.Get(t, toolCalls+"?status=waiting").Items()[0]["id"].(string)
	require.Equal(t, http.StatusOK, ada.Post(t, call+"/decision", map[string]any{"decision": "approve"}).Status)
	turn := threadsPath + "/" + waits.Text("thread_id") + "/turns/" + waits.Text("turn_id")
	require.Equal(t, "completed", ada.WaitUntil(t, turn, "status", "completed").Text("status"))
	require.Len(t, s.calls(), 1)
	require.Equal(t, http.StatusOK, ada.Post(t, second, harness.Says(`call stock {"item": "cup"}`), op).Status)
}

func TestOnlyWhoMayEditABotTriesItsVersions(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot, first, second := unpublished(t, ada, map[string]any{})
	trial := ada.Post(t, second, harness.Says("Hello"))
	require.Equal(t, http.StatusOK, trial.Status, trial)
	thread := trial.Text("thread_id")

	viewer, visitor := p.Join(t, ada, "viewer"), ada.Key(t, "embed").EndUser(t, bot)
	for name, c := range map[string]*harness.Caller{"viewer": viewer, "end user": visitor, "chat key": ada.Key(t, "chat")} {
		require.Equal(t, http.StatusForbidden, c.Post(t, first, harness.Says("Hello")).Status, name)
	}
	harness.RequireCode(t, visitor.Get(t, threadsPath+"/"+thread), http.StatusNotFound, "THREAD_NOT_FOUND")
	require.Empty(t, visitor.Get(t, threadsPath+"?trial=true").Items())
	harness.RequireCode(t, p.Register(t).Post(t, first, harness.Says("Hello")), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, fmt.Sprintf("/v1/bots/%s/versions/1/try", uuid.NewString()), harness.Says("Hello")), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/bots/"+bot+"/versions/3/try", harness.Says("Hello")), http.StatusNotFound, "NOT_FOUND")

	_, others, _ := unpublished(t, ada, map[string]any{})
	harness.RequireWrong(t, ada.Post(t, others, map[string]any{"content": "Hello", "thread_id": thread}), "thread_id")
	customers := ada.Post(t, threadsPath, map[string]any{"bot_id": bot}).Text("id")
	harness.RequireWrong(t, ada.Post(t, first, map[string]any{"content": "Hello", "thread_id": customers}), "thread_id")
	harness.RequireCode(t, ada.Post(t, first, map[string]any{"content": "Hello", "thread_id": uuid.NewString()}), http.StatusNotFound, "THREAD_NOT_FOUND")
	harness.RequireWrong(t, ada.Post(t, first, harness.Says(" ")), "content")
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/bots/"+bot, map[string]any{"status": "archived"}).Status)
	harness.RequireCode(t, ada.Post(t, first, harness.Says("Hello")), http.StatusConflict, "CONFLICT")
}
