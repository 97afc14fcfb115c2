package accounts

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/auth/domain"
)

func TestAnAPIKeyMakesCallsUnderItsOwnName(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	ada := p.Register(t)
	op := harness.Operation(uuid.NewString())
	made := ada.Post(t, "/v1/api-keys", map[string]any{"name": "Shop", "role": "editor"}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, made.Raw, ada.Post(t, "/v1/api-keys", map[string]any{"name": "Shop", "role": "editor"}, op).Raw, "a lost answer is given again")
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(made.Text("key"), "pk_"))
	require.NoError(t, err)
	require.Len(t, raw, 32)
	require.True(t, strings.HasPrefix(made.Text("key"), made.Text("hint")))
	key := &harness.Caller{Program: p, Token: made.Text("key")}
	super := harness.Postgres.Superuser(t, p.Database)
	harness.RequireNowhere(t, super, made.Text("key"))

	create := harness.Operation(uuid.NewString())
	bot := key.Post(t, "/v1/bots", map[string]any{"name": "b"}, create)
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, made.Text("id"), bot.Header.Get("X-User-Id"))
	require.Equal(t, ada.Workspace, bot.Header.Get("X-Workspace-Id"))
	require.Equal(t, bot.Raw, key.Post(t, "/v1/bots", map[string]any{"name": "b"}, create).Raw, "an operation of the key")
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "b"}, create).Status, "and not of a person")
	thread := key.Thread(t, bot.Text("id"))
	require.Equal(t, http.StatusOK, key.Hi(t, thread).Status)
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots", harness.Header{Name: "X-User-Id", Value: made.Text("id")}, harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}).Status)

	log := ada.Get(t, "/v1/audit-log?api_key_id="+made.Text("id")).Items()
	require.Len(t, log, 3, "bot, thread, turn")
	for _, entry := range log {
		require.Nil(t, entry["user_id"], entry)
		require.Equal(t, made.Text("id"), entry["api_key_id"])
	}
	require.Eventually(t, func() bool { return ada.Get(t, "/v1/audit-log/verify").At("unsealed_rows") == 0.0 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, true, ada.Get(t, "/v1/audit-log/verify").At("intact"), "the seals do not know of keys")
	require.Eventually(t, func() bool { return ada.Get(t, "/v1/api-keys").Items()[0]["last_used_at"] != nil }, time.Minute, 20*time.Millisecond)
	used := ada.Get(t, "/v1/api-keys").Items()[0]["last_used_at"]
	key.Get(t, "/v1/bots")
	require.Equal(t, used, ada.Get(t, "/v1/api-keys").Items()[0]["last_used_at"], "once a minute is enough")
	require.NotContains(t, p.Log.String(), made.Text("key"))
}

func TestARevokedOrExpiredKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	for name, end := range map[string]func(key *harness.Caller){
		"revoked": func(key *harness.Caller) {
			require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/api-keys/"+key.User).Status)
			harness.RequireCode(t, ada.Delete(t, "/v1/api-keys/"+key.User), http.StatusNotFound, "API_KEY_NOT_FOUND")
		},
		"expired": func(key *harness.Caller) {
			_, err := super.Exec(t.Context(), `UPDATE api_keys SET expires_at = now() WHERE id = $1`, key.User)
			require.NoError(t, err)
		},
	} {
		key := ada.Key(t, "editor", map[string]any{"expires_at": time.Now().Add(time.Hour).Format(time.RFC3339)})
		op := harness.Operation(uuid.NewString())
		require.Equal(t, http.StatusCreated, key.Post(t, "/v1/bots", map[string]any{"name": "x"}, op).Status, "and remembered")
		end(key)
		harness.RequireCode(t, key.Get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, key.Post(t, "/v1/bots", map[string]any{"name": "x"}, op), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, key.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		_ = name
	}
	key := ada.Key(t, "editor")
	harness.RequireCode(t, key.Get(t, "/v1/bots", harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace}), http.StatusForbidden, "FORBIDDEN")
	harness.RequireCode(t, key.Get(t, "/v1/bots", harness.Header{Name: "X-User-Id", Value: ada.User}), http.StatusForbidden, "FORBIDDEN")
	for _, token := range []string{"pk_", "pk_x", key.Token + "x", strings.ToUpper(key.Token), "pk_" + base64.RawURLEncoding.EncodeToString(make([]byte, 32))} {
		wrong := &harness.Caller{Program: p, Token: token}
		harness.RequireCode(t, wrong.Get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, wrong.Post(t, "/v1/auth/logout", nil), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	harness.RequireCode(t, eve.Delete(t, "/v1/api-keys/"+key.User), http.StatusNotFound, "API_KEY_NOT_FOUND")
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
}

// TestKeysMayNothingThatIsAboutPeople walks every call with keys of all roles, whole and limited to a bot.
func TestKeysMayNothingThatIsAboutPeople(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	rules := map[string]domain.Rule{}
	for _, rule := range domain.Rules() {
		rules[string(rule.Permission)] = rule
	}
	bot := ada.NewBot(t)
	for _, role := range domain.KeyRoles() {
		for limited, key := range map[bool]*harness.Caller{false: ada.Key(t, string(role)), true: ada.Key(t, string(role), map[string]any{"bot_ids": []string{bot}})} {
			everyOperation(t, ada.Workspace, func(id, permission, method, path string) {
				var body any
				if method != http.MethodGet && (method != http.MethodDelete || id == "deleteMe") {
					if body = bodiesOf(bot)[id]; body == nil {
						body = samples[id]
					}
				}
				a := key.Walks(t, id, method, path, body)
				rule := rules[permission]
				may := slices.Contains(rule.Roles(), role) && (rule.Keys == domain.AnyKey || rule.Keys == domain.WholeKey && !limited)
				if may && (!limited || id != "createBot") { // which would be another than its own
					require.NotContains(t, []int{http.StatusForbidden, http.StatusUnauthorized, http.StatusInternalServerError}, a.Status, "%s %s: %s", role, id, a)
					return
				}
				require.Contains(t, []int{http.StatusForbidden, http.StatusUnauthorized}, a.Status, "%s %s (%s): %s", role, id, permission, a)
			})
		}
	}
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status)
}

func TestAKeyThatIsLimitedToSomeBotsSeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	mine, other := ada.NewBot(t), ada.NewBot(t)
	ada.Subscribe(t, "https://example.com/", "bot.updated", "turn.completed") // receives what the key does, as what a person does
	here, there, free := ada.Thread(t, mine), ada.Thread(t, other), ada.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	for _, thread := range []string{here, there, free} {
		require.Equal(t, http.StatusOK, ada.Hi(t, thread).Status)
	}
	key := ada.Key(t, "editor", map[string]any{"bot_ids": []string{mine}})
	require.Len(t, key.Get(t, "/v1/bots").Items(), 1)
	require.Equal(t, mine, key.Get(t, "/v1/bots").Items()[0]["id"])
	require.Len(t, key.Get(t, "/v1/conversations/threads").Items(), 1)
	require.Len(t, key.Get(t, "/v1/conversations/threads/"+here+"/messages").Items(), 2)
	harness.RequireSameButTrace(t, key.Get(t, "/v1/bots/"+uuid.NewString()), key.Get(t, "/v1/bots/"+other))
	for _, thread := range []string{there, free} {
		harness.RequireSameButTrace(t, key.Get(t, "/v1/conversations/threads/"+uuid.NewString()), key.Get(t, "/v1/conversations/threads/"+thread))
		harness.RequireSameButTrace(t, key.Get(t, "/v1/conversations/threads/"+uuid.NewString()+"/messages"), key.Get(t, "/v1/conversations/threads/"+thread+"/messages"))
		harness.RequireCode(t, key.Hi(t, thread), http.StatusNotFound, "THREAD_NOT_FOUND")
	}
	instruction := map[string]any{"instruction": "x"}
	harness.RequireCode(t, key.Put(t, "/v1/bots/"+other+"/instruction", instruction), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, key.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": other}), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, key.Post(t, "/v1/conversations/threads", map[string]any{}), http.StatusForbidden, "FORBIDDEN")
	more := key.Post(t, "/v1/bots", map[string]any{"name": "more"})
	harness.RequireCode(t, more, http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, map[string]any{"role": "editor", "permission": "bots.write"}, more.Body["details"])

	require.Equal(t, http.StatusOK, key.Put(t, "/v1/bots/"+mine+"/instruction", instruction).Status)
	op := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusOK, key.Hi(t, here, op).Status)
	require.Equal(t, "true", key.Hi(t, here, op).Header.Get("X-Operation-Replayed"))
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+here+"/messages").Items(), 4)
	require.Len(t, ada.Get(t, "/v1/webhook-deliveries").Items(), 5, "three turns, a version and a turn of the key")
	answered := key.Get(t, "/v1/conversations/threads/"+here+"/messages").Items()[3]["id"].(string)
	for range 2 {
		require.Equal(t, http.StatusOK, key.Put(t, "/v1/conversations/messages/"+answered+"/feedback", map[string]any{"rating": "good"}).Status)
	}
	require.Len(t, ada.Get(t, "/v1/bots").Items(), 2, "what the key may see is left behind on the connection")
	whole := ada.Key(t, "viewer")
	require.Len(t, whole.Get(t, "/v1/bots").Items(), 2)
	require.Len(t, whole.Get(t, "/v1/conversations/threads").Items(), 3)
}

func TestWhatAKeyMustBeLike(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_API_KEYS=2")
	ada := p.Register(t)
	body := func(name string, value any) map[string]any {
		b := map[string]any{"name": "k", "role": "viewer"}
		b[name] = value
		return b
	}
	for field, value := range map[string]any{"role": "owner", "name": " ", "expires_at": "2020-01-01T00:00:00Z", "bot_ids": []string{}} {
		harness.RequireWrong(t, ada.Post(t, "/v1/api-keys", body(field, value)), field)
	}
	harness.RequireWrong(t, ada.Post(t, "/v1/api-keys", body("role", "admin")), "role")
	harness.RequireCode(t, ada.Post(t, "/v1/api-keys", body("bot_ids", []string{uuid.NewString()})), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/api-keys", body("bot_ids", []string{p.Register(t).NewBot(t)})), http.StatusNotFound, "BOT_NOT_FOUND")
	first := ada.Key(t, "viewer")
	ada.Key(t, "viewer")
	full := ada.Post(t, "/v1/api-keys", body("name", "third"))
	harness.RequireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, map[string]any{"metric": "api_keys", "limit": 2.0, "used": 2.0, "resets_at": nil}, full.Body["details"])
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/api-keys/"+first.User).Status)
	ada.Key(t, "viewer")
}

func TestAWorkspaceMakesNoMoreCallsThanItsLimitAllows(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_REQUESTS_MINUTE=6")
	ada, eve := p.Register(t), p.Register(t)
	key := ada.Key(t, "viewer") // 1
	for range 3 {
		require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
		ada.Get(t, "/v1/bots")
	}
	for _, a := range []harness.Answer{key.Get(t, "/v1/bots"), ada.Post(t, "/v1/bots", map[string]any{"name": "x"})} {
		harness.RequireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
		require.Equal(t, []any{"requests", 6.0}, []any{a.At("details.metric"), a.At("details.limit")})
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusForbidden, eve.Get(t, "/v1/bots", harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}).Status)
	require.Equal(t, http.StatusOK, eve.Get(t, "/v1/bots").Status, "another workspace's calls")
}
