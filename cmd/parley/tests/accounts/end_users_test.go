package accounts

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
)

// chatBot makes a bot with an instruction that no end user may see.
func chatBot(t *testing.T, c *harness.Caller) string {
	t.Helper()
	a := c.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "hidden instruction", "settings": map[string]any{"model": "echo"}})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.Text("id")
}

func TestAnEndUserChatsWithItsBotAndSeesNothingElse(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot, other := chatBot(t, ada), chatBot(t, ada)
	key := ada.Key(t, "embed")
	op := harness.Operation(uuid.NewString())
	body := map[string]any{"bot_id": bot, "external_id": "customer-1", "name": "Grace", "metadata": map[string]any{"plan": "pro"}, "expires_in": 600}
	made := key.Post(t, "/v1/end-user-tokens", body, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, made.Raw, key.Post(t, "/v1/end-user-tokens", body, op).Raw, "a lost answer is given again")
	harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), made.Text("token"))
	grace := &harness.Caller{Program: p, Token: made.Text("token"), User: made.Text("end_user_id"), Workspace: ada.Workspace}
	require.Equal(t, grace.User, key.EndUser(t, other, map[string]any{"external_id": "customer-1"}).User, "one end user for an external id")
	linus := key.EndUser(t, bot)
	require.NotEqual(t, grace.User, linus.User)
	require.Equal(t, linus.User, key.EndUser(t, bot, map[string]any{"end_user_id": linus.User}).User, "an anonymous one goes on")

	harness.RequireWrong(t, grace.Post(t, "/v1/conversations/threads", map[string]any{"metadata": map[string]any{"vip": true}}), "metadata")
	thread := grace.Post(t, "/v1/conversations/threads", map[string]any{})
	require.Equal(t, http.StatusCreated, thread.Status, thread)
	require.Equal(t, []any{bot, grace.User, map[string]any{}}, []any{thread.At("bot_id"), thread.At("end_user_id"), thread.At("metadata")})
	path := "/v1/conversations/threads/" + thread.Text("id")
	require.Equal(t, http.StatusOK, ada.Patch(t, path, map[string]any{"metadata": map[string]any{"page": "/"}}).Status)
	again := harness.Operation(uuid.NewString())
	turn := grace.Post(t, path+"/turn", map[string]any{"content": "Hi"}, again)
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Equal(t, turn.Raw, grace.Post(t, path+"/turn", map[string]any{"content": "Hi"}, again).Raw)
	stream := grace.Open(t, http.MethodPost, path+"/turn", harness.Says("Tell me more"))
	frames := stream.Rest()
	text, kinds, _ := harness.StreamedText(frames)
	require.Contains(t, text, "Tell me more")
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
	require.Len(t, grace.Get(t, path+"/messages").Items(), 4)
	rated := grace.Put(t, "/v1/conversations/messages/"+turn.Text("assistant_message.id")+"/feedback", map[string]any{"rating": "good"})
	require.Equal(t, http.StatusOK, rated.Status, rated)
	require.Len(t, grace.Get(t, "/v1/conversations/threads").Items(), 1)
	events := grace.Open(t, http.MethodGet, path+"/turns/"+turn.Text("turn_id")+"/events", nil).Rest()

	// no model, version or cost, in whatever it can read
	for _, raw := range [][]byte{
		turn.Raw, grace.Get(t, path+"/turns").Raw, grace.Get(t, path+"/turns/"+turn.Text("turn_id")).Raw, grace.Get(t, path).Raw, grace.Get(t, "/v1/conversations/threads").Raw,
		encoded(t, frames), encoded(t, events),
	} {
		for _, hidden := range []string{`"echo"`, "hidden", `"bot_version":1`, `"cost_micros":0`, `"page"`, "customer-1", "pro\"", ada.User} {
			require.NotContains(t, string(raw), hidden)
		}
	}
	require.Equal(t, "echo", ada.Get(t, path+"/turns/"+turn.Text("turn_id")).At("provider"))
	require.Equal(t, map[string]any{"page": "/"}, ada.Get(t, path).At("metadata"))
	harness.RequireWrong(t, grace.Patch(t, path, map[string]any{"metadata": map[string]any{}}), "metadata")

	// nothing of others
	hers, theirs := ada.Thread(t, bot), linus.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	for _, id := range []string{hers, theirs} {
		foreign := "/v1/conversations/threads/" + id
		harness.RequireCode(t, grace.Get(t, foreign), http.StatusNotFound, "THREAD_NOT_FOUND")
		require.Equal(t, http.StatusNotFound, grace.Get(t, foreign+"/messages").Status)
		harness.RequireCode(t, grace.Hi(t, id), http.StatusNotFound, "THREAD_NOT_FOUND")
		harness.RequireCode(t, grace.Patch(t, foreign, map[string]any{"title": "mine"}), http.StatusNotFound, "THREAD_NOT_FOUND")
	}
	harness.RequireCode(t, grace.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": other}), http.StatusNotFound, "BOT_NOT_FOUND")
	require.Empty(t, grace.Get(t, "/v1/conversations/threads?end_user_id="+linus.User).Items())
	require.Len(t, ada.Get(t, "/v1/conversations/threads?end_user_id="+grace.User).Items(), 1)
	require.Len(t, ada.Get(t, "/v1/conversations/threads").Items(), 3)

	list := ada.Get(t, "/v1/end-users").Items()
	require.Len(t, list, 2)
	require.Equal(t, []any{linus.User, grace.User}, []any{list[0]["id"], list[1]["id"]})
	found := ada.Get(t, "/v1/end-users?external_id=customer-1").Items()
	require.Len(t, found, 1)
	require.Equal(t, []any{grace.User, "Grace", map[string]any{"plan": "pro"}}, []any{found[0]["id"], found[0]["name"], found[0]["metadata"]})
	require.Empty(t, ada.Get(t, "/v1/end-users?external_id=customer-2").Items())
	for _, entry := range ada.Get(t, "/v1/audit-log?action=turn.take").Items() {
		require.Nil(t, entry["user_id"])
		require.Equal(t, key.User, entry["api_key_id"])
		require.Equal(t, grace.User, entry["changes"].(map[string]any)["end_user_id"])
	}
}

// encoded returns the data of the events of a stream.
func encoded(t *testing.T, frames []harness.Frame) (raw []byte) {
	t.Helper()
	require.NotEmpty(t, frames)
	for _, f := range frames {
		line, err := json.Marshal(f.Data)
		require.NoError(t, err)
		raw = append(raw, line...)
	}
	return raw
}

// TestEndUsersMayMakeNoOtherCalls walks every call of the document.
func TestEndUsersMayMakeNoOtherCalls(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	bot := ada.NewBot(t)
	grace := ada.Key(t, "embed").EndUser(t, bot)
	rules := map[string]domain.Rule{}
	for _, rule := range domain.Rules() {
		rules[string(rule.Permission)] = rule
	}
	let := 0
	everyOperation(t, ada.Workspace, func(id, permission, method, path string) {
		var body any
		if method != http.MethodGet && (method != http.MethodDelete || id == "deleteMe") {
			if body = bodiesOf(bot)[id]; body == nil {
				body = samples[id]
			}
		}
		a := grace.Walks(t, id, method, path, body)
		if slices.Contains(rules[permission].Roles(), domain.EndUserRole) {
			require.Contains(t, []int{http.StatusOK, http.StatusCreated, http.StatusNotFound}, a.Status, "%s: %s", id, a)
			let++
			return
		}
		harness.RequireCode(t, a, http.StatusForbidden, "FORBIDDEN")
		require.Nil(t, a.Body["details"], id)
	})
	require.Equal(t, 25, let, "calls that end users may make")
}

func TestAChatKeySeesOnlyThreadsThatItMade(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key, twin := ada.Key(t, "chat"), ada.Key(t, "chat", map[string]any{"bot_ids": []string{bot}})
	hers, mine := ada.Thread(t, bot), key.Thread(t, bot)
	require.Equal(t, http.StatusOK, ada.Hi(t, hers).Status)
	turn := key.Hi(t, mine)
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Equal(t, "echo", turn.At("provider"), "a key of the business sees what answered")
	require.Len(t, key.Get(t, "/v1/conversations/threads").Items(), 1)
	require.Len(t, key.Get(t, "/v1/conversations/threads/"+mine+"/messages").Items(), 2)
	require.Equal(t, http.StatusOK, key.Put(t, "/v1/conversations/messages/"+turn.Text("assistant_message.id")+"/feedback", map[string]any{"rating": "bad"}).Status)
	for _, c := range []*harness.Caller{twin, ada.Key(t, "chat")} {
		require.Empty(t, c.Get(t, "/v1/conversations/threads").Items())
		for _, id := range []string{hers, mine} {
			harness.RequireSameButTrace(t, c.Get(t, "/v1/conversations/threads/"+uuid.NewString()), c.Get(t, "/v1/conversations/threads/"+id))
			require.Equal(t, http.StatusNotFound, c.Get(t, "/v1/conversations/threads/"+id+"/messages").Status)
			harness.RequireCode(t, c.Hi(t, id), http.StatusNotFound, "THREAD_NOT_FOUND")
		}
		require.Equal(t, http.StatusNotFound, c.Put(t, "/v1/conversations/messages/"+turn.Text("assistant_message.id")+"/feedback", map[string]any{"rating": "bad"}).Status)
	}
	require.Equal(t, http.StatusNotFound, key.Get(t, "/v1/conversations/threads/"+hers).Status)
	harness.RequireCode(t, key.Delete(t, "/v1/conversations/threads/"+mine), http.StatusForbidden, "FORBIDDEN")
	harness.RequireCode(t, key.Get(t, "/v1/bots/"+bot), http.StatusForbidden, "FORBIDDEN")
	free := key.Post(t, "/v1/conversations/threads", map[string]any{})
	require.Equal(t, http.StatusCreated, free.Status, free)
	require.Nil(t, free.At("end_user_id"))
	require.Len(t, ada.Get(t, "/v1/conversations/threads").Items(), 3)
	require.Len(t, ada.Key(t, "viewer").Get(t, "/v1/conversations/threads").Items(), 3)
}

// Row-level security keeps an end user and a chat key to their rows whatever the statement: here one without any condition.
func TestTheDatabaseKeepsEndUsersAndChatKeysToTheirRows(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	embed, chat := ada.Key(t, "embed"), ada.Key(t, "chat")
	grace, linus := embed.EndUser(t, bot), embed.EndUser(t, bot)
	for _, c := range []*harness.Caller{ada, chat, grace, linus} {
		turn := c.Hi(t, c.Thread(t, bot))
		require.Equal(t, http.StatusOK, turn.Status, turn)
		require.Equal(t, http.StatusOK, c.Put(t, "/v1/conversations/messages/"+turn.Text("assistant_message.id")+"/feedback", map[string]any{"rating": "good"}).Status)
	}
	super := harness.Postgres.Superuser(t, p.Database)
	for name, entry := range map[string]struct {
		sql  string
		args []any
	}{
		"an end user": {`SELECT app.enter_end_user($1, $2, $3, $4, '{}', 'any')`, []any{grace.User, embed.User, bot, ada.Workspace}},
		"a chat key":  {`SELECT app.enter_key($1, $2, '{}', 'any')`, []any{chat.User, ada.Workspace}},
	} {
		tx, err := super.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SET LOCAL ROLE parley_app")
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), entry.sql, entry.args...)
		require.NoError(t, err, name)
		for table, rows := range map[string]int{"threads": 1, "messages": 2, "llm_turns": 1, "message_feedback": 1} {
			var n int
			require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
			require.Equal(t, rows, n, "%s sees %s of others", name, table)
		}
		tag, err := tx.Exec(t.Context(), `UPDATE threads SET title = 'mine'`)
		require.NoError(t, err)
		require.EqualValues(t, 1, tag.RowsAffected(), name)
		_, err = tx.Exec(t.Context(), `INSERT INTO threads (workspace_id, id, bot_id, status, created_by, created_at, owner_id) VALUES ($1, gen_random_uuid(), $2, 'active', $3, now(), $3)`, ada.Workspace, bot, linus.User)
		require.Error(t, err, "%s makes a thread of another", name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

func TestATokenOfAnEndUserEndsWithWhatItDependsOn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for name, end := range map[string]func(bot string, key, user *harness.Caller){
		"the end user is revoked": func(_ string, key, user *harness.Caller) {
			revoked := ada.Post(t, "/v1/end-users/"+user.User+"/revoke", nil)
			require.Equal(t, http.StatusOK, revoked.Status, revoked)
			require.NotNil(t, revoked.At("revoked_at"))
			require.Equal(t, revoked.At("revoked_at"), ada.Post(t, "/v1/end-users/"+user.User+"/revoke", nil).At("revoked_at"))
		},
		"the key is revoked": func(_ string, key, _ *harness.Caller) {
			require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/api-keys/"+key.User).Status)
		},
		"the bot is deleted": func(bot string, _, _ *harness.Caller) {
			require.Less(t, ada.Delete(t, "/v1/bots/"+bot+"?threads=true").Status, 300)
		},
	} {
		bot := chatBot(t, ada)
		key := ada.Key(t, "embed")
		user := key.EndUser(t, bot, map[string]any{"external_id": name})
		require.Equal(t, http.StatusOK, user.Get(t, "/v1/conversations/threads").Status)
		end(bot, key, user)
		harness.RequireCode(t, user.Get(t, "/v1/conversations/threads"), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, user.Post(t, "/v1/conversations/threads", map[string]any{}), http.StatusUnauthorized, "UNAUTHORIZED")
		if name == "the end user is revoked" {
			harness.RequireCode(t, key.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot, "external_id": name}), http.StatusForbidden, "END_USER_REVOKED")
		}
	}
}

func TestATokenOfAnEndUserIsGoodForThePagesThatItNames(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	page, threads := "https://shop.example.com", "/v1/conversations/threads"
	user := ada.Key(t, "embed").EndUser(t, bot, map[string]any{"origins": []string{"HTTPS://Shop.example.com:443", "http://localhost:3000"}})
	from := func(origin string) harness.Header { return harness.Header{Name: "Origin", Value: origin} }
	for _, origin := range []string{page, "http://localhost:3000"} {
		for _, a := range []harness.Answer{user.Get(t, threads, from(origin)), user.Get(t, threads+"/"+uuid.NewString(), from(origin)), user.Get(t, "/v1/bots", from(origin))} {
			require.Equal(t, origin, a.Header.Get("Access-Control-Allow-Origin"), a)
			require.Contains(t, a.Header.Values("Vary"), "Origin")
			require.Contains(t, a.Header.Get("Access-Control-Expose-Headers"), "Retry-After")
			require.Empty(t, a.Header.Get("Access-Control-Allow-Credentials"))
		}
	}
	for _, origin := range []string{"https://evil.example", "null", "http://shop.example.com", page + ":444", page + "/"} {
		for _, a := range []harness.Answer{user.Get(t, threads, from(origin)), user.Post(t, threads, map[string]any{}, from(origin))} {
			harness.RequireCode(t, a, http.StatusForbidden, "ORIGIN_NOT_ALLOWED")
			require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"))
		}
	}
	require.Equal(t, http.StatusOK, user.Get(t, threads).Status, "no page")
	harness.RequireCode(t, ada.Key(t, "embed").EndUser(t, bot).Get(t, threads, from(page)), http.StatusForbidden, "ORIGIN_NOT_ALLOWED")
	require.Equal(t, http.StatusOK, ada.Get(t, threads, from("https://evil.example")).Status, "the origins of end users' tokens hold for those")

	for path, allowed := range map[string]string{threads: "https://any.example", threads + "/" + uuid.NewString() + "/turn": "https://any.example", "/v1/api-keys": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, p.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Origin", "https://any.example")
		req.Header.Set("Access-Control-Request-Method", http.MethodPost)
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, allowed, res.Header.Get("Access-Control-Allow-Origin"), path)
		if allowed != "" {
			require.Equal(t, http.StatusNoContent, res.StatusCode, path)
			require.Contains(t, res.Header.Get("Access-Control-Allow-Headers"), "Authorization")
			require.Contains(t, res.Header.Get("Access-Control-Allow-Methods"), "POST")
		}
	}
	embed := ada.Key(t, "embed")
	for _, wrong := range []string{"shop.example.com", "https://shop.example.com/", "https://*.example.com", "ftp://x.example", "https://x.example:99999", "null"} {
		require.Equal(t, http.StatusUnprocessableEntity, embed.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot, "origins": []string{wrong}}).Status, wrong)
	}
}

// Streams end in every process when what a token depends on ends, and the turn goes on.
func TestStreamsOfAnEndUserEndWithIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms", "MODEL_TIMEOUT=2m")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	for name, end := range map[string]func(bot string, key, user *harness.Caller) harness.Answer{
		"the end user is revoked": func(_ string, _, user *harness.Caller) harness.Answer {
			return ada.Post(t, "/v1/end-users/"+user.User+"/revoke", nil)
		},
		"the key is revoked": func(_ string, key, _ *harness.Caller) harness.Answer { return ada.Delete(t, "/v1/api-keys/"+key.User) },
	} {
		bot := chatBot(t, ada)
		key := ada.Key(t, "embed")
		user := key.EndUser(t, bot)
		thread := "/v1/conversations/threads/" + user.Thread(t, bot)
		mine := user.Open(t, http.MethodPost, thread+"/turn", harness.Says(strings.Repeat("word ", 600)))
		require.Equal(t, http.StatusOK, mine.Answer.Status, mine.Answer)
		turn := mine.Until("turn.created").Data["turn_id"].(string)
		elsewhere := (&harness.Caller{Program: other, Token: user.Token}).Open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil)
		elsewhere.Until("message.delta")
		require.Less(t, end(bot, key, user).Status, 300, name)
		mine.RequireClosed(t, "end_user_revoked", "who took the turn")
		elsewhere.RequireClosed(t, "end_user_revoked", "who follows it elsewhere")
		require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM llm_turns WHERE id = $1 AND status = 'running'`, turn), "the turn has ended with its stream")
		require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turns/"+turn+"/cancel", nil).Status)
	}
}

func TestWhatATokenOfAnEndUserMustBeLike(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed")
	post := func(body map[string]any) harness.Answer { return key.Post(t, "/v1/end-user-tokens", body) }
	for field, value := range map[string]any{"expires_in": 3601, "external_id": " ", "name": strings.Repeat("x", 201), "metadata": []string{}, "bot_id": "x", "role": "x"} {
		body := map[string]any{"bot_id": bot}
		body[field] = value
		harness.RequireWrong(t, post(body), field)
	}
	harness.RequireWrong(t, post(map[string]any{"bot_id": bot, "metadata": map[string]any{"x": strings.Repeat("x", 17_000)}}), "metadata")
	harness.RequireWrong(t, post(map[string]any{"bot_id": bot, "external_id": "a", "end_user_id": uuid.NewString()}), "end_user_id")
	harness.RequireCode(t, post(map[string]any{"bot_id": bot, "end_user_id": uuid.NewString()}), http.StatusNotFound, "END_USER_NOT_FOUND")
	known := key.EndUser(t, bot, map[string]any{"external_id": "known"})
	harness.RequireCode(t, post(map[string]any{"bot_id": bot, "end_user_id": known.User}), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireCode(t, post(map[string]any{"bot_id": chatBot(t, eve)}), http.StatusNotFound, "BOT_NOT_FOUND")
	limited := ada.Key(t, "embed", map[string]any{"bot_ids": []string{bot}})
	require.Equal(t, http.StatusCreated, limited.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot}).Status)
	harness.RequireCode(t, limited.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": chatBot(t, ada)}), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot}), http.StatusForbidden, "FORBIDDEN")
	require.Empty(t, eve.Get(t, "/v1/end-users").Items())

	// It is taken for no other token, nor changed.
	head, rest, _ := strings.Cut(known.Token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	require.NoError(t, err)
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(string(raw), "eu+jwt", "at+jwt")))
	for name, token := range map[string]string{"another type": forged + "." + rest, "cut": known.Token[:len(known.Token)-2], "a refresh token": ada.Refresh} {
		c := &harness.Caller{Program: p, Token: token}
		harness.RequireCode(t, c.Get(t, "/v1/conversations/threads"), http.StatusUnauthorized, "UNAUTHORIZED")
		_ = name
	}
	harness.RequireCode(t, known.Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": known.Token}), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, known.Get(t, "/v1/conversations/threads", harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace}), http.StatusForbidden, "FORBIDDEN")
}

func TestEndUsersAreBounded(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_END_USERS=2")
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed")
	token := func(body map[string]any) harness.Answer {
		body["bot_id"] = bot
		return key.Post(t, "/v1/end-user-tokens", body)
	}
	known, anonymous := key.EndUser(t, bot, map[string]any{"external_id": "known"}), key.EndUser(t, bot)
	for _, body := range []map[string]any{{}, {"external_id": "third"}} {
		full := token(body)
		harness.RequireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
		require.Equal(t, map[string]any{"metric": "end_users", "limit": 2.0, "used": 2.0, "resets_at": nil}, full.Body["details"])
	}
	require.Equal(t, known.User, token(map[string]any{"external_id": "known"}).Text("end_user_id"), "those that are there go on")
	require.Equal(t, anonymous.User, token(map[string]any{"end_user_id": anonymous.User}).Text("end_user_id"))
	require.Len(t, ada.Get(t, "/v1/end-users").Items(), 2)
	require.Contains(t, string(ada.Get(t, "/v1/usage").Raw), `"end_users"`)
	p.Register(t).Key(t, "embed") // the limit is each workspace's
}

func TestAnonymousEndUsersWithoutAThreadAreRemoved(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed")
	silent, recent, wrote, known := key.EndUser(t, bot), key.EndUser(t, bot), key.EndUser(t, bot), key.EndUser(t, bot, map[string]any{"external_id": "known"})
	wrote.Thread(t, bot)
	super := harness.Postgres.Superuser(t, p.Database)
	_, err := super.Exec(t.Context(), `UPDATE end_users SET last_token_at = now() - interval '26 hours' WHERE id <> $1`, recent.User)
	require.NoError(t, err)
	require.NoError(t, postgres.NewEndUsers(harness.Postgres.Open(t, p.Database), nil).Expire(t.Context(), time.Now()))
	harness.RequireCode(t, ada.Get(t, "/v1/end-users/"+silent.User), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireCode(t, silent.Get(t, "/v1/conversations/threads"), http.StatusUnauthorized, "UNAUTHORIZED")
	for _, u := range []*harness.Caller{recent, wrote, known} {
		require.Equal(t, http.StatusOK, ada.Get(t, "/v1/end-users/"+u.User).Status)
	}
}

func TestEndUsersAreListedByBotAndDescribedByTheKeysOfTheirBots(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	shop, forum := chatBot(t, ada), chatBot(t, ada)
	key, limited := ada.Key(t, "embed"), ada.Key(t, "embed", map[string]any{"bot_ids": []string{forum}})
	both := key.EndUser(t, shop, map[string]any{"external_id": "both", "name": "Grace", "metadata": map[string]any{"plan": "pro"}})
	of := func(path string) (ids []any) {
		for _, item := range ada.Get(t, path).Items() {
			ids = append(ids, item["id"])
		}
		return ids
	}
	get := func(id string) []any {
		u := ada.Get(t, "/v1/end-users/"+id)
		return []any{u.At("name"), u.At("metadata")}
	}
	require.Empty(t, of("/v1/end-users?bot="+forum))
	other := map[string]any{"external_id": "both", "name": "Mallory", "metadata": map[string]any{}}
	require.Equal(t, both.User, limited.EndUser(t, forum, other).User)
	require.Equal(t, []any{"Grace", map[string]any{"plan": "pro"}}, get(both.User), "a key that is limited to another bot changes nothing")
	visitor := key.EndUser(t, shop, map[string]any{"name": "Visitor"})
	require.Equal(t, visitor.User, limited.EndUser(t, forum, map[string]any{"end_user_id": visitor.User, "name": "Mallory"}).User)
	require.Equal(t, "Visitor", get(visitor.User)[0])
	own := limited.EndUser(t, forum, map[string]any{"external_id": "own", "name": "Linus"})
	limited.EndUser(t, forum, map[string]any{"external_id": "own", "name": "Linus T."})
	require.Equal(t, "Linus T.", get(own.User)[0])
	key.EndUser(t, shop, map[string]any{"external_id": "both", "name": "Grace H."})
	require.Equal(t, "Grace H.", get(both.User)[0])

	require.Equal(t, []any{visitor.User, both.User}, of("/v1/end-users?bot="+shop))
	require.Equal(t, []any{own.User, visitor.User, both.User}, of("/v1/end-users?bot="+forum))
	require.Equal(t, []any{both.User}, of("/v1/end-users?external_id=both&bot="+shop))
	require.Empty(t, of("/v1/end-users?external_id=own&bot="+shop))
	first := ada.Get(t, "/v1/end-users?limit=1&bot="+forum)
	require.Equal(t, own.User, first.Items()[0]["id"])
	require.Equal(t, []any{visitor.User, both.User}, of("/v1/end-users?bot="+forum+"&cursor="+first.Text("next_cursor")))
	harness.RequireWrong(t, ada.Get(t, "/v1/end-users?bot=x"), "bot")
}

// Two programs, and turns at once in as many threads: the limit of a token is exact, and what is refused or repeated does not count.
func TestTwoProcessesCountTheTurnsOfAnEndUserTogether(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed")
	user := key.EndUser(t, bot, map[string]any{"external_id": "busy", "limits": map[string]any{"turns_per_day": 5}})
	op := harness.Operation(uuid.NewString())
	first := user.Post(t, "/v1/conversations/threads/"+user.Thread(t, bot)+"/turn", map[string]any{"content": "Hi"}, op)
	require.Equal(t, http.StatusOK, first.Status, first)
	there := *user
	there.Program = other
	var wg sync.WaitGroup
	var taken, refused atomic.Int64
	for n := range 12 {
		c, thread := []*harness.Caller{user, &there}[n%2], user.Thread(t, bot)
		wg.Go(func() {
			switch a := c.Hi(t, thread); a.Status {
			case http.StatusOK:
				taken.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	require.Equal(t, []int64{4, 8}, []int64{taken.Load(), refused.Load()})
	thread := user.Thread(t, bot)
	for _, c := range []*harness.Caller{user, &there, key.EndUser(t, bot, map[string]any{"external_id": "busy", "limits": map[string]any{"turns_per_day": 2}})} {
		full := c.Hi(t, thread)
		harness.RequireCode(t, full, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		wait, err := strconv.Atoi(full.Header.Get("Retry-After"))
		require.NoError(t, err, full)
		require.Positive(t, wait)
		require.LessOrEqual(t, wait, 24*60*60)
	}
	require.Empty(t, user.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items(), "what is refused is not stored")
	require.Equal(t, first.Raw, user.Post(t, "/v1/conversations/threads/"+first.Text("thread_id")+"/turn", map[string]any{"content": "Hi"}, op).Raw, "a lost answer is given again")
	harness.RequireCode(t, key.EndUser(t, bot, map[string]any{"external_id": "busy"}).Hi(t, thread), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED") // the limits stay
	elsewhere := chatBot(t, ada)
	limited := ada.Key(t, "embed", map[string]any{"bot_ids": []string{elsewhere}})
	require.Equal(t, http.StatusCreated, limited.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": elsewhere, "external_id": "busy", "limits": map[string]any{}}).Status)
	harness.RequireCode(t, key.EndUser(t, bot, map[string]any{"external_id": "busy"}).Hi(t, thread), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED") // a key of other bots does not lift them
	require.Equal(t, http.StatusOK, key.EndUser(t, bot, map[string]any{"external_id": "busy", "limits": map[string]any{}}).Hi(t, thread).Status, "lifted")
	require.Equal(t, http.StatusOK, key.EndUser(t, bot, map[string]any{"external_id": "busy"}).Hi(t, thread).Status, "and they stay so")
	another := key.EndUser(t, bot, map[string]any{"limits": map[string]any{"turns_per_day": 1}})
	require.Equal(t, http.StatusOK, another.Hi(t, another.Thread(t, bot)).Status, "another end user")
}

func TestTheLimitOfATokenIsFreeAgainWithTheNextMinuteAndDay(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed")
	for period, limit := range map[string]string{"minute": "turns_per_minute", "day": "turns_per_day"} {
		user := key.EndUser(t, bot, map[string]any{"limits": map[string]any{limit: 1}})
		thread := user.Thread(t, bot)
		statuses := []int{}
		for range 3 { // a minute may end between two of them
			statuses = append(statuses, user.Hi(t, thread).Status)
		}
		require.Contains(t, statuses, http.StatusOK, period)
		require.Contains(t, statuses, http.StatusTooManyRequests, period)
		_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), `UPDATE caller_counts SET began_at = began_at - interval '1 day' WHERE caller_id = $1`, user.User)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, user.Hi(t, thread).Status, period)
	}
	for _, limits := range []map[string]any{{"turns_per_minute": 0}, {"turns_per_day": 1_000_001}, {"turns_per_week": 1}} {
		require.Equal(t, http.StatusUnprocessableEntity, key.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot, "limits": limits}).Status)
	}
}
