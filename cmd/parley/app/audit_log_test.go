package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// texts reads one column of texts past the wall.
func (p *program) texts(t *testing.T, sql string, args ...any) []string {
	t.Helper()
	conn := p.super(t)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), sql, args...)
	require.NoError(t, err, sql)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err, sql)
	return list
}

// leaf reads a whole list, page by page.
func (c *caller) leaf(t *testing.T, path string, query url.Values) (ids []string) {
	t.Helper()
	query = url.Values(http.Header(query).Clone())
	query.Set("limit", "3")
	for {
		a := c.get(t, path+"?"+query.Encode())
		require.Equal(t, http.StatusOK, a.Status, a)
		for _, item := range a.items() {
			ids = append(ids, item["id"].(string))
		}
		if a.at("has_more") != true {
			require.Nil(t, a.at("next_cursor"))
			return ids
		}
		query.Set("cursor", a.text("next_cursor"))
	}
}

func lines(t *testing.T, a answer) (ids []string, rows []map[string]any) {
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

func TestTheAuditLogIsNarrowedByEveryFilterAndByAllTogether(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	eve.joins(t, ada.workspace)
	colleague := eve.another(t)
	op := uuid.NewString()
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "a"}, operation(op)).text("id")
	for range 4 {
		ada.post(t, "/v1/bots", map[string]any{"name": "b"})
	}
	for range 3 {
		require.Equal(t, http.StatusOK, ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x"}).Status)
	}
	colleague.post(t, "/v1/bots", map[string]any{"name": "c"})
	var middle time.Time
	require.NoError(t, pg.Superuser(t, p.database).QueryRow(t.Context(), `SELECT created_at FROM audit_log WHERE workspace_id = $1 ORDER BY id OFFSET 5 LIMIT 1`, ada.workspace).Scan(&middle))
	at := middle.UTC().Format(time.RFC3339Nano)
	for name, test := range map[string]struct {
		query url.Values
		where string
	}{
		"nothing":       {url.Values{}, "true"},
		"user":          {url.Values{"user_id": {eve.user}}, "user_id = '" + eve.user + "'"},
		"action":        {url.Values{"action": {"bot.create"}}, "action = 'bot.create'"},
		"resource type": {url.Values{"resource_type": {"bot"}}, "resource_type = 'bot'"},
		"resource":      {url.Values{"resource_id": {bot}}, "resource_id = '" + bot + "'"},
		"operation":     {url.Values{"operation_id": {op}}, "operation_id = '" + op + "'"},
		"from":          {url.Values{"from": {at}}, "created_at >= '" + at + "'"},
		"to":            {url.Values{"to": {at}}, "created_at < '" + at + "'"},
		"all": {
			url.Values{"user_id": {ada.user}, "action": {"bot.update_instruction"}, "resource_type": {"bot"}, "resource_id": {bot}, "from": {at}, "to": {"2100-01-01T00:00:00+03:00"}},
			"action = 'bot.update_instruction' AND created_at >= '" + at + "'",
		},
		"nobody": {url.Values{"user_id": {uuid.NewString()}}, "false"},
	} {
		want := p.texts(t, `SELECT id::text FROM audit_log WHERE workspace_id = $1 AND `+test.where+` ORDER BY created_at DESC, id DESC`, ada.workspace)
		if name != "nobody" {
			require.NotEmpty(t, want, name)
		}
		require.Equal(t, want, append([]string{}, ada.leaf(t, "/v1/audit-log", test.query)...), name)
		ids, _ := lines(t, ada.get(t, "/v1/audit-log/export?"+test.query.Encode()))
		require.Equal(t, want, append([]string{}, ids...), "the export by %s", name)
	}
	require.Equal(t, []string{"user.register"}, eve.actions(t), "another workspace has its own")
	first := ada.get(t, "/v1/audit-log?limit=1&action=bot.create")
	requireCode(t, ada.get(t, "/v1/audit-log?limit=1&action=bot.update_instruction&cursor="+first.text("next_cursor")), http.StatusBadRequest, "BAD_REQUEST")
	requireCode(t, eve.get(t, "/v1/audit-log?limit=1&action=bot.create&cursor="+first.text("next_cursor")), http.StatusBadRequest, "BAD_REQUEST")
}

// actions lists what the caller's audit log tells of.
func (c *caller) actions(t *testing.T) (list []string) {
	t.Helper()
	for _, row := range c.get(t, "/v1/audit-log").items() {
		require.Equal(t, c.workspace, row["workspace_id"])
		list = append(list, row["action"].(string))
	}
	return list
}

func TestTheExportHasEveryRowOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	for _, n := range []int{499, 500, 1} { // with the registration: one page, a page and an empty one, three
		p.sql(t, `INSERT INTO audit_log (workspace_id, id, user_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent)
			SELECT $1, gen_random_uuid(), $2, gen_random_uuid(), 't', 'bot.create', 'bot', gen_random_uuid(), '{"name": "a\nb"}', '2001:db8::1', 'ü' FROM generate_series(1, $3)`,
			ada.workspace, ada.user, n)
		want := p.texts(t, `SELECT id::text FROM audit_log WHERE workspace_id = $1 ORDER BY created_at DESC, id DESC`, ada.workspace)
		ids, rows := lines(t, ada.get(t, "/v1/audit-log/export"))
		require.Equal(t, want, ids)
		listed := ada.get(t, "/v1/audit-log?limit=100").items()
		require.Equal(t, listed, rows[:100], "a line is the row of the list")
	}
	ids, _ := lines(t, eve.get(t, "/v1/audit-log/export"))
	require.Len(t, ids, 1, "nothing of another workspace")
}

func (c *caller) verified(t *testing.T) answer {
	t.Helper()
	var a answer
	require.Eventually(t, func() bool {
		a = c.get(t, "/v1/audit-log/verify")
		return a.at("unsealed_rows") == 0.0 && a.at("seals") != 0.0
	}, 30*time.Second, 50*time.Millisecond)
	return c.get(t, "/v1/audit-log/verify") // the one before may have read the seals before the last of them was made
}

func TestTheLogIsSealedInTheBackgroundAndAChangedRowShows(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=100ms")
	ada, eve := p.register(t), p.register(t)
	for range 3 {
		ada.post(t, "/v1/bots", map[string]any{"name": "a"})
	}
	a := ada.verified(t)
	require.Equal(t, true, a.at("intact"), a)
	require.EqualValues(t, 4, a.at("sealed_rows"))
	require.Nil(t, a.at("broken_seal"))
	p.sql(t, `ALTER TABLE audit_log DISABLE TRIGGER USER`)
	p.sql(t, `UPDATE audit_log SET changes = '{}' WHERE workspace_id = $1 AND action = 'bot.create'`, ada.workspace)
	a = ada.get(t, "/v1/audit-log/verify")
	require.Equal(t, false, a.at("intact"), a)
	require.NotNil(t, a.at("broken_seal"))
	require.Equal(t, true, eve.verified(t).at("intact"), "another workspace's log")
}

func TestARefusedAttemptIsInTheLogOfWhoTriedAndNowhereElse(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	gone := ada.another(t)
	require.Equal(t, http.StatusNoContent, gone.post(t, "/v1/auth/logout", nil).Status)
	before := len(eve.actions(t))
	there := header{"X-Workspace-Id", eve.workspace}
	op := uuid.NewString()
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, there, operation(op)), http.StatusForbidden, "FORBIDDEN")
	rows := ada.get(t, "/v1/audit-log?action=access.refuse").items()
	require.Len(t, rows, 1)
	require.Equal(t, ada.workspace, rows[0]["workspace_id"])
	require.Equal(t, ada.user, rows[0]["user_id"])
	require.Equal(t, op, rows[0]["operation_id"])
	require.Equal(t, eve.workspace, rows[0]["resource_id"])
	require.Equal(t, "POST /v1/bots", rows[0]["changes"].(map[string]any)["call"])
	require.Zero(t, p.number(t, `SELECT count(*) FROM operations WHERE id = $1`, op), "it left no claim")

	requireCode(t, ada.get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	require.Len(t, ada.get(t, "/v1/audit-log?action=access.refuse").items(), 1, "a look is no attempt at a change")

	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, header{"X-User-Id", eve.user}), http.StatusForbidden, "FORBIDDEN")
	rows = ada.get(t, "/v1/audit-log?action=access.refuse").items()
	require.Len(t, rows, 2)
	require.NotEmpty(t, rows[0]["operation_id"], "every call has one, from its first step on")

	for _, h := range []header{there, {"X-User-Id", eve.user}} {
		a := gone.post(t, "/v1/bots", map[string]any{"name": "x"}, h)
		require.True(t, slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, a.Status), a)
	}
	require.Len(t, ada.get(t, "/v1/audit-log?action=access.refuse").items(), 2, "a session that has ended writes nothing")
	require.Len(t, eve.actions(t), before, "nothing in the log of the workspace that was tried")
}
