package app

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// auditRow is a row of audit_log, as texts.
type auditRow struct {
	Workspace, User, Operation, Trace, Action, Resource, ResourceID, Changes, IP, UserAgent string
}

func auditRows(t *testing.T, conn *pgx.Conn, operation string) []auditRow {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT workspace_id::text, user_id::text, operation_id::text, trace_id, action, resource_type, resource_id::text, changes::text, host(ip), user_agent
		  FROM audit_log WHERE operation_id = $1`, operation)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[auditRow])
	require.NoError(t, err)
	return list
}

func TestEveryChangeWritesOneAuditRowThatSaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	me := ada.get(t, "/v1/auth/me")
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id")
	for _, test := range []struct {
		method, path string
		body         any
		action       string
		resource     string
		resourceID   func(answer) string
		changes      func(answer) string
	}{
		{
			http.MethodPost, "/v1/bots", map[string]any{"name": "Sales"}, "bot.create", "bot",
			func(a answer) string { return a.text("id") }, func(answer) string { return `{"name": "Sales"}` },
		},
		{
			http.MethodPut, "/v1/bots/" + bot + "/instruction", map[string]any{"instruction": "x"}, "bot.update_instruction", "bot",
			func(answer) string { return bot }, func(answer) string { return `{"version": {"to": 2, "from": 1}}` },
		},
		{
			http.MethodPost, "/v1/conversations/threads", map[string]any{"bot_id": bot}, "thread.create", "thread",
			func(a answer) string { return a.text("id") }, func(answer) string { return `{"bot_id": "` + bot + `"}` },
		},
		{
			http.MethodPost, "/v1/conversations/threads/" + thread + "/turn", map[string]any{"content": "x"}, "turn.create", "thread",
			func(answer) string { return thread }, func(a answer) string { return `{"turn_id": "` + a.text("turn_id") + `"}` },
		},
		{
			http.MethodPost, "/v1/auth/login", map[string]any{"email": ada.email, "password": password}, "session.open", "session", nil,
			func(answer) string { return `{}` },
		},
		{
			http.MethodPost, "/v1/auth/refresh", map[string]any{"refresh_token": ada.refresh}, "session.refresh", "session",
			func(answer) string { return me.text("session_id") }, func(answer) string { return `{}` },
		},
		{
			http.MethodPost, "/v1/auth/logout", nil, "session.close", "session",
			func(answer) string { return me.text("session_id") }, func(answer) string { return `{}` },
		},
	} {
		op, trace := uuid.NewString(), "trace-"+test.action
		a := ada.call(t, test.method, test.path, test.body, operation(op), header{"X-Trace-Id", trace}, header{"User-Agent", "suite/1 (ü)"})
		require.Less(t, a.Status, 300, a)
		rows := auditRows(t, super, op)
		require.Len(t, rows, 1, test.action)
		want := auditRow{
			ada.workspace, ada.user, op, trace, test.action, test.resource, rows[0].ResourceID, test.changes(a), "127.0.0.1", "suite/1 (ü)",
		}
		if test.resourceID != nil {
			want.ResourceID = test.resourceID(a)
		}
		require.Equal(t, want, rows[0])
		require.NoError(t, uuid.Validate(rows[0].ResourceID))
	}

	op := uuid.NewString()
	eve := p.anonymous().post(t, "/v1/auth/register", map[string]any{"email": "eve@example.com", "password": password, "workspace_name": "Eve"}, operation(op))
	rows := auditRows(t, super, op)
	require.Len(t, rows, 1)
	require.Equal(t, "user.register", rows[0].Action)
	require.Equal(t, eve.text("workspace_id"), rows[0].Workspace)
	require.Equal(t, eve.text("user_id"), rows[0].User)
}

func TestReadsAndRefusalsOfInputWriteNoAuditRow(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	before := count(t, super, `SELECT count(*) FROM audit_log`)
	everyRead := []string{"/v1/auth/me", "/v1/bots", "/v1/conversations/threads", "/v1/bots/" + uuid.NewString()}
	for _, path := range everyRead {
		ada.get(t, path)
	}
	ada.post(t, "/v1/bots", `{}`)
	require.Equal(t, before, count(t, super, `SELECT count(*) FROM audit_log`))
}

func TestNoSecretAndNoMessageIsInTheAuditLogOrInTheLog(t *testing.T) {
	t.Parallel()
	p := start(t, "LOG_LEVEL=debug")
	secret, wrong, said, told := "marker-password-1f3a", "marker-wrong-77c1", "marker-message-9c2e", "marker-instruction-5b7d"
	ada := &caller{program: p, email: "marker@example.com"}
	ada.take(ada.post(t, "/v1/auth/register", map[string]any{"email": ada.email, "password": secret, "workspace_name": "Acme"}))
	first := []string{ada.token, ada.refresh}
	p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": wrong})
	p.anonymous().post(t, "/v1/auth/register", map[string]any{"email": ada.email, "password": wrong, "workspace_name": "Acme"})
	p.anonymous().post(t, "/v1/auth/register", map[string]any{"email": "x", "password": wrong, "workspace_name": ""})
	p.anonymous().post(t, "/v1/auth/login", `{"email":"`+ada.email+`","password":"`+secret) // broken off
	ada.take(ada.post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.refresh}))
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": told}).text("id")
	ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": told + "2"})
	thread := "/v1/conversations/threads/" + ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id")
	require.Equal(t, http.StatusOK, ada.post(t, thread+"/turn", map[string]any{"content": said}).Status)
	ada.post(t, thread+"/turn", map[string]any{"content": said, said: said})
	ada.get(t, thread+"/messages?cursor="+said)
	ada.get(t, "/v1/bots?limit="+ada.token)
	ada.get(t, "/"+ada.token)
	super := pg.Superuser(t, p.database)
	_, err := super.Exec(t.Context(), `ALTER TABLE messages ADD CHECK (content NOT LIKE '%broken')`) // our fault, with its details
	require.NoError(t, err)
	requireCode(t, ada.post(t, thread+"/turn", map[string]any{"content": said + "broken"}), http.StatusInternalServerError, "INTERNAL_ERROR")
	require.Equal(t, http.StatusNoContent, ada.post(t, "/v1/auth/logout", nil).Status)

	log := p.log.String()
	require.Contains(t, log, `"msg":"request"`)
	for _, text := range append(first, secret, wrong, said, told, ada.token, ada.refresh) {
		require.NotContains(t, log, text, "it is in the log")
		require.Zero(t, count(t, super, `SELECT count(*) FROM audit_log a WHERE position($1 IN a::text) > 0`, text), "%.20s is in the audit log", text)
	}
	requireNowhere(t, super, append(first, secret, wrong, ada.token, ada.refresh)...)
	for _, line := range p.log.lines(t) {
		if line["msg"] == "request" {
			require.NotEmpty(t, line["trace_id"])
			require.Contains(t, line, "status")
			require.Contains(t, line, "latency_ms")
		}
	}
}

func TestAChangeThatCannotBeAuditedDoesNotHappen(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	calls := ada.bodyCalls(t)
	super := pg.Superuser(t, p.database)
	_, err := super.Exec(t.Context(), `REVOKE INSERT ON audit_log FROM parley_app`)
	require.NoError(t, err)
	tables := []string{"workspaces", "users", "workspace_members", "sessions", "bots", "bot_versions", "bot_pointer_moves", "threads", "llm_turns", "messages", "message_feedback", "operations", "audit_log"}
	state := func() (all []string) {
		for _, table := range tables {
			var rows string
			require.NoError(t, super.QueryRow(t.Context(), `SELECT coalesce(string_agg(r::text, E'\n' ORDER BY r::text), '') FROM `+table+` r`).Scan(&rows))
			all = append(all, table+": "+rows)
		}
		return all
	}
	before := state()
	for _, c := range calls {
		requireCode(t, ada.call(t, c.method, c.path, c.body), http.StatusInternalServerError, "INTERNAL_ERROR")
		require.Equal(t, before, state(), "%s has left something", c.name)
	}
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/bots").Status, "reads go on")
	_, err = super.Exec(t.Context(), `GRANT INSERT ON audit_log TO parley_app`)
	require.NoError(t, err)
	for _, c := range calls[4:] {
		require.Less(t, ada.call(t, c.method, c.path, c.body).Status, 300, c.name)
	}
}
