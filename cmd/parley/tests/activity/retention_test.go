package activity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/testing/clickhousetest"
)

// upkeep is a setting under which the next look for old data comes soon.
const upkeep = "UPKEEP_INTERVAL=100ms"

// idOf returns an id of so many days ago, as SQL.
func idOf(days string) string {
	return `(lpad(to_hex(floor(extract(epoch FROM now() - ` + days + ` * interval '1 day') * 1000)::bigint), 12, '0') || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid`
}

// age has everything of a thread have happened so many days ago.
func age(t *testing.T, p *harness.Program, thread string, days int) {
	t.Helper()
	for _, sql := range []string{
		`UPDATE threads SET created_at = now() - $2 * interval '1 day' WHERE id = $1::uuid`,
		`UPDATE messages SET created_at = now() - $2 * interval '1 day' WHERE thread_id = $1::uuid`,
		`UPDATE llm_turns SET created_at = now() - $2 * interval '1 day', finished_at = now() - $2 * interval '1 day' WHERE thread_id = $1::uuid`,
	} {
		p.SQL(t, sql, thread, days)
	}
}

func said(t *testing.T, c *harness.Caller, text string) (thread string) {
	t.Helper()
	thread = c.Thread(t, c.NewBot(t))
	a := c.Post(t, "/v1/conversations/threads/"+thread+"/turn", harness.Says(text))
	require.Equal(t, http.StatusOK, a.Status, a)
	return thread
}

// applied waits for the end of a run that began after a time.
func applied(t *testing.T, c *harness.Caller, path string, since time.Time) harness.Answer {
	t.Helper()
	var a harness.Answer
	require.Eventually(t, func() bool {
		a = c.Get(t, path)
		if a.At("last_run") == nil || a.At("last_run.ended_at") == nil {
			return false
		}
		began, err := time.Parse(time.RFC3339, a.Text("last_run.started_at"))
		return err == nil && began.After(since)
	}, harness.Timeout, 10*time.Millisecond)
	return a
}

func TestOldThreadsGoWithWhatWasSaidAndYoungOnesStay(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, upkeep)
	ada, eve := p.Register(t), p.Register(t)
	path := "/v1/workspaces/" + ada.Workspace + "/retention"
	a := ada.Get(t, path)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.JSONEq(t, `{"threads_days": null, "events_days": null, "jobs_days": null, "audit_days": null, "usage_months": null, "next_run_at": null, "last_run": null}`, string(a.Raw), "everything is kept")

	old, woken, young, busy := said(t, ada, "old-4711"), said(t, ada, "woken-4711"), said(t, ada, "young-4711"), said(t, ada, "busy-4711")
	foreign := said(t, eve, "foreign-4711")
	for _, thread := range []string{old, woken, busy, foreign} {
		age(t, p, thread, 40)
	}
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+woken+"/turn", harness.Says("again")).Status)
	p.SQL(t, `UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour' WHERE thread_id = $1::uuid`, busy)

	began := time.Now()
	a = ada.Put(t, path, map[string]any{"threads_days": 50})
	require.Equal(t, http.StatusOK, a.Status, a)
	a = applied(t, ada, path, began)
	require.Equal(t, map[string]any{"threads": 0.0, "events": 0.0, "jobs": 0.0, "audit": 0.0, "usage": 0.0}, a.At("last_run.removed"))
	require.Empty(t, ada.Get(t, "/v1/audit-log?action=retention.run").Items(), "a run that removes nothing is no entry")

	began = time.Now()
	require.Equal(t, http.StatusOK, ada.Put(t, path, map[string]any{"threads_days": 30}).Status)
	a = applied(t, ada, path, began)
	require.Equal(t, map[string]any{"threads": 1.0, "events": 0.0, "jobs": 0.0, "audit": 0.0, "usage": 0.0}, a.At("last_run.removed"), a)
	require.Equal(t, true, a.At("last_run.complete"))
	next, err := time.Parse(time.RFC3339, a.Text("next_run_at"))
	require.NoError(t, err)
	require.WithinDuration(t, began.Add(24*time.Hour), next, time.Hour)
	harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), "old-4711")
	harness.RequireCode(t, ada.Get(t, "/v1/conversations/threads/"+old), http.StatusNotFound, "THREAD_NOT_FOUND")
	for _, kept := range []string{woken, young, busy} {
		require.Equal(t, http.StatusOK, ada.Get(t, "/v1/conversations/threads/"+kept).Status)
	}
	require.Equal(t, http.StatusOK, eve.Get(t, "/v1/conversations/threads/"+foreign).Status)

	rows := ada.Get(t, "/v1/audit-log?action=retention.run").Items()
	require.Len(t, rows, 1)
	require.Nil(t, rows[0]["user_id"])
	require.Equal(t, map[string]any{"threads": 1.0, "events": 0.0, "jobs": 0.0, "audit": 0.0, "usage": 0.0}, rows[0]["changes"])
	change := ada.Get(t, "/v1/audit-log?action=retention.put").Items()[0]["changes"].(map[string]any)
	require.Equal(t, map[string]any{"threads_days": 50.0, "events_days": nil, "jobs_days": nil, "audit_days": nil, "usage_months": nil}, change["before"])
	require.Equal(t, map[string]any{"threads_days": 30.0, "events_days": nil, "jobs_days": nil, "audit_days": nil, "usage_months": nil}, change["after"])
	ada.Verified(t)

	a = ada.Put(t, path, map[string]any{})
	require.Nil(t, a.At("next_run_at"), "everything is kept again")
}

func TestOldEventsAndJobsGoAndWhatIsNotFinishedStays(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, upkeep, "WEBHOOK_ALLOW_PRIVATE=true")
	ada, eve := p.Register(t), p.Register(t)
	for _, c := range []*harness.Caller{ada, eve} {
		c.Subscribe(t, harness.NewReceiver(t).URL, "turn.completed")
		said(t, c, "hello")
		endpoint := uuid.NewString()
		p.SQL(t, `INSERT INTO webhook_endpoints (workspace_id, id, bot_id, name, secrets, status, created_by, created_at)
			SELECT $1::uuid, $2::uuid, id, 'x', '{}', 'active', created_by, now() FROM bots WHERE workspace_id = $1::uuid LIMIT 1`, c.Workspace, endpoint)
		for _, days := range []string{"9", "2"} {
			for _, status := range []string{"processed", "received"} {
				p.SQL(t, `INSERT INTO webhook_events (workspace_id, id, endpoint_id, webhook_id, kind, payload, operation_id, received_at, status)
					VALUES ($1::uuid, `+idOf(days)+`, $2::uuid, gen_random_uuid()::text, 'message', '{}', gen_random_uuid(), now() - `+days+` * interval '1 day', $3)`, c.Workspace, endpoint, status)
			}
			for _, status := range []string{"delivered", "pending"} {
				p.SQL(t, `INSERT INTO webhook_deliveries (workspace_id, id, subscription_id, event_id, event_type, status, created_at, finished_at)
					SELECT $1::uuid, `+idOf(days)+`, id, `+idOf(days)+`, 'turn.completed', $2, now() - `+days+` * interval '1 day', CASE $2 WHEN 'pending' THEN NULL ELSE now() - `+days+` * interval '1 day' END
					  FROM webhook_subscriptions WHERE workspace_id = $1::uuid`, c.Workspace, status)
				p.SQL(t, `INSERT INTO webhook_attempts SELECT workspace_id, id, 1, now(), 200, 1, '', NULL FROM webhook_deliveries WHERE workspace_id = $1::uuid ON CONFLICT DO NOTHING`, c.Workspace)
				p.SQL(t, `INSERT INTO event_bodies SELECT workspace_id, event_id, '{}', created_at FROM webhook_deliveries WHERE workspace_id = $1::uuid ON CONFLICT DO NOTHING`, c.Workspace)
			}
			for _, status := range []string{"done", "queued"} {
				p.SQL(t, `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, status, run_at, created_at, finished_at)
					VALUES ($1::uuid, `+idOf(days)+`, 'unknown.kind', gen_random_uuid()::text, '{}', 't', 3, $2, now() + interval '1 hour', now() - `+days+` * interval '1 day', CASE $2 WHEN 'done' THEN now() - `+days+` * interval '1 day' END)`, c.Workspace, status)
			}
			p.SQL(t, `INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, payload, trace_id, attempts, errors, created_at, key, priority, max_attempts, failures)
				VALUES ($1::uuid, `+idOf(days)+`, gen_random_uuid(), 'unknown.kind', '{}', 't', 3, '[]', now() - `+days+` * interval '1 day', 'x', 0, 3, 3)`, c.Workspace)
		}
	}
	count := func(c *harness.Caller, table, where string) int {
		return p.Number(t, `SELECT count(*) FROM `+table+` WHERE workspace_id = $1::uuid AND `+where, c.Workspace)
	}
	path := "/v1/workspaces/" + ada.Workspace + "/retention"
	began := time.Now()
	require.Equal(t, http.StatusOK, ada.Put(t, path, map[string]any{"events_days": 5, "jobs_days": 5}).Status)
	a := applied(t, ada, path, began)
	require.Equal(t, true, a.At("last_run.complete"), a)
	removed := a.At("last_run.removed").(map[string]any)
	require.EqualValues(t, 2, removed["events"], "a delivery and a received event")
	require.GreaterOrEqual(t, removed["jobs"], 1.0, "the server's own rule may have removed the job first")
	for table, old := range map[string]string{
		"webhook_deliveries": "created_at < now() - interval '5 days'", "webhook_events": "received_at < now() - interval '5 days'",
		"event_bodies": "created_at < now() - interval '5 days'", "job_queue": "kind = 'unknown.kind' AND created_at < now() - interval '5 days'",
	} {
		require.Equal(t, 1, count(ada, table, old), "%s: what is not finished stays", table)
	}
	require.Zero(t, count(ada, "dead_letter_queue", "created_at < now() - interval '5 days'"))
	require.Equal(t, 1, count(ada, "dead_letter_queue", "true"))
	require.Equal(t, 2, count(ada, "webhook_events", "received_at > now() - interval '5 days'"))
	require.Equal(t, 2, count(eve, "webhook_events", "received_at < now() - interval '5 days'"), "another workspace")
	require.Equal(t, 2, count(eve, "webhook_deliveries", "created_at < now() - interval '5 days'"), "another workspace")
	require.Equal(t, 1, count(eve, "dead_letter_queue", "created_at < now() - interval '5 days'"), "another workspace")
}

func TestRetentionIsCheckedAndSetByOwnersAlone(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	path := "/v1/workspaces/" + ada.Workspace + "/retention"
	for _, body := range []map[string]any{
		{"threads_days": 0}, {"threads_days": -1}, {"events_days": 3651}, {"jobs_days": 1.5}, {"jobs_days": "7"}, {"unknown_days": 7}, {"audit_days": 89}, {"usage_months": 0}, {"usage_months": 121},
	} {
		a := ada.Put(t, path, body)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, a.Status, a)
		for field := range body {
			require.Contains(t, string(a.Raw), field)
		}
	}
	require.Nil(t, ada.Get(t, path).At("next_run_at"))
}

func TestTheAuditLogIsKeptForAsLongAsIsSetAndTheRestVerifies(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, upkeep)
	ada, eve := p.Register(t), p.Register(t)
	for range 3 {
		ada.NewBot(t)
	}
	rows := ada.OldAudit(t)
	require.GreaterOrEqual(t, rows, 4)
	require.Positive(t, eve.OldAudit(t))
	path, began := "/v1/workspaces/"+ada.Workspace+"/retention", time.Now()
	v := ada.CutAudit(t)
	require.Equal(t, true, v.At("intact"), v)
	require.EqualValues(t, rows, v.At("cut.rows"))
	require.EqualValues(t, 1, v.At("cut.seals"))
	at, err := time.Parse(time.RFC3339, v.Text("cut.at"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
	a := applied(t, ada, path, began)
	require.EqualValues(t, rows, a.At("last_run.removed.audit"), a)
	require.Equal(t, true, a.At("last_run.complete"))
	require.Zero(t, p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1::uuid AND created_at < now() - interval '90 days'`, ada.Workspace))
	require.Equal(t, []string{"retention.run", "retention.put", "bot.create"}, ada.Actions(t))

	code, out, stderr := p.Parley(t, "audit", "verify", "--workspace", ada.Workspace)
	require.Equal(t, app.ExitOK, code, stderr)
	require.Contains(t, out, ada.Workspace+" intact")
	require.Contains(t, out, fmt.Sprintf("behind %d rows in 1 seals that were removed", rows))
	code, out, stderr = p.Parley(t, "audit", "verify", "--workspace", ada.Workspace, "--json")
	require.Equal(t, app.ExitOK, code, stderr)
	var line struct {
		Cut *struct{ Rows, Seals int }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &line), out)
	require.NotNil(t, line.Cut, out)
	require.Equal(t, rows, line.Cut.Rows)

	ada.NewBot(t)
	require.Equal(t, true, ada.Verified(t).At("intact"), "the log goes on")
	v = eve.Verified(t)
	require.Equal(t, true, v.At("intact"))
	require.Nil(t, v.At("cut"), "another workspace keeps its log")
	require.Positive(t, p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1::uuid AND created_at < now() - interval '90 days'`, eve.Workspace))

	code, out, stderr = p.Parley(t, "import", "--json", "--owner", ada.Email, "--workspace", "Moved", stored(t, archiveOf(t, ada)))
	require.Equal(t, app.ExitOK, code, stderr)
	var moved struct {
		WorkspaceID string `json:"workspace_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &moved), out)
	there := harness.Header{Name: "X-Workspace-Id", Value: moved.WorkspaceID}
	require.Eventually(t, func() bool {
		v = ada.Get(t, "/v1/audit-log/verify", there)
		return v.At("sealed_rows") == 1.0
	}, harness.Timeout, 10*time.Millisecond)
	require.Equal(t, true, v.At("intact"), v)
	require.Nil(t, v.At("cut"), "an imported workspace begins a log of its own")
}

// The current month's counters are what limits are held by.
func TestUsageIsKeptForAsManyMonthsAsIsSetAndLimitsStand(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) { usageIsKept(t, 5) })
	t.Run("ClickHouse", func(t *testing.T) {
		address, database := clickhousetest.Server(t)
		usageIsKept(t, 4, "CLICKHOUSE_HOST="+strings.TrimPrefix(address, "http://"), "CLICKHOUSE_DATABASE="+database)
	})
}

// usageIsKept wants so many rows to be removed of a month with one turn: a counter, and of statistics sums and latencies.
func usageIsKept(t *testing.T, rows int, settings ...string) {
	t.Helper()
	t.Parallel()
	p := harness.Start(t, append(settings, upkeep, "LIMIT_TURNS_MONTH=2")...)
	ada, eve := p.Register(t), p.Register(t)
	said(t, ada, "hello")
	ada.Upload(t, "a.txt", "text")
	const first = `(date_trunc('month', now() AT TIME ZONE 'UTC') - $2::integer * interval '1 month')`
	for _, c := range []*harness.Caller{ada, eve} {
		for _, months := range []int{1, 2, 10} {
			p.SQL(t, `INSERT INTO usage_counters (workspace_id, month, slot, turns, tokens, messages, webhook_events, storage_bytes) VALUES ($1::uuid, `+first+`, 1, 7, 1, 1, 1, 0)`, c.Workspace, months)
			p.SQL(t, `INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at, latency_ms) VALUES ($1::uuid, 'completed', 7, 14, `+first+` AT TIME ZONE 'UTC' + interval '3 days', 5)`, c.Workspace, months)
		}
	}
	month := func(ago int) string {
		now := time.Now().UTC()
		return time.Date(now.Year(), now.Month()-time.Month(ago), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
	}
	turns := func(c *harness.Caller, ago int) any {
		for _, metric := range c.Get(t, "/v1/usage?month="+month(ago)).At("metrics").([]any) {
			if m := metric.(map[string]any); m["metric"] == "turns" {
				return m["used"]
			}
		}
		return nil
	}
	require.EqualValues(t, 7, turns(ada, 2))
	report := "/v1/analytics/usage?granularity=month&from=" + month(10) + "-01&to=" + month(-1) + "-01"
	ada.WaitForUsage(t, report, 22)
	eve.WaitForUsage(t, report, 21)
	storage := ada.Used(t, usage.Storage)["used"]
	require.Positive(t, storage)

	path, began := "/v1/workspaces/"+ada.Workspace+"/retention", time.Now()
	require.Equal(t, http.StatusOK, ada.Put(t, path, map[string]any{"usage_months": 1}).Status)
	a := applied(t, ada, path, began)
	require.Equal(t, true, a.At("last_run.complete"), a)
	require.EqualValues(t, 2*rows, a.At("last_run.removed.usage"))
	require.Equal(t, []any{0.0, 0.0, 7.0, 1.0}, []any{turns(ada, 10), turns(ada, 2), turns(ada, 1), turns(ada, 0)})
	require.EqualValues(t, 7, turns(eve, 10))
	ada.WaitForUsage(t, report, 8)
	eve.WaitForUsage(t, report, 21)
	require.Equal(t, storage, ada.Used(t, usage.Storage)["used"])

	p.SQL(t, `INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at) VALUES ($1::uuid, 'failed', -1, -1, `+first+` AT TIME ZONE 'UTC')`, ada.Workspace, 2)
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM analytics_outbox`) == 0 }, harness.Timeout, 10*time.Millisecond)
	ada.WaitForUsage(t, report, 8)

	said(t, ada, "again")
	thread := ada.Thread(t, ada.NewBot(t))
	harness.RequireCode(t, ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", harness.Says("a third")), http.StatusForbidden, "LIMIT_REACHED")
}
