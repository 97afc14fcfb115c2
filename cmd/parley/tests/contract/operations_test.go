package contract

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestSixtyFourSameCallsAtOnceTakeEffectOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	for _, test := range []struct {
		method, path, action, effects string
		body                          map[string]any
		makes                         int
	}{
		{http.MethodPost, "/v1/bots", "bot.create", `SELECT count(*) FROM bots WHERE name = 'Stampede'`, map[string]any{"name": "Stampede"}, 1},
		{http.MethodPut, "/v1/bots/" + bot + "/instruction", "bot.update_instruction", `SELECT count(*) FROM bot_versions WHERE instruction = 'Stampede'`, map[string]any{"instruction": "Stampede"}, 1},
		{http.MethodPost, "/v1/conversations/threads", "thread.create", `SELECT count(*) - 1 FROM threads`, map[string]any{"bot_id": bot}, 1},
		{http.MethodPost, "/v1/conversations/threads/" + thread + "/turn", "turn.create", `SELECT count(*) FROM messages WHERE content LIKE '%Stampede'`, map[string]any{"content": "Stampede"}, 2},
	} {
		t.Run(test.action, func(t *testing.T) {
			t.Parallel()
			super := harness.Postgres.Superuser(t, p.Database)
			id := uuid.NewString()
			answers := harness.AtOnce(64, func() harness.Answer {
				for { // a call that has waited too long for the first is sent again, as its answer says
					if a := ada.Call(t, test.method, test.path, test.body, harness.Operation(id)); a.Text("code") != "OPERATION_IN_PROGRESS" {
						return a
					}
				}
			})
			fresh := 0
			for _, a := range answers {
				require.Less(t, a.Status, 300, a)
				require.Equal(t, answers[0].Status, a.Status)
				require.Equal(t, answers[0].Raw, a.Raw, "byte for byte")
				require.Equal(t, answers[0].Header.Get("Location"), a.Header.Get("Location"))
				require.Equal(t, answers[0].Header.Get("Content-Type"), a.Header.Get("Content-Type"))
				require.Equal(t, id, a.Header.Get("X-Operation-Id"))
				if a.Header.Get("X-Operation-Replayed") == "" {
					fresh++
				}
			}
			require.Equal(t, 1, fresh, "more than one call took effect")
			require.Equal(t, test.makes, harness.Count(t, super, test.effects))
			require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE operation_id = $1`, id))
			require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE operation_id = $1 AND action = $2`, id, test.action))
			require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM operations WHERE id = $1 AND finished_at IS NOT NULL`, id))
		})
	}
}

func TestAnOperationIDIsGoodForOneRequestOnly(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	id := harness.Operation(uuid.NewString())
	body := map[string]any{"name": "Support"}
	first := ada.Post(t, "/v1/bots", body, id)
	require.Equal(t, http.StatusCreated, first.Status)
	bot := first.Text("id")
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	for name, a := range map[string]harness.Answer{
		"another body":     ada.Post(t, "/v1/bots", map[string]any{"name": "Sales"}, id),
		"another query":    ada.Post(t, "/v1/bots?x=1", body, id),
		"another path":     ada.Post(t, "/v1/conversations/threads", map[string]any{}, id),
		"another method":   ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x"}, id),
		"a turn":           ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "x"}, id),
		"a log-out":        ada.Post(t, "/v1/auth/logout", nil, id),
		"a turn elsewhere": ada.Post(t, "/v1/conversations/threads/"+uuid.NewString()+"/turn", map[string]any{"content": "x"}, id),
	} {
		require.Equal(t, "OPERATION_ID_REUSED", a.Text("code"), name)
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	}
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/bots/"+bot, id).Status, "a read is no operation")
	again := ada.Post(t, "/v1/bots/", body, id)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"), "a trailing slash is no other request")
	require.Equal(t, first.Raw, again.Raw)
	require.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))

	turn := map[string]any{"content": "hello"}
	op := harness.Operation(uuid.NewString())
	path := "/v1/conversations/threads/" + thread + "/turn"
	require.Equal(t, http.StatusOK, ada.Post(t, path, turn, op).Status)
	harness.RequireCode(t, ada.Post(t, path, map[string]any{"content": "other"}, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	require.Equal(t, 2, harness.Count(t, super, `SELECT count(*) FROM messages`))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM bots`))
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status)
}

// A proxy or a client's encoder may spell the same JSON otherwise when it sends a call again.
func TestARetryInAnotherSpellingOfTheSameJSONIsReplayed(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	op := harness.Operation(uuid.NewString())
	first := ada.Post(t, "/v1/bots", `{"name":"Käse","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x/y"}}}`, op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	for name, body := range map[string]string{
		"another order":      `{"settings":{"metadata":{"b":"x/y","a":1},"temperature":0.5},"name":"Käse"}`,
		"spaces":             ` { "name" : "Käse", "settings": {"temperature": 0.5, "metadata": {"a": 1, "b": "x/y"}} } `,
		"a newline behind":   `{"name":"Käse","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x/y"}}}` + "\n",
		"escaped characters": `{"name":"K\u00e4se","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x\/y"}}}`,
	} {
		again := ada.Post(t, "/v1/bots", body, op)
		require.Equal(t, []any{first.Status, "true", string(first.Raw)}, []any{again.Status, again.Header.Get("X-Operation-Replayed"), string(again.Raw)}, name)
	}
	for name, body := range map[string]string{
		"another number":             `{"name":"Käse","settings":{"temperature":0.5,"metadata":{"a":2,"b":"x/y"}}}`,
		"a number spelled otherwise": `{"name":"Käse","settings":{"temperature":0.50,"metadata":{"a":1,"b":"x/y"}}}`,
		"another text":               `{"name":"Kase","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x/y"}}}`,
	} {
		harness.RequireCode(t, ada.Post(t, "/v1/bots", body, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
		require.NotEmpty(t, name)
	}
}

func TestTheSameOperationIDOfAnotherIsAnotherOperation(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	_, err := super.Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, 'editor', now())`, ada.Workspace, eve.User)
	require.NoError(t, err)
	id := harness.Operation(uuid.NewString())
	ids := map[string]bool{}
	for _, a := range []harness.Answer{
		ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, id),
		eve.Post(t, "/v1/bots", map[string]any{"name": "a"}, id),
		eve.Post(t, "/v1/bots", map[string]any{"name": "a"}, id, harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}),
	} {
		require.Equal(t, http.StatusCreated, a.Status, a)
		require.Empty(t, a.Header.Get("X-Operation-Replayed"))
		ids[a.Text("id")] = true
	}
	require.Len(t, ids, 3)
}

func TestAFailedCallLeavesNoClaim(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	before := harness.Count(t, super, `SELECT count(*) FROM audit_log`)
	create, update, turn, open := harness.Operation(uuid.NewString()), harness.Operation(uuid.NewString()), harness.Operation(uuid.NewString()), harness.Operation(uuid.NewString())
	nothing := uuid.NewString()
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": ""}, create), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "\u00a0"}, create), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	harness.RequireCode(t, ada.Put(t, "/v1/bots/"+nothing+"/instruction", map[string]any{"instruction": "x"}, update), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/conversations/threads/"+nothing+"/turn", map[string]any{"content": "x"}, turn), http.StatusNotFound, "THREAD_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": nothing}, open), http.StatusNotFound, "BOT_NOT_FOUND")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM operations`), "a failed call has left its claim")
	require.Equal(t, before, harness.Count(t, super, `SELECT count(*) FROM audit_log`), "a failed call was audited as a change")
	require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM messages`))

	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, create)
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/bots/"+bot.Text("id")+"/instruction", map[string]any{"instruction": "x"}, update).Status)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "x"}, turn).Status)
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot.Text("id")}, open).Status)
}

func TestRegisterSentAgainIsTheSameUser(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	super := harness.Postgres.Superuser(t, p.Database)
	body := func(secret string) map[string]any {
		return map[string]any{"email": "Ada@Example.com", "password": secret, "workspace_name": "Acme"}
	}
	id := harness.Operation(uuid.NewString())
	answers := harness.AtOnce(8, func() harness.Answer { return p.Anonymous().Post(t, "/v1/auth/register", body(harness.Password), id) })
	for _, a := range answers {
		require.Equal(t, http.StatusCreated, a.Status, a)
		require.Equal(t, answers[0].Text("user_id"), a.Text("user_id"))
		require.Equal(t, answers[0].Text("workspace_id"), a.Text("workspace_id"))
	}
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/register", body("wrong horse battery"), id), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/register", body(harness.Password), harness.Operation(uuid.NewString())), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/register", body(harness.Password)), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM users`))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM workspaces`), "a lost race has left a workspace")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM workspace_members`))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'user.register'`))
	require.Equal(t, 8, harness.Count(t, super, `SELECT count(*) FROM sessions`), "each answer has a session of its own")
}

func TestTokensAreNeverStored(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	id := harness.Operation(uuid.NewString())
	login := p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password}, id)
	second := p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password}, id)
	require.NotEqual(t, login.Text("access_token"), second.Text("access_token"), "login was replayed from a store")
	refreshed := p.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Refresh}, harness.Operation(uuid.NewString()))
	require.Equal(t, http.StatusOK, refreshed.Status)
	super := harness.Postgres.Superuser(t, p.Database)
	require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM operations`), "login, refresh or register is in the table")
	harness.RequireNowhere(t, super, ada.Token, ada.Refresh, login.Text("access_token"), refreshed.Text("refresh_token"), harness.Password)
}

func TestLogOutEndsTheSessionOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	id := harness.Operation(uuid.NewString())
	ended := 0
	for _, a := range harness.AtOnce(16, func() harness.Answer { return ada.Post(t, "/v1/auth/logout", nil, id) }) {
		if a.Status == http.StatusNoContent {
			ended++
			continue
		}
		harness.RequireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED") // access is checked anew before anything is replayed
	}
	require.Equal(t, 1, ended)
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'session.close'`))
	harness.RequireCode(t, ada.Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
	eve := p.Register(t)
	require.Equal(t, http.StatusNoContent, eve.Post(t, "/v1/auth/logout", map[string]any{}, id).Status, "another's operation of the same id")
}

// turnThen takes a turn and gives its path, its operation and its answer.
func turnThen(t *testing.T, c *harness.Caller) (path string, op harness.Header, body map[string]any, first harness.Answer) {
	t.Helper()
	bot := c.Post(t, "/v1/bots", map[string]any{"name": "a", "instruction": "one"}).Text("id")
	path = "/v1/conversations/threads/" + c.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id") + "/turn"
	op, body = harness.Operation(uuid.NewString()), map[string]any{"content": "hello"}
	first = c.Post(t, path, body, op)
	require.Equal(t, http.StatusOK, first.Status, first)
	return path, op, body, first
}

// unfinish sets a turn back to where a crash between its two transactions leaves it.
func unfinish(t *testing.T, conn *pgx.Conn, turn, lease string) {
	t.Helper()
	for _, sql := range []string{
		`DELETE FROM messages WHERE turn_id = $1 AND role = 'assistant'`,
		`UPDATE operations o SET finished_at = NULL, status = NULL, body = NULL, content_type = NULL FROM llm_turns t WHERE t.id = $1 AND o.id = t.operation_id AND o.actor_id = t.actor_id`,
		`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '` + lease + `' WHERE id = $1`,
	} {
		tag, err := conn.Exec(t.Context(), sql, turn)
		require.NoError(t, err)
		require.EqualValues(t, 1, tag.RowsAffected(), sql)
	}
}

func TestASecondTurnInABusyThreadIsRefused(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=1h") // the upkeep recovers nothing meanwhile
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	path, op, body, first := turnThen(t, ada)
	ada.Restart(t) // a new process remembers no answer
	unfinish(t, super, first.Text("turn_id"), "1 hour")
	other := harness.Operation(uuid.NewString())
	busy := ada.Post(t, path, body, other)
	harness.RequireCode(t, busy, http.StatusConflict, "THREAD_BUSY")
	require.Equal(t, first.Text("turn_id"), busy.Text("details.active_turn_id"))
	require.NotEmpty(t, busy.Header.Get("Retry-After"))

	same := ada.Post(t, path, body, op)
	harness.RequireCode(t, same, http.StatusConflict, "OPERATION_IN_PROGRESS")
	require.Equal(t, "1", same.Header.Get("Retry-After"))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM messages`), "a refused turn has left its message")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'turn.create'`))

	_, err := super.Exec(t.Context(), `UPDATE llm_turns SET lease_until = now() - interval '1 s'`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, ada.Post(t, path, body, op).Status)
	again := ada.Post(t, path, body, other)
	require.Equal(t, http.StatusOK, again.Status, "a refused operation may be sent again: %s", again)
	require.Empty(t, again.Header.Get("X-Operation-Replayed"))
}

func TestWhoeverFindsAThreadBusyIsToldByWhichTurn(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	path, _, body, _ := turnThen(t, ada)
	for range 5 {
		for _, a := range harness.AtOnce(16, func() harness.Answer { return ada.Post(t, path, body) }) {
			if a.Status != http.StatusOK {
				harness.RequireCode(t, a, http.StatusConflict, "THREAD_BUSY")
				require.NoError(t, uuid.Validate(a.Text("details.active_turn_id")), a)
			}
		}
	}
}

func TestATurnThatACrashLeftIsFinishedByItsOwnOperation(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=1h") // the upkeep recovers nothing meanwhile
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	path, op, body, first := turnThen(t, ada)
	ada.Restart(t) // a new process remembers no answer
	ada.Put(t, "/v1/bots/"+first.Text("bot_id")+"/instruction", map[string]any{"instruction": "two"})
	unfinish(t, super, first.Text("turn_id"), "-1 s")

	resumed := 0
	for _, a := range harness.AtOnce(8, func() harness.Answer { return ada.Post(t, path, body, op) }) {
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, first.Body["user_message"], a.Body["user_message"], "the user message is the first one")
		require.Equal(t, first.Text("turn_id"), a.Text("turn_id"))
		require.EqualValues(t, 1, a.At("bot_version"), "the version stays pinned")
		if a.Header.Get("X-Operation-Replayed") == "" {
			resumed++
		}
	}
	require.Equal(t, 1, resumed)
	messages := ada.Get(t, strings.TrimSuffix(path, "turn")+"messages").Items()
	require.Len(t, messages, 2)
	require.Equal(t, "Echo: hello", messages[1]["content"])
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM llm_turns WHERE status = 'completed' AND attempt = 2`))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'turn.create'`))
}
