package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/platform/ops/usage"
)

// WaitForUsage waits until so many turns are counted, and that no more are.
func (c *Caller) WaitForUsage(t *testing.T, path string, turns int) (a Answer) {
	t.Helper()
	require.Eventually(t, func() bool {
		a = c.Get(t, path)
		return a.At("totals.turns") == float64(turns)
	}, 30*time.Second, 50*time.Millisecond)
	return a
}

// AuditRow is a row of audit_log, as texts.
type AuditRow struct {
	Workspace, User, Operation, Trace, Action, Resource, ResourceID, Changes, IP, UserAgent string
}

func AuditRows(t *testing.T, conn *pgx.Conn, operation string) []AuditRow {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT workspace_id::text, user_id::text, operation_id::text, trace_id, action, resource_type, resource_id::text, changes::text, host(ip), user_agent
		  FROM audit_log WHERE operation_id = $1`, operation)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AuditRow])
	require.NoError(t, err)
	return list
}

// AnchoredAs waits until the caller's log compares so with its anchor.
func (c *Caller) AnchoredAs(t *testing.T, state string) Answer {
	t.Helper()
	var a Answer
	require.Eventually(t, func() bool {
		a = c.Get(t, "/v1/audit-log/verify")
		require.Equal(t, http.StatusOK, a.Status, a)
		return a.Text("anchor.state") == state
	}, 30*time.Second, 50*time.Millisecond, "%s", state)
	return a
}

// Parley runs a subcommand on the data of a program.
func (p *Program) Parley(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = app.Run(t.Context(), "test", append([]string{"parley"}, args...), p.Settings, &out, &errs)
	return code, out.String(), errs.String()
}

// Texts reads one column of texts as the superuser.
func (p *Program) Texts(t *testing.T, sql string, args ...any) []string {
	t.Helper()
	conn := p.Super(t)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), sql, args...)
	require.NoError(t, err, sql)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err, sql)
	return list
}

// Leaf reads a whole list, page by page.
func (c *Caller) Leaf(t *testing.T, path string, query url.Values) (ids []string) {
	t.Helper()
	query = url.Values(http.Header(query).Clone())
	query.Set("limit", "3")
	for {
		a := c.Get(t, path+"?"+query.Encode())
		require.Equal(t, http.StatusOK, a.Status, a)
		for _, item := range a.Items() {
			ids = append(ids, item["id"].(string))
		}
		if a.At("has_more") != true {
			require.Nil(t, a.At("next_cursor"))
			return ids
		}
		query.Set("cursor", a.Text("next_cursor"))
	}
}

func Lines(t *testing.T, a Answer) (ids []string, rows []map[string]any) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "application/x-ndjson", a.Header.Get("Content-Type"))
	if len(a.Raw) == 0 {
		return nil, nil
	}
	require.Equal(t, byte('\n'), a.Raw[len(a.Raw)-1], "the last line is whole")
	for line := range bytes.SplitSeq(a.Raw[:len(a.Raw)-1], []byte{'\n'}) {
		var row map[string]any
		require.NoError(t, json.Unmarshal(line, &row), string(line))
		ids, rows = append(ids, row["id"].(string)), append(rows, row)
	}
	return ids, rows
}

// Actions lists what the caller's audit log tells of.
func (c *Caller) Actions(t *testing.T) (list []string) {
	t.Helper()
	for _, row := range c.Get(t, "/v1/audit-log").Items() {
		require.Equal(t, c.Workspace, row["workspace_id"])
		list = append(list, row["action"].(string))
	}
	return list
}

func (c *Caller) Verified(t *testing.T) Answer {
	t.Helper()
	var a Answer
	require.Eventually(t, func() bool {
		a = c.Get(t, "/v1/audit-log/verify")
		return a.At("unsealed_rows") == 0.0 && a.At("seals") != 0.0
	}, 30*time.Second, 50*time.Millisecond)
	return c.Get(t, "/v1/audit-log/verify") // the one before may have read the seals before the last of them was made
}

// TenantTables are all that have rows of workspaces, as the catalog knows them.
func TenantTables(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT c.oid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id' ORDER BY 1`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return tables
}

// Fill leaves a row of the caller's workspace in every table.
func (c *Caller) Fill(t *testing.T, super *pgx.Conn) {
	t.Helper()
	bot := c.NewBot(t)
	turn := c.Hi(t, c.Thread(t, bot))
	require.Equal(t, http.StatusOK, turn.Status)
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/conversations/messages/"+turn.Text("assistant_message.id")+"/feedback", map[string]any{"rating": "good"}).Status)
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/model-settings", map[string]any{"default_model": "echo"}).Status)
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}).Status)
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/model-keys/embedding", map[string]any{"api_key": "sk-12345678", "model": "m"}).Status)
	require.Equal(t, http.StatusCreated, c.Upload(t, "a.txt", "text").Status)
	c.IndexedBy(t, super)
	tool := c.NewTool(t, map[string]any{"credentials": map[string]any{"type": "bearer", "token": "secret"}})
	c.Reviewed(t, super, tool, strings.Repeat("0", 64))
	require.Equal(t, http.StatusOK, c.NewEndpoint(t, bot).Says(t, "c", "hello").Status)
	sub := c.Subscribe(t, "https://example.com/hook", "turn.completed")
	delivery := c.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil).Text("id")
	c.Key(t, "viewer")
	c.Invite(t, uuid.NewString()+"@example.com", "viewer")
	DeadLetter(t, super, c.Workspace, "note")
	for _, sql := range []string{
		`INSERT INTO workspace_limits VALUES ($1, 'turns', 100)`,
		`INSERT INTO usage_warnings VALUES ($1, now(), 'turns')`,
		`INSERT INTO vectors VALUES ($1, 'notes', gen_random_uuid(), '{1}', gen_random_uuid(), 0, 'text', '{}')`,
		`INSERT INTO audit_seals SELECT $1, 1, array_agg(id), now(), sha256('x') FROM audit_log WHERE workspace_id = $1 ON CONFLICT DO NOTHING`, // the program may have sealed them already
		`INSERT INTO turn_events SELECT workspace_id, id, 1, 0, '{"text"}' FROM llm_turns WHERE workspace_id = $1`,
		`INSERT INTO retrievals SELECT workspace_id, id, 1, 'question', 'lexical', false, '[]', 1, now() FROM llm_turns WHERE workspace_id = $1`,
		`INSERT INTO tool_calls SELECT workspace_id, gen_random_uuid(), id, thread_id, 1, 0, '', 'a', 'order', NULL, NULL, 'none', 'read', false, '{}', 'failed', 'x', 0,
			NULL, NULL, NULL, NULL, now(), NULL, now() FROM llm_turns WHERE workspace_id = $1`,
		`INSERT INTO message_attachments SELECT workspace_id, id, 0, gen_random_uuid(), NULL, 'a.txt', 'text/plain', 1, 'secret', false FROM llm_turns WHERE workspace_id = $1`,
		`INSERT INTO document_vectors SELECT workspace_id, id, 1, base_id, 'm', 1, now() FROM documents WHERE workspace_id = $1`,
		`INSERT INTO embedding_cache VALUES ($1, sha256('secret'), '{1}', now())`,
		`INSERT INTO retrieved_documents SELECT workspace_id, gen_random_uuid(), id FROM llm_turns WHERE workspace_id = $1`,
		`INSERT INTO document_files VALUES ($1, gen_random_uuid(), gen_random_uuid())`,
		`INSERT INTO analytics_daily SELECT workspace_id, now(), id, 1, 1, 0, 2, 0, 0, 0, 0, 0 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO analytics_latency SELECT workspace_id, now(), id, 1, 1 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO job_targets VALUES ($1, 'webhook.deliver', 'x', true, now())`,
		`INSERT INTO analytics_quarters SELECT workspace_id, now(), id, 1, 1, 0, 2, 0, 0, 0, 0, 0 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO analytics_latency_quarters SELECT workspace_id, now(), id, 1, 1 FROM bots WHERE workspace_id = $1`,
		`INSERT INTO audit_seal_heads VALUES ($1, 1) ON CONFLICT DO NOTHING`,
		`INSERT INTO end_users (workspace_id, id, name, created_at, last_token_at) VALUES ($1, gen_random_uuid(), 'secret', now(), now())`,
		`INSERT INTO caller_counts VALUES ($1, gen_random_uuid(), 'turns', 'day', now(), 1)`,
		`INSERT INTO end_user_bots SELECT workspace_id, id, gen_random_uuid() FROM end_users WHERE workspace_id = $1`,
		`INSERT INTO audit_cuts VALUES ($1, 1, 1, sha256('x'), now(), sha256('x'), '\x0102030405060708')`,
		`INSERT INTO workspace_exports (workspace_id, id, status, created_by, created_at) VALUES ($1, gen_random_uuid(), 'queued', gen_random_uuid(), now())`,
		`INSERT INTO workspace_retention (workspace_id, threads_days) VALUES ($1, 30)`,
	} {
		_, err := super.Exec(t.Context(), sql, c.Workspace)
		require.NoError(t, err, sql)
	}
	_, err := super.Exec(t.Context(), `INSERT INTO webhook_attempts VALUES ($1, $2, 1, now(), 200, 1, '', null)`, c.Workspace, delivery)
	require.NoError(t, err)
}

// State is every row of a workspace, as text.
func (c *Caller) State(t *testing.T, super *pgx.Conn) map[string]string {
	t.Helper()
	state := map[string]string{}
	for _, table := range TenantTables(t, super) {
		var rows string
		require.NoError(t, super.QueryRow(t.Context(), `SELECT coalesce(string_agg(r::text, E'\n' ORDER BY r::text), '') FROM `+table+` r WHERE workspace_id = $1`, c.Workspace).Scan(&rows))
		state[table] = rows
	}
	var rows string
	require.NoError(t, super.QueryRow(t.Context(), `SELECT w::text || u::text FROM workspaces w, users u WHERE w.id = $1 AND u.id = $2`, c.Workspace, c.User).Scan(&rows))
	state["workspaces, users"] = rows
	return state
}

// DeadLetter puts one into a workspace.
func DeadLetter(t *testing.T, super *pgx.Conn, workspace, kind string) string {
	t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	_, err := super.Exec(t.Context(), `INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, payload, trace_id, priority, attempts, failures, max_attempts, errors)
		VALUES ($1, $2, gen_random_uuid(), $3, $4, '{"n": 1}', 'trace-1', 2, 5, 4, 4, '[{"attempt": 5, "at": "2026-01-02T03:04:05Z", "error": "no"}]')`,
		workspace, id, kind, "key of "+id)
	require.NoError(t, err)
	return id
}

// Job queues one of a kind that nobody handles: whoever works takes it to the dead letters.
func Job(t *testing.T, super *pgx.Conn, workspace, kind string) {
	t.Helper()
	_, err := super.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
		VALUES ($1, $2, $3, $4, '{}', 'trace-1', 3)`, workspace, uuid.Must(uuid.NewV7()), kind, uuid.NewString())
	require.NoError(t, err)
}

// Metrics reads what a Prometheus would.
func (p *Program) Metrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.MetricsAddress(t), nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	return string(body)
}

// MetricsAddress is where the metrics are.
func (p *Program) MetricsAddress(t *testing.T) (address string) {
	t.Helper()
	for _, line := range p.Log.Lines(t) {
		if line["msg"] == "metrics" {
			address = line["address"].(string)
		}
	}
	require.NotEmpty(t, address)
	return address
}

// Sealer tells whether the sealer has run.
func (p *Program) Sealer(t *testing.T) bool {
	t.Helper()
	return regexp.MustCompile(`(?m)^parley_audit_sealer_lag_seconds [0-9.]*[1-9]`).MatchString(p.Metrics(t))
}

// Used gives what the present month's report says of a metric.
func (c *Caller) Used(t *testing.T, metric usage.Metric) map[string]any {
	t.Helper()
	a := c.Get(t, "/v1/usage")
	require.Equal(t, http.StatusOK, a.Status, a)
	for _, m := range a.At("metrics").([]any) {
		if m := m.(map[string]any); m["metric"] == string(metric) {
			return m
		}
	}
	t.Fatalf("%s is missing in %s", metric, a)
	return nil
}

func (c *Caller) Hi(t *testing.T, thread string, headers ...Header) Answer {
	t.Helper()
	return c.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "Hi"}, headers...)
}

// Limit gives the caller's workspace a limit of its own, as an operator does.
func (c *Caller) Limit(t *testing.T, metric usage.Metric, most int) {
	t.Helper()
	c.Limits(t, app.ExitOK, "set", "--workspace", c.Workspace, "--metric", string(metric), "--max", strconv.Itoa(most))
}

// Limits runs parley limits, and gives what it prints.
func (p *Program) Limits(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, code, app.Run(t.Context(), "test", append([]string{"parley", "limits"}, args...), p.Settings, &out, &errs), errs.String())
	return out.String() + errs.String()
}
