package activity

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestTheAuditLogIsNarrowedByEveryFilterAndByAllTogether(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	eve.Joins(t, ada.Workspace)
	colleague := eve.Another(t)
	op := uuid.NewString()
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, harness.Operation(op)).Text("id")
	for range 4 {
		ada.Post(t, "/v1/bots", map[string]any{"name": "b"})
	}
	for range 3 {
		require.Equal(t, http.StatusOK, ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x"}).Status)
	}
	colleague.Post(t, "/v1/bots", map[string]any{"name": "c"})
	var middle time.Time
	require.NoError(t, harness.Postgres.Superuser(t, p.Database).QueryRow(t.Context(), `SELECT created_at FROM audit_log WHERE workspace_id = $1 ORDER BY id OFFSET 5 LIMIT 1`, ada.Workspace).Scan(&middle))
	at := middle.UTC().Format(time.RFC3339Nano)
	for name, test := range map[string]struct {
		query url.Values
		where string
	}{
		"nothing":       {url.Values{}, "true"},
		"user":          {url.Values{"user_id": {eve.User}}, "user_id = '" + eve.User + "'"},
		"action":        {url.Values{"action": {"bot.create"}}, "action = 'bot.create'"},
		"resource type": {url.Values{"resource_type": {"bot"}}, "resource_type = 'bot'"},
		"resource":      {url.Values{"resource_id": {bot}}, "resource_id = '" + bot + "'"},
		"operation":     {url.Values{"operation_id": {op}}, "operation_id = '" + op + "'"},
		"from":          {url.Values{"from": {at}}, "created_at >= '" + at + "'"},
		"to":            {url.Values{"to": {at}}, "created_at < '" + at + "'"},
		"all": {
			url.Values{"user_id": {ada.User}, "action": {"bot.update_instruction"}, "resource_type": {"bot"}, "resource_id": {bot}, "from": {at}, "to": {"2100-01-01T00:00:00+03:00"}},
			"action = 'bot.update_instruction' AND created_at >= '" + at + "'",
		},
		"nobody": {url.Values{"user_id": {uuid.NewString()}}, "false"},
	} {
		want := p.Texts(t, `SELECT id::text FROM audit_log WHERE workspace_id = $1 AND `+test.where+` ORDER BY created_at DESC, id DESC`, ada.Workspace)
		if name != "nobody" {
			require.NotEmpty(t, want, name)
		}
		require.Equal(t, want, append([]string{}, ada.Leaf(t, "/v1/audit-log", test.query)...), name)
		ids, _ := harness.Lines(t, ada.Get(t, "/v1/audit-log/export?"+test.query.Encode()))
		require.Equal(t, want, append([]string{}, ids...), "the export by %s", name)
	}
	require.Equal(t, []string{"user.register"}, eve.Actions(t), "another workspace has its own")
	first := ada.Get(t, "/v1/audit-log?limit=1&action=bot.create")
	harness.RequireCode(t, ada.Get(t, "/v1/audit-log?limit=1&action=bot.update_instruction&cursor="+first.Text("next_cursor")), http.StatusBadRequest, "BAD_REQUEST")
	harness.RequireCode(t, eve.Get(t, "/v1/audit-log?limit=1&action=bot.create&cursor="+first.Text("next_cursor")), http.StatusBadRequest, "BAD_REQUEST")
}

func TestTheExportHasEveryRowOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	for _, n := range []int{499, 500, 1} { // with the registration: one page, a page and an empty one, three
		p.SQL(t, `INSERT INTO audit_log (workspace_id, id, user_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent)
			SELECT $1, gen_random_uuid(), $2, gen_random_uuid(), 't', 'bot.create', 'bot', gen_random_uuid(), '{"name": "a\nb"}', '2001:db8::1', 'ü' FROM generate_series(1, $3)`,
			ada.Workspace, ada.User, n)
		want := p.Texts(t, `SELECT id::text FROM audit_log WHERE workspace_id = $1 ORDER BY created_at DESC, id DESC`, ada.Workspace)
		ids, rows := harness.Lines(t, ada.Get(t, "/v1/audit-log/export"))
		require.Equal(t, want, ids)
		listed := ada.Get(t, "/v1/audit-log?limit=100").Items()
		require.Equal(t, listed, rows[:100], "a line is the row of the list")
	}
	ids, _ := harness.Lines(t, eve.Get(t, "/v1/audit-log/export"))
	require.Len(t, ids, 1, "nothing of another workspace")
}

func TestTheLogIsSealedInTheBackgroundAndAChangedRowShows(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	ada, eve := p.Register(t), p.Register(t)
	for range 3 {
		ada.Post(t, "/v1/bots", map[string]any{"name": "a"})
	}
	a := ada.Verified(t)
	require.Equal(t, true, a.At("intact"), a)
	require.EqualValues(t, 4, a.At("sealed_rows"))
	require.Nil(t, a.At("broken_seal"))
	p.SQL(t, `ALTER TABLE audit_log DISABLE TRIGGER USER`)
	p.SQL(t, `UPDATE audit_log SET changes = '{}' WHERE workspace_id = $1 AND action = 'bot.create'`, ada.Workspace)
	a = ada.Get(t, "/v1/audit-log/verify")
	require.Equal(t, false, a.At("intact"), a)
	require.NotNil(t, a.At("broken_seal"))
	require.Equal(t, true, eve.Verified(t).At("intact"), "another workspace's log")
}

func TestARefusedAttemptIsInTheLogOfWhoTriedAndNowhereElse(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	gone := ada.Another(t)
	require.Equal(t, http.StatusNoContent, gone.Post(t, "/v1/auth/logout", nil).Status)
	before := len(eve.Actions(t))
	there := harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace}
	op := uuid.NewString()
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, there, harness.Operation(op)), http.StatusForbidden, "FORBIDDEN")
	rows := ada.Get(t, "/v1/audit-log?action=access.refuse").Items()
	require.Len(t, rows, 1)
	require.Equal(t, ada.Workspace, rows[0]["workspace_id"])
	require.Equal(t, ada.User, rows[0]["user_id"])
	require.Equal(t, op, rows[0]["operation_id"])
	require.Equal(t, eve.Workspace, rows[0]["resource_id"])
	require.Equal(t, "POST /v1/bots", rows[0]["changes"].(map[string]any)["call"])
	require.Zero(t, p.Number(t, `SELECT count(*) FROM operations WHERE id = $1`, op), "it left no claim")

	harness.RequireCode(t, ada.Get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	require.Len(t, ada.Get(t, "/v1/audit-log?action=access.refuse").Items(), 1, "a look is no attempt at a change")

	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, harness.Header{Name: "X-User-Id", Value: eve.User}), http.StatusForbidden, "FORBIDDEN")
	rows = ada.Get(t, "/v1/audit-log?action=access.refuse").Items()
	require.Len(t, rows, 2)
	require.NotEmpty(t, rows[0]["operation_id"], "every call has one, from its first step on")

	for _, h := range []harness.Header{there, {Name: "X-User-Id", Value: eve.User}} {
		a := gone.Post(t, "/v1/bots", map[string]any{"name": "x"}, h)
		require.True(t, slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, a.Status), a)
	}
	require.Len(t, ada.Get(t, "/v1/audit-log?action=access.refuse").Items(), 2, "a session that has ended writes nothing")
	require.Len(t, eve.Actions(t), before, "nothing in the log of the workspace that was tried")
}
