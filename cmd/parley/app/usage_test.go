package app

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/usage"
)

// used gives what the present month's report says of a metric.
func (c *caller) used(t *testing.T, metric usage.Metric) map[string]any {
	t.Helper()
	a := c.get(t, "/v1/usage")
	require.Equal(t, http.StatusOK, a.Status, a)
	for _, m := range a.at("metrics").([]any) {
		if m := m.(map[string]any); m["metric"] == string(metric) {
			return m
		}
	}
	t.Fatalf("%s is not told of: %s", metric, a)
	return nil
}

func (c *caller) hi(t *testing.T, thread string, headers ...header) answer {
	t.Helper()
	return c.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "Hi"}, headers...)
}

// limit gives the caller's workspace a limit of its own, as an operator does.
func (c *caller) limit(t *testing.T, metric usage.Metric, most int) {
	t.Helper()
	c.limits(t, ExitOK, "set", "--workspace", c.workspace, "--metric", string(metric), "--max", strconv.Itoa(most))
}

// limits runs parley limits, and gives what it prints.
func (p *program) limits(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, code, Run(t.Context(), "test", append([]string{"parley", "limits"}, args...), p.settings, &out, &errs), errs.String())
	return out.String() + errs.String()
}

func TestU13SeeWhatWasUsedAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	p := start(t, slices.Concat(fastJobs, []string{"LIMIT_TURNS_MONTH=1000"})...)
	ada, eve := p.register(t), p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	answers := atOnce(32, func() answer { return ada.hi(t, ada.thread(t, ada.newBot(t))) })
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	op := operation(uuid.NewString())
	thread := ada.thread(t, ada.newBot(t))
	for _, a := range append([]answer{ada.hi(t, thread, op)}, atOnce(8, func() answer { return ada.hi(t, thread, op) })...) {
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	event := chat.says(t, "c", "hello").text("event_id")
	chat.send(t, "msg_1", `{"type": "something.else", "data": {}}`)
	require.Equal(t, true, chat.send(t, "msg_1", `{"type": "something.else", "data": {}}`).at("duplicate"))
	ada.waitUntil(t, "/v1/webhook-events/"+event, "status", "processed")

	month := usage.Month(time.Now())
	resets := month.AddDate(0, 1, 0).Format(time.RFC3339)
	require.Equal(t, map[string]any{
		"metric": "turns", "used": 34.0, "limit": 1000.0, "remaining": 966.0, "resets_at": resets,
	}, ada.used(t, usage.Turns), "one for each operation")
	require.Equal(t, map[string]any{"metric": "messages", "used": 68.0, "limit": nil, "remaining": nil, "resets_at": resets}, ada.used(t, usage.Messages))
	require.EqualValues(t, 2, ada.used(t, usage.WebhookEvents)["used"], "each event once")
	require.Equal(t, map[string]any{"metric": "storage_bytes", "used": 0.0, "limit": nil, "remaining": nil, "resets_at": nil}, ada.used(t, usage.Storage))
	require.Equal(t, 68, p.number(t, "SELECT count(*) FROM messages"), "as many as there are")
	require.EqualValues(t, 0, eve.used(t, usage.Turns)["used"], "another workspace's")

	require.Equal(t, ada.get(t, "/v1/usage").Body, ada.get(t, "/v1/usage?month="+month.Format("2006-01")).Body)
	past := ada.get(t, "/v1/usage?month=2020-02")
	require.Equal(t, "2020-02", past.text("month"))
	require.Equal(t, map[string]any{"metric": "turns", "used": 0.0, "limit": nil, "remaining": nil, "resets_at": nil}, past.at("metrics").([]any)[0])
	require.Len(t, past.at("metrics"), len(usage.Metrics())-5)
	for _, bad := range []string{"", "2026", "2026-13", "2026-00", "0001-01", "1999-12", "2026-1", "2026-01-01", "x", "2026-11%00", "2026-11&month=2026-10", "２026-11"} {
		requireWrong(t, ada.get(t, "/v1/usage?month="+bad), "month")
	}
}

func TestATurnOverTheLimitLeavesNothingAndGoesThroughWhenTheLimitIsRaised(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_TURNS_MONTH=3")
	ada, eve := p.register(t), p.register(t)
	thread := ada.thread(t, ada.newBot(t))
	for range 3 {
		require.Equal(t, http.StatusOK, ada.hi(t, thread).Status)
	}
	count := func() []int {
		return []int{
			p.number(t, "SELECT count(*) FROM messages"), p.number(t, "SELECT count(*) FROM llm_turns"), p.number(t, "SELECT count(*) FROM operations"),
			p.number(t, "SELECT count(*) FROM audit_log"), p.number(t, "SELECT last_seq FROM threads WHERE id = $1", thread), p.number(t, "SELECT sum(turns) FROM usage_counters"),
		}
	}
	before, op := count(), operation(uuid.NewString())
	refused := ada.hi(t, thread, op)
	requireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, map[string]any{
		"metric": "turns", "limit": 3.0, "used": 3.0, "resets_at": usage.Month(time.Now()).AddDate(0, 1, 0).Format(time.RFC3339),
	}, refused.at("details"))
	require.Equal(t, before, count(), "something has stayed")
	require.EqualValues(t, 0, ada.used(t, usage.Turns)["remaining"])
	require.Equal(t, http.StatusOK, eve.hi(t, eve.thread(t, eve.newBot(t))).Status, "another workspace")

	ada.limit(t, usage.Turns, 4)
	a := ada.hi(t, thread, op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "7", strconv.Itoa(int(a.at("user_message.seq").(float64))), "with no gap")
	requireCode(t, ada.hi(t, thread), http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, a.Raw, ada.hi(t, thread, op).Raw, "what was done is given again, whatever the limit")
}

func TestAnEventOverTheLimitIsNotTakenIn(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_WEBHOOK_EVENTS_MONTH=1", "WORKERS=0")
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	require.Equal(t, http.StatusOK, chat.send(t, "msg_1", said("c", "one")).Status)
	refused := chat.send(t, "msg_2", said("c", "two"))
	requireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "webhook_events", refused.text("details.metric"))
	require.Equal(t, true, chat.send(t, "msg_1", said("c", "one")).at("duplicate"), "what is there already needs no room")
	require.Len(t, ada.get(t, "/v1/webhook-events").items(), 1)
	require.Equal(t, 1, p.number(t, "SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer'"))
	require.NotContains(t, p.log.String(), `"level":"ERROR"`)
	ada.limit(t, usage.WebhookEvents, 2)
	require.Equal(t, false, chat.send(t, "msg_2", said("c", "two")).at("duplicate"), "sent again it is taken in")
}

func TestAMessageOverTheLimitOfTurnsWaitsAndIsAnsweredInItsTurn(t *testing.T) {
	t.Parallel()
	p := start(t, slices.Concat(fastJobs, []string{"LIMIT_TURNS_MONTH=1"})...)
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	first := chat.says(t, "c", "one").text("event_id")
	ada.waitUntil(t, "/v1/webhook-events/"+first, "status", "processed")
	chat.says(t, "c", "two")
	last := chat.says(t, "c", "three").text("event_id")
	waiting := `SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' AND failures = 0 AND attempt > 0 AND run_at > now() + interval '9 minutes'`
	require.Eventually(t, func() bool { return p.number(t, waiting) == 2 }, 20*time.Second, 20*time.Millisecond,
		"the message and the one behind it wait long, and have not failed")

	ada.limit(t, usage.Turns, 0)
	p.sql(t, "UPDATE job_queue SET run_at = now() WHERE id = (SELECT id FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' ORDER BY id LIMIT 1)")
	event := ada.waitUntil(t, "/v1/webhook-events/"+last, "status", "processed")
	var contents []any
	for _, m := range ada.get(t, "/v1/conversations/threads/"+event.text("thread_id")+"/messages").items() {
		contents = append(contents, m["content"])
	}
	require.Equal(t, []any{"one", "Echo: one", "two", "Echo: two", "three", "Echo: three"}, contents)
	require.Empty(t, ada.get(t, "/v1/dead-letters").items())
}

func TestAWarningAt80PercentIsToldOnceByHoweverManyProcesses(t *testing.T) {
	t.Parallel()
	settings := slices.Concat(fastJobs, shared, []string{"LIMIT_TURNS_MONTH=20"})
	p := start(t, settings...)
	other := startOn(t, p.database, settings...)
	ada, eve := p.register(t), p.register(t)
	target, foreign := newReceiver(t), newReceiver(t)
	ada.subscribe(t, target.URL, "limit.warning")
	eve.subscribe(t, foreign.URL, "limit.warning")
	there := &caller{program: other, token: ada.token, workspace: ada.workspace}
	bot := ada.newBot(t)
	for range 15 {
		require.Equal(t, http.StatusOK, ada.hi(t, ada.thread(t, bot)).Status)
	}
	require.Empty(t, target.all(), "before 80 %")
	atOnce(4, func() answer { return there.hi(t, ada.thread(t, bot)) })
	got := target.waitFor(t, 1)[0].Event
	require.Equal(t, "limit.warning", got.Type)
	used, _ := got.Data["used"].(float64)
	require.InDelta(t, 17.5, used, 1.5)
	month := usage.Month(time.Now())
	require.Equal(t, map[string]any{
		"metric": "turns", "month": month.Format("2006-01"), "used": used, "limit": 20.0, "resets_at": month.AddDate(0, 1, 0).Format(time.RFC3339),
	}, got.Data)
	ada.hi(t, ada.thread(t, bot))
	require.Eventually(t, func() bool {
		return p.number(t, "SELECT count(*) FROM job_queue WHERE status <> 'done'") == 0
	}, 20*time.Second, 20*time.Millisecond)
	require.Len(t, target.all(), 1, "once")
	require.Empty(t, foreign.all())
}

func TestLimitsAreSetByOperators(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0", "LIMIT_TOKENS_MONTH=500")
	ada := p.register(t)
	require.Contains(t, p.limits(t, ExitOK, "set", "--workspace", ada.workspace, "--metric", "tokens", "--max", "1000"), "tokens 1000")
	require.EqualValues(t, 1000, ada.used(t, usage.Tokens)["limit"])
	require.Contains(t, p.limits(t, ExitOK, "unset", "--workspace", ada.workspace, "--metric", "tokens"), "tokens 500")
	require.EqualValues(t, 500, ada.used(t, usage.Tokens)["limit"])
	for what, args := range map[string][]string{
		"--metric":    {"set", "--workspace", ada.workspace, "--metric", "tea", "--max", "1"},
		"--max":       {"set", "--workspace", ada.workspace, "--metric", "turns", "--max", "-1"},
		"--workspace": {"set", "--workspace", "mine", "--metric", "turns", "--max", "1"},
	} {
		require.Contains(t, p.limits(t, ExitUsage, args...), what+": should be")
	}
	require.Equal(t, []string{"limit.set", "limit.unset"}, p.texts(t, "SELECT action FROM audit_log WHERE workspace_id = $1 AND action LIKE 'limit.%' ORDER BY id", ada.workspace))
	require.Contains(t, p.limits(t, ExitFailed, "set", "--workspace", uuid.NewString(), "--metric", "turns", "--max", "1"), "there is no such workspace")
}

func TestStorageIsCountedHeldToItsLimitAndGivenBack(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_STORAGE_BYTES=10")
	ada, eve := p.register(t), p.register(t)
	op := operation(uuid.NewString())
	first := ada.upload(t, "a.txt", "six 12", op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	require.Equal(t, first.Raw, ada.upload(t, "a.txt", "six 12", op).Raw, "sent again it takes no more room")
	require.EqualValues(t, 6, ada.used(t, usage.Storage)["used"])

	refused := ada.upload(t, "b.txt", "five5")
	requireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "storage_bytes", refused.text("details.metric"))
	require.Len(t, ada.get(t, "/v1/files").items(), 1)
	require.Equal(t, http.StatusCreated, ada.upload(t, "b.txt", "four").Status)
	require.Equal(t, http.StatusCreated, eve.upload(t, "b.txt", "five5").Status, "another workspace")
	require.Equal(t, first.Raw, ada.upload(t, "a.txt", "six 12", op).Raw, "what was done is given again, whatever the limit")

	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, "/v1/files/"+first.text("id"), nil).Status)
	require.EqualValues(t, 4, ada.used(t, usage.Storage)["used"])
	require.Equal(t, http.StatusCreated, ada.upload(t, "c.txt", "five5").Status, "there is room again")
}
