package activity

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestEveryChangeWritesOneAuditRowThatSaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	me := ada.Get(t, "/v1/auth/me")
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	for _, test := range []struct {
		method, path string
		body         any
		action       string
		resource     string
		resourceID   func(harness.Answer) string
		changes      func(harness.Answer) string
	}{
		{
			http.MethodPost, "/v1/bots", map[string]any{"name": "Sales"}, "bot.create", "bot",
			func(a harness.Answer) string { return a.Text("id") }, func(harness.Answer) string { return `{"name": "Sales"}` },
		},
		{
			http.MethodPut, "/v1/bots/" + bot + "/instruction", map[string]any{"instruction": "x"}, "bot.update_instruction", "bot",
			func(harness.Answer) string { return bot }, func(harness.Answer) string { return `{"version": {"to": 2, "from": 1}}` },
		},
		{
			http.MethodPost, "/v1/conversations/threads", map[string]any{"bot_id": bot}, "thread.create", "thread",
			func(a harness.Answer) string { return a.Text("id") }, func(harness.Answer) string { return `{"bot_id": "` + bot + `"}` },
		},
		{
			http.MethodPost, "/v1/conversations/threads/" + thread + "/turn", map[string]any{"content": "x"}, "turn.create", "thread",
			func(harness.Answer) string { return thread }, func(a harness.Answer) string { return `{"turn_id": "` + a.Text("turn_id") + `"}` },
		},
		{
			http.MethodPost, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password}, "session.open", "session", nil,
			func(harness.Answer) string { return `{}` },
		},
		{
			http.MethodPost, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Refresh}, "session.refresh", "session",
			func(harness.Answer) string { return me.Text("session_id") }, func(harness.Answer) string { return `{}` },
		},
		{
			http.MethodPost, "/v1/auth/logout", nil, "session.close", "session",
			func(harness.Answer) string { return me.Text("session_id") }, func(harness.Answer) string { return `{}` },
		},
	} {
		op, trace := uuid.NewString(), "trace-"+test.action
		a := ada.Call(t, test.method, test.path, test.body, harness.Operation(op), harness.Header{Name: "X-Trace-Id", Value: trace}, harness.Header{Name: "User-Agent", Value: "suite/1 (ü)"})
		require.Less(t, a.Status, 300, a)
		rows := harness.AuditRows(t, super, op)
		require.Len(t, rows, 1, test.action)
		want := harness.AuditRow{
			Workspace: ada.Workspace, User: ada.User, Operation: op, Trace: trace, Action: test.action, Resource: test.resource, ResourceID: rows[0].ResourceID, Changes: test.changes(a), IP: "127.0.0.1", UserAgent: "suite/1 (ü)",
		}
		if test.resourceID != nil {
			want.ResourceID = test.resourceID(a)
		}
		require.Equal(t, want, rows[0])
		require.NoError(t, uuid.Validate(rows[0].ResourceID))
	}

	op := uuid.NewString()
	eve := p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": "eve@example.com", "password": harness.Password, "workspace_name": "Eve"}, harness.Operation(op))
	rows := harness.AuditRows(t, super, op)
	require.Len(t, rows, 1)
	require.Equal(t, "user.register", rows[0].Action)
	require.Equal(t, eve.Text("workspace_id"), rows[0].Workspace)
	require.Equal(t, eve.Text("user_id"), rows[0].User)
}

func TestReadsAndRefusalsOfInputWriteNoAuditRow(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	before := harness.Count(t, super, `SELECT count(*) FROM audit_log`)
	everyRead := []string{"/v1/auth/me", "/v1/bots", "/v1/conversations/threads", "/v1/bots/" + uuid.NewString()}
	for _, path := range everyRead {
		ada.Get(t, path)
	}
	ada.Post(t, "/v1/bots", `{}`)
	require.Equal(t, before, harness.Count(t, super, `SELECT count(*) FROM audit_log`))
}

func TestNoSecretAndNoMessageIsInTheAuditLogOrInTheLog(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LOG_LEVEL=debug")
	secret, wrong, message, instruction := "marker-password-1f3a", "marker-wrong-77c1", "marker-message-9c2e", "marker-instruction-5b7d"
	ada := &harness.Caller{Program: p, Email: "marker@example.com"}
	ada.Take(ada.Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": secret, "workspace_name": "Acme"}))
	first := []string{ada.Token, ada.Refresh}
	p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": wrong})
	p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": wrong, "workspace_name": "Acme"})
	p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": "x", "password": wrong, "workspace_name": ""})
	p.Anonymous().Post(t, "/v1/auth/login", `{"email":"`+ada.Email+`","password":"`+secret) // broken off
	ada.Take(ada.Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Refresh}))
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": instruction}).Text("id")
	ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": instruction + "2"})
	thread := "/v1/conversations/threads/" + ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", map[string]any{"content": message}).Status)
	ada.Post(t, thread+"/turn", map[string]any{"content": message, message: message})
	ada.Get(t, thread+"/messages?cursor="+message)
	ada.Get(t, "/v1/bots?limit="+ada.Token)
	ada.Get(t, "/"+ada.Token)
	super := harness.Postgres.Superuser(t, p.Database)
	_, err := super.Exec(t.Context(), `ALTER TABLE messages ADD CHECK (content NOT LIKE '%broken')`) // our fault, with its details
	require.NoError(t, err)
	harness.RequireCode(t, ada.Post(t, thread+"/turn", map[string]any{"content": message + "broken"}), http.StatusInternalServerError, "INTERNAL_ERROR")
	require.Equal(t, http.StatusNoContent, ada.Post(t, "/v1/auth/logout", nil).Status)

	log := p.Log.String()
	require.Contains(t, log, `"msg":"request"`)
	for _, text := range append(first, secret, wrong, message, instruction, ada.Token, ada.Refresh) {
		require.NotContains(t, log, text, "it is in the log")
		require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM audit_log a WHERE position($1 IN a::text) > 0`, text), "%.20s is in the audit log", text)
	}
	harness.RequireNowhere(t, super, append(first, secret, wrong, ada.Token, ada.Refresh)...)
	for _, line := range p.Log.Lines(t) {
		if line["msg"] == "request" {
			require.NotEmpty(t, line["trace_id"])
			require.Contains(t, line, "status")
			require.Contains(t, line, "latency_ms")
		}
	}
}

func TestAChangeThatCannotBeAuditedDoesNotHappen(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	calls := ada.BodyCalls(t)
	super := harness.Postgres.Superuser(t, p.Database)
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
		harness.RequireCode(t, ada.Call(t, c.Method, c.Path, c.Body), http.StatusInternalServerError, "INTERNAL_ERROR")
		require.Equal(t, before, state(), "%s has left something", c.Name)
	}
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/bots").Status, "reads go on")
	_, err = super.Exec(t.Context(), `GRANT INSERT ON audit_log TO parley_app`)
	require.NoError(t, err)
	for _, c := range calls[4:] {
		require.Less(t, ada.Call(t, c.Method, c.Path, c.Body).Status, 300, c.Name)
	}
}
