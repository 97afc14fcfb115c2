package activity

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/usage"
)

func TestU13SeeWhatWasUsedAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, slices.Concat(harness.FastJobs, []string{"LIMIT_TURNS_MONTH=1000"})...)
	ada, eve := p.Register(t), p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	answers := harness.AtOnce(32, func() harness.Answer { return ada.Hi(t, ada.Thread(t, ada.NewBot(t))) })
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	op := harness.Operation(uuid.NewString())
	thread := ada.Thread(t, ada.NewBot(t))
	for _, a := range append([]harness.Answer{ada.Hi(t, thread, op)}, harness.AtOnce(8, func() harness.Answer { return ada.Hi(t, thread, op) })...) {
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	event := chat.Says(t, "c", "hello").Text("event_id")
	chat.Send(t, "msg_1", `{"type": "something.else", "data": {}}`)
	require.Equal(t, true, chat.Send(t, "msg_1", `{"type": "something.else", "data": {}}`).At("duplicate"))
	ada.WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed")

	month := usage.Month(time.Now())
	resets := month.AddDate(0, 1, 0).Format(time.RFC3339)
	require.Equal(t, map[string]any{
		"metric": "turns", "used": 34.0, "limit": 1000.0, "remaining": 966.0, "resets_at": resets,
	}, ada.Used(t, usage.Turns), "one for each operation")
	require.Equal(t, map[string]any{"metric": "messages", "used": 68.0, "limit": nil, "remaining": nil, "resets_at": resets}, ada.Used(t, usage.Messages))
	require.EqualValues(t, 2, ada.Used(t, usage.WebhookEvents)["used"], "each event once")
	require.Equal(t, map[string]any{"metric": "storage_bytes", "used": 0.0, "limit": nil, "remaining": nil, "resets_at": nil}, ada.Used(t, usage.Storage))
	require.Equal(t, 68, p.Number(t, "SELECT count(*) FROM messages"), "as many as there are")
	require.EqualValues(t, 0, eve.Used(t, usage.Turns)["used"], "another workspace's")

	require.Equal(t, ada.Get(t, "/v1/usage").Body, ada.Get(t, "/v1/usage?month="+month.Format("2006-01")).Body)
	past := ada.Get(t, "/v1/usage?month=2020-02")
	require.Equal(t, "2020-02", past.Text("month"))
	require.Equal(t, map[string]any{"metric": "turns", "used": 0.0, "limit": nil, "remaining": nil, "resets_at": nil}, past.At("metrics").([]any)[0])
	require.Len(t, past.At("metrics"), len(usage.Metrics())-11, "eleven are counted as they are now")
	for _, bad := range []string{"", "2026", "2026-13", "2026-00", "0001-01", "1999-12", "2026-1", "2026-01-01", "x", "2026-11%00", "2026-11&month=2026-10", "２026-11"} {
		harness.RequireWrong(t, ada.Get(t, "/v1/usage?month="+bad), "month")
	}
}

func TestATurnOverTheLimitLeavesNothingAndGoesThroughWhenTheLimitIsRaised(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_TURNS_MONTH=3")
	ada, eve := p.Register(t), p.Register(t)
	thread := ada.Thread(t, ada.NewBot(t))
	for range 3 {
		require.Equal(t, http.StatusOK, ada.Hi(t, thread).Status)
	}
	count := func() []int {
		return []int{
			p.Number(t, "SELECT count(*) FROM messages"), p.Number(t, "SELECT count(*) FROM llm_turns"), p.Number(t, "SELECT count(*) FROM operations"),
			p.Number(t, "SELECT count(*) FROM audit_log"), p.Number(t, "SELECT last_seq FROM threads WHERE id = $1", thread), p.Number(t, "SELECT sum(turns) FROM usage_counters"),
		}
	}
	before, op := count(), harness.Operation(uuid.NewString())
	refused := ada.Hi(t, thread, op)
	harness.RequireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, map[string]any{
		"metric": "turns", "limit": 3.0, "used": 3.0, "resets_at": usage.Month(time.Now()).AddDate(0, 1, 0).Format(time.RFC3339),
	}, refused.At("details"))
	require.Equal(t, before, count(), "something has stayed")
	require.EqualValues(t, 0, ada.Used(t, usage.Turns)["remaining"])
	require.Equal(t, http.StatusOK, eve.Hi(t, eve.Thread(t, eve.NewBot(t))).Status, "another workspace")

	ada.Limit(t, usage.Turns, 4)
	a := ada.Hi(t, thread, op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "7", strconv.Itoa(int(a.At("user_message.seq").(float64))), "with no gap")
	harness.RequireCode(t, ada.Hi(t, thread), http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, a.Raw, ada.Hi(t, thread, op).Raw, "what was done is given again, whatever the limit")
}

func TestAnEventOverTheLimitIsNotTakenIn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_WEBHOOK_EVENTS_MONTH=1", "WORKERS=0")
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	require.Equal(t, http.StatusOK, chat.Send(t, "msg_1", harness.InboundMessage("c", "one")).Status)
	refused := chat.Send(t, "msg_2", harness.InboundMessage("c", "two"))
	harness.RequireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "webhook_events", refused.Text("details.metric"))
	require.Equal(t, true, chat.Send(t, "msg_1", harness.InboundMessage("c", "one")).At("duplicate"), "what is there already needs no room")
	require.Len(t, ada.Get(t, "/v1/webhook-events").Items(), 1)
	require.Equal(t, 1, p.Number(t, "SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer'"))
	require.NotContains(t, p.Log.String(), `"level":"ERROR"`)
	ada.Limit(t, usage.WebhookEvents, 2)
	require.Equal(t, false, chat.Send(t, "msg_2", harness.InboundMessage("c", "two")).At("duplicate"), "sent again it is taken in")
}

func TestAMessageOverTheLimitOfTurnsWaitsAndIsAnsweredInItsTurn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, slices.Concat(harness.FastJobs, []string{"LIMIT_TURNS_MONTH=1"})...)
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	first := chat.Says(t, "c", "one").Text("event_id")
	ada.WaitUntil(t, "/v1/webhook-events/"+first, "status", "processed")
	chat.Says(t, "c", "two")
	last := chat.Says(t, "c", "three").Text("event_id")
	waiting := `SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' AND failures = 0 AND attempt > 0 AND run_at > now() + interval '9 minutes'`
	require.Eventually(t, func() bool { return p.Number(t, waiting) == 2 }, time.Minute, 20*time.Millisecond,
		"the message and the one behind it wait long, and have not failed")

	ada.Limit(t, usage.Turns, 0)
	p.SQL(t, "UPDATE job_queue SET run_at = now() WHERE id = (SELECT id FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' ORDER BY id LIMIT 1)")
	event := ada.WaitUntil(t, "/v1/webhook-events/"+last, "status", "processed")
	var contents []any
	for _, m := range ada.Get(t, "/v1/conversations/threads/"+event.Text("thread_id")+"/messages").Items() {
		contents = append(contents, m["content"])
	}
	require.Equal(t, []any{"one", "Echo: one", "two", "Echo: two", "three", "Echo: three"}, contents)
	require.Empty(t, ada.Get(t, "/v1/dead-letters").Items())
}

func TestAWarningAt80PercentIsToldOnceByHoweverManyProcesses(t *testing.T) {
	t.Parallel()
	settings := slices.Concat(harness.FastJobs, harness.Shared, []string{"LIMIT_TURNS_MONTH=20"})
	p := harness.Start(t, settings...)
	other := harness.StartOn(t, p.Database, settings...)
	ada, eve := p.Register(t), p.Register(t)
	target, foreign := harness.NewReceiver(t), harness.NewReceiver(t)
	ada.Subscribe(t, target.URL, "limit.warning")
	eve.Subscribe(t, foreign.URL, "limit.warning")
	there := &harness.Caller{Program: other, Token: ada.Token, Workspace: ada.Workspace}
	bot := ada.NewBot(t)
	for range 15 {
		require.Equal(t, http.StatusOK, ada.Hi(t, ada.Thread(t, bot)).Status)
	}
	require.Empty(t, target.All(), "before 80 %")
	harness.AtOnce(4, func() harness.Answer { return there.Hi(t, ada.Thread(t, bot)) })
	got := target.WaitFor(t, 1)[0].Event
	require.Equal(t, "limit.warning", got.Type)
	used, _ := got.Data["used"].(float64)
	require.InDelta(t, 17.5, used, 1.5)
	month := usage.Month(time.Now())
	require.Equal(t, map[string]any{
		"metric": "turns", "month": month.Format("2006-01"), "used": used, "limit": 20.0, "resets_at": month.AddDate(0, 1, 0).Format(time.RFC3339),
	}, got.Data)
	ada.Hi(t, ada.Thread(t, bot))
	require.Eventually(t, func() bool {
		return p.Number(t, "SELECT count(*) FROM job_queue WHERE status <> 'done'") == 0
	}, time.Minute, 20*time.Millisecond)
	require.Len(t, target.All(), 1, "once")
	require.Empty(t, foreign.All())
}

func TestLimitsAreSetByOperators(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "LIMIT_TOKENS_MONTH=500")
	ada := p.Register(t)
	require.Contains(t, p.Limits(t, app.ExitOK, "set", "--workspace", ada.Workspace, "--metric", "tokens", "--max", "1000"), "tokens 1000")
	require.EqualValues(t, 1000, ada.Used(t, usage.Tokens)["limit"])
	require.Contains(t, p.Limits(t, app.ExitOK, "unset", "--workspace", ada.Workspace, "--metric", "tokens"), "tokens 500")
	require.EqualValues(t, 500, ada.Used(t, usage.Tokens)["limit"])
	for what, args := range map[string][]string{
		"--metric":    {"set", "--workspace", ada.Workspace, "--metric", "tea", "--max", "1"},
		"--max":       {"set", "--workspace", ada.Workspace, "--metric", "turns", "--max", "-1"},
		"--workspace": {"set", "--workspace", "mine", "--metric", "turns", "--max", "1"},
	} {
		require.Contains(t, p.Limits(t, app.ExitUsage, args...), what+": should be")
	}
	require.Equal(t, []string{"limit.set", "limit.unset"}, p.Texts(t, "SELECT action FROM audit_log WHERE workspace_id = $1 AND action LIKE 'limit.%' ORDER BY id", ada.Workspace))
	require.Contains(t, p.Limits(t, app.ExitFailed, "set", "--workspace", uuid.NewString(), "--metric", "turns", "--max", "1"), "there is no such workspace")
}

func TestStorageIsCountedHeldToItsLimitAndGivenBack(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_STORAGE_BYTES=10")
	ada, eve := p.Register(t), p.Register(t)
	op := harness.Operation(uuid.NewString())
	first := ada.Upload(t, "a.txt", "six 12", op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	require.Equal(t, first.Raw, ada.Upload(t, "a.txt", "six 12", op).Raw, "sent again it takes no more room")
	require.EqualValues(t, 6, ada.Used(t, usage.Storage)["used"])

	refused := ada.Upload(t, "b.txt", "five5")
	harness.RequireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "storage_bytes", refused.Text("details.metric"))
	require.Len(t, ada.Get(t, "/v1/files").Items(), 1)
	require.Equal(t, http.StatusCreated, ada.Upload(t, "b.txt", "four").Status)
	require.Equal(t, http.StatusCreated, eve.Upload(t, "b.txt", "five5").Status, "another workspace")
	require.Equal(t, first.Raw, ada.Upload(t, "a.txt", "six 12", op).Raw, "what was done is given again, whatever the limit")

	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, "/v1/files/"+first.Text("id"), nil).Status)
	require.EqualValues(t, 4, ada.Used(t, usage.Storage)["used"])
	require.Equal(t, http.StatusCreated, ada.Upload(t, "c.txt", "five5").Status, "there is room again")
}
