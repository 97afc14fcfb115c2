package app

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// count gives the one number of a query, asked as superuser.
func count(t *testing.T, conn *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}

// atOnce makes the same call n times at the same moment.
func atOnce(n int, call func() answer) []answer {
	answers, gate := make([]answer, n), make(chan struct{})
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			<-gate
			answers[i] = call()
		})
	}
	close(gate)
	wg.Wait()
	return answers
}

func TestSixtyFourSameCallsAtOnceTakeEffectOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id")
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
			super := pg.Superuser(t, p.database)
			id := uuid.NewString()
			answers := atOnce(64, func() answer { return ada.call(t, test.method, test.path, test.body, operation(id)) })
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
			require.Equal(t, test.makes, count(t, super, test.effects))
			require.Equal(t, 1, count(t, super, `SELECT count(*) FROM audit_log WHERE operation_id = $1`, id))
			require.Equal(t, 1, count(t, super, `SELECT count(*) FROM audit_log WHERE operation_id = $1 AND action = $2`, id, test.action))
			require.Equal(t, 1, count(t, super, `SELECT count(*) FROM operations WHERE id = $1 AND finished_at IS NOT NULL`, id))
		})
	}
}

func TestAnOperationIDIsGoodForOneRequestOnly(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	id := operation(uuid.NewString())
	body := map[string]any{"name": "Support"}
	first := ada.post(t, "/v1/bots", body, id)
	require.Equal(t, http.StatusCreated, first.Status)
	bot := first.text("id")
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{}).text("id")
	for name, a := range map[string]answer{
		"another body":     ada.post(t, "/v1/bots", map[string]any{"name": "Sales"}, id),
		"another query":    ada.post(t, "/v1/bots?x=1", body, id),
		"another path":     ada.post(t, "/v1/conversations/threads", map[string]any{}, id),
		"another method":   ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x"}, id),
		"a turn":           ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "x"}, id),
		"a log-out":        ada.post(t, "/v1/auth/logout", nil, id),
		"a turn elsewhere": ada.post(t, "/v1/conversations/threads/"+uuid.NewString()+"/turn", map[string]any{"content": "x"}, id),
	} {
		require.Equal(t, "OPERATION_ID_REUSED", a.text("code"), name)
		requireCode(t, a, http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	}
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/bots/"+bot, id).Status, "a read is no operation")
	again := ada.post(t, "/v1/bots/", body, id)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"), "a trailing slash is no other request")
	require.Equal(t, first.Raw, again.Raw)
	require.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))

	turn := map[string]any{"content": "hello"}
	op := operation(uuid.NewString())
	path := "/v1/conversations/threads/" + thread + "/turn"
	require.Equal(t, http.StatusOK, ada.post(t, path, turn, op).Status)
	requireCode(t, ada.post(t, path, map[string]any{"content": "other"}, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	require.Equal(t, 2, count(t, super, `SELECT count(*) FROM messages`))
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM bots`))
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/auth/me").Status)
}

// A proxy or a client's encoder may spell the same JSON otherwise when it sends a call again.
func TestARetryInAnotherSpellingOfTheSameJSONIsReplayed(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	op := operation(uuid.NewString())
	first := ada.post(t, "/v1/bots", `{"name":"Käse","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x/y"}}}`, op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	for name, body := range map[string]string{
		"another order":      `{"settings":{"metadata":{"b":"x/y","a":1},"temperature":0.5},"name":"Käse"}`,
		"spaces":             ` { "name" : "Käse", "settings": {"temperature": 0.5, "metadata": {"a": 1, "b": "x/y"}} } `,
		"a newline behind":   `{"name":"Käse","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x/y"}}}` + "\n",
		"escaped characters": `{"name":"K\u00e4se","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x\/y"}}}`,
	} {
		again := ada.post(t, "/v1/bots", body, op)
		require.Equal(t, []any{first.Status, "true", string(first.Raw)}, []any{again.Status, again.Header.Get("X-Operation-Replayed"), string(again.Raw)}, name)
	}
	for name, body := range map[string]string{
		"another number":             `{"name":"Käse","settings":{"temperature":0.5,"metadata":{"a":2,"b":"x/y"}}}`,
		"a number spelled otherwise": `{"name":"Käse","settings":{"temperature":0.50,"metadata":{"a":1,"b":"x/y"}}}`,
		"another text":               `{"name":"Kase","settings":{"temperature":0.5,"metadata":{"a":1,"b":"x/y"}}}`,
	} {
		requireCode(t, ada.post(t, "/v1/bots", body, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
		require.NotEmpty(t, name)
	}
}

func TestTheSameOperationIDOfAnotherIsAnotherOperation(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	_, err := super.Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, 'editor', now())`, ada.workspace, eve.user)
	require.NoError(t, err)
	id := operation(uuid.NewString())
	ids := map[string]bool{}
	for _, a := range []answer{
		ada.post(t, "/v1/bots", map[string]any{"name": "a"}, id),
		eve.post(t, "/v1/bots", map[string]any{"name": "a"}, id),
		eve.post(t, "/v1/bots", map[string]any{"name": "a"}, id, header{"X-Workspace-Id", ada.workspace}),
	} {
		require.Equal(t, http.StatusCreated, a.Status, a)
		require.Empty(t, a.Header.Get("X-Operation-Replayed"))
		ids[a.text("id")] = true
	}
	require.Len(t, ids, 3)
}

func TestAFailedCallLeavesNoClaim(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{}).text("id")
	before := count(t, super, `SELECT count(*) FROM audit_log`)
	create, update, turn, open := operation(uuid.NewString()), operation(uuid.NewString()), operation(uuid.NewString()), operation(uuid.NewString())
	nothing := uuid.NewString()
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": ""}, create), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "\u00a0"}, create), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	requireCode(t, ada.put(t, "/v1/bots/"+nothing+"/instruction", map[string]any{"instruction": "x"}, update), http.StatusNotFound, "BOT_NOT_FOUND")
	requireCode(t, ada.post(t, "/v1/conversations/threads/"+nothing+"/turn", map[string]any{"content": "x"}, turn), http.StatusNotFound, "THREAD_NOT_FOUND")
	requireCode(t, ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": nothing}, open), http.StatusNotFound, "BOT_NOT_FOUND")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM operations`), "a failed call has left its claim")
	require.Equal(t, before, count(t, super, `SELECT count(*) FROM audit_log`), "a failed call was audited as a change")
	require.Zero(t, count(t, super, `SELECT count(*) FROM messages`))

	bot := ada.post(t, "/v1/bots", map[string]any{"name": "a"}, create)
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, http.StatusOK, ada.put(t, "/v1/bots/"+bot.text("id")+"/instruction", map[string]any{"instruction": "x"}, update).Status)
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "x"}, turn).Status)
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot.text("id")}, open).Status)
}

func TestRegisterSentAgainIsTheSameUser(t *testing.T) {
	t.Parallel()
	p := start(t)
	super := pg.Superuser(t, p.database)
	body := func(secret string) map[string]any {
		return map[string]any{"email": "Ada@Example.com", "password": secret, "workspace_name": "Acme"}
	}
	id := operation(uuid.NewString())
	answers := atOnce(8, func() answer { return p.anonymous().post(t, "/v1/auth/register", body(password), id) })
	for _, a := range answers {
		require.Equal(t, http.StatusCreated, a.Status, a)
		require.Equal(t, answers[0].text("user_id"), a.text("user_id"))
		require.Equal(t, answers[0].text("workspace_id"), a.text("workspace_id"))
	}
	requireCode(t, p.anonymous().post(t, "/v1/auth/register", body("wrong horse battery"), id), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	requireCode(t, p.anonymous().post(t, "/v1/auth/register", body(password), operation(uuid.NewString())), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	requireCode(t, p.anonymous().post(t, "/v1/auth/register", body(password)), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM users`))
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM workspaces`), "a lost race has left a workspace")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM workspace_members`))
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'user.register'`))
	require.Equal(t, 8, count(t, super, `SELECT count(*) FROM sessions`), "each answer has a session of its own")
}

func TestTokensAreNeverStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	id := operation(uuid.NewString())
	login := p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password}, id)
	second := p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password}, id)
	require.NotEqual(t, login.text("access_token"), second.text("access_token"), "login was replayed from a store")
	refreshed := p.anonymous().post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.refresh}, operation(uuid.NewString()))
	require.Equal(t, http.StatusOK, refreshed.Status)
	super := pg.Superuser(t, p.database)
	require.Zero(t, count(t, super, `SELECT count(*) FROM operations`), "login, refresh or register is in the table")
	requireNowhere(t, super, ada.token, ada.refresh, login.text("access_token"), refreshed.text("refresh_token"), password)
}

// requireNowhere looks for texts in every row of every table, as superuser.
func requireNowhere(t *testing.T, conn *pgx.Conn, texts ...string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(tables), 10)
	for _, table := range tables {
		for _, text := range texts {
			n := count(t, conn, `SELECT count(*) FROM `+table+` r WHERE position($1 IN r::text) > 0 OR position(encode(convert_to($1, 'UTF8'), 'hex') IN r::text) > 0`, text)
			require.Zero(t, n, "%.12s… is in %s", text, table)
		}
	}
}

func TestLogOutEndsTheSessionOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	id := operation(uuid.NewString())
	ended := 0
	for _, a := range atOnce(16, func() answer { return ada.post(t, "/v1/auth/logout", nil, id) }) {
		if a.Status == http.StatusNoContent {
			ended++
			continue
		}
		requireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED") // access is checked anew before anything is replayed
	}
	require.Equal(t, 1, ended)
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'session.close'`))
	requireCode(t, ada.post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
	eve := p.register(t)
	require.Equal(t, http.StatusNoContent, eve.post(t, "/v1/auth/logout", map[string]any{}, id).Status, "another's operation of the same id")
}

// turnThen takes a turn and gives its path, its operation and its answer.
func turnThen(t *testing.T, c *caller) (path string, op header, body map[string]any, first answer) {
	t.Helper()
	bot := c.post(t, "/v1/bots", map[string]any{"name": "a", "instruction": "one"}).text("id")
	path = "/v1/conversations/threads/" + c.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id") + "/turn"
	op, body = operation(uuid.NewString()), map[string]any{"content": "hello"}
	first = c.post(t, path, body, op)
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
	p := start(t, "UPKEEP_INTERVAL=1h") // the upkeep recovers nothing meanwhile
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	path, op, body, first := turnThen(t, ada)
	ada.restart(t) // a new process remembers no answer
	unfinish(t, super, first.text("turn_id"), "1 hour")
	other := operation(uuid.NewString())
	busy := ada.post(t, path, body, other)
	requireCode(t, busy, http.StatusConflict, "THREAD_BUSY")
	require.Equal(t, first.text("turn_id"), busy.text("details.active_turn_id"))
	require.NotEmpty(t, busy.Header.Get("Retry-After"))

	same := ada.post(t, path, body, op)
	requireCode(t, same, http.StatusConflict, "OPERATION_IN_PROGRESS")
	require.Equal(t, "1", same.Header.Get("Retry-After"))
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM messages`), "a refused turn has left its message")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'turn.create'`))

	_, err := super.Exec(t.Context(), `UPDATE llm_turns SET lease_until = now() - interval '1 s'`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, ada.post(t, path, body, op).Status)
	again := ada.post(t, path, body, other)
	require.Equal(t, http.StatusOK, again.Status, "a refused operation may be sent again: %s", again)
	require.Empty(t, again.Header.Get("X-Operation-Replayed"))
}

func TestWhoeverFindsAThreadBusyIsToldByWhichTurn(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	path, _, body, _ := turnThen(t, ada)
	for range 5 {
		for _, a := range atOnce(16, func() answer { return ada.post(t, path, body) }) {
			if a.Status != http.StatusOK {
				requireCode(t, a, http.StatusConflict, "THREAD_BUSY")
				require.NoError(t, uuid.Validate(a.text("details.active_turn_id")), a)
			}
		}
	}
}

func TestATurnThatACrashLeftIsFinishedByItsOwnOperation(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=1h") // the upkeep recovers nothing meanwhile
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	path, op, body, first := turnThen(t, ada)
	ada.restart(t) // a new process remembers no answer
	ada.put(t, "/v1/bots/"+first.text("bot_id")+"/instruction", map[string]any{"instruction": "two"})
	unfinish(t, super, first.text("turn_id"), "-1 s")

	resumed := 0
	for _, a := range atOnce(8, func() answer { return ada.post(t, path, body, op) }) {
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, first.Body["user_message"], a.Body["user_message"], "the user message is the first one")
		require.Equal(t, first.text("turn_id"), a.text("turn_id"))
		require.EqualValues(t, 1, a.at("bot_version"), "the version stays pinned")
		if a.Header.Get("X-Operation-Replayed") == "" {
			resumed++
		}
	}
	require.Equal(t, 1, resumed)
	messages := ada.get(t, strings.TrimSuffix(path, "turn")+"messages").items()
	require.Len(t, messages, 2)
	require.Equal(t, "Echo: hello", messages[1]["content"])
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM llm_turns WHERE status = 'completed' AND attempt = 2`))
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'turn.create'`))
}
