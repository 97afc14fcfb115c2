package app

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

// key makes an API key, as which calls are made.
func (c *caller) key(t *testing.T, role string, more ...map[string]any) *caller {
	t.Helper()
	body := map[string]any{"name": "Shop", "role": role}
	for _, m := range more {
		maps.Copy(body, m)
	}
	a := c.post(t, "/v1/api-keys", body)
	require.Equal(t, http.StatusCreated, a.Status, a)
	return &caller{program: c.program, token: a.text("key"), user: a.text("id"), workspace: c.workspace}
}

func TestAnAPIKeyMakesCallsUnderItsOwnName(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=100ms")
	ada := p.register(t)
	op := operation(uuid.NewString())
	made := ada.post(t, "/v1/api-keys", map[string]any{"name": "Shop", "role": "editor"}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, made.Raw, ada.post(t, "/v1/api-keys", map[string]any{"name": "Shop", "role": "editor"}, op).Raw, "a lost answer is given again")
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(made.text("key"), "pk_"))
	require.NoError(t, err)
	require.Len(t, raw, 32)
	require.True(t, strings.HasPrefix(made.text("key"), made.text("hint")))
	key := &caller{program: p, token: made.text("key")}
	super := pg.Superuser(t, p.database)
	requireNowhere(t, super, made.text("key"))

	create := operation(uuid.NewString())
	bot := key.post(t, "/v1/bots", map[string]any{"name": "b"}, create)
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, made.text("id"), bot.Header.Get("X-User-Id"))
	require.Equal(t, ada.workspace, bot.Header.Get("X-Workspace-Id"))
	require.Equal(t, bot.Raw, key.post(t, "/v1/bots", map[string]any{"name": "b"}, create).Raw, "an operation of the key")
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", map[string]any{"name": "b"}, create).Status, "and not of a person")
	thread := key.thread(t, bot.text("id"))
	require.Equal(t, http.StatusOK, key.hi(t, thread).Status)
	require.Equal(t, http.StatusOK, key.get(t, "/v1/bots", header{"X-User-Id", made.text("id")}, header{"X-Workspace-Id", ada.workspace}).Status)

	log := ada.get(t, "/v1/audit-log?api_key_id="+made.text("id")).items()
	require.Len(t, log, 3, "bot, thread, turn")
	for _, entry := range log {
		require.Nil(t, entry["user_id"], entry)
		require.Equal(t, made.text("id"), entry["api_key_id"])
	}
	require.Eventually(t, func() bool { return ada.get(t, "/v1/audit-log/verify").at("unsealed_rows") == 0.0 }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, true, ada.get(t, "/v1/audit-log/verify").at("intact"), "the seals do not know of keys")
	require.Eventually(t, func() bool { return ada.get(t, "/v1/api-keys").items()[0]["last_used_at"] != nil }, 10*time.Second, 20*time.Millisecond)
	used := ada.get(t, "/v1/api-keys").items()[0]["last_used_at"]
	key.get(t, "/v1/bots")
	require.Equal(t, used, ada.get(t, "/v1/api-keys").items()[0]["last_used_at"], "once a minute is enough")
	require.NotContains(t, p.log.String(), made.text("key"))
}

func TestARevokedOrExpiredKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	for name, end := range map[string]func(key *caller){
		"revoked": func(key *caller) {
			require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/api-keys/"+key.user).Status)
			requireCode(t, ada.delete(t, "/v1/api-keys/"+key.user), http.StatusNotFound, "API_KEY_NOT_FOUND")
		},
		"expired": func(key *caller) {
			_, err := super.Exec(t.Context(), `UPDATE api_keys SET expires_at = now() WHERE id = $1`, key.user)
			require.NoError(t, err)
		},
	} {
		key := ada.key(t, "editor", map[string]any{"expires_at": time.Now().Add(time.Hour).Format(time.RFC3339)})
		op := operation(uuid.NewString())
		require.Equal(t, http.StatusCreated, key.post(t, "/v1/bots", map[string]any{"name": "x"}, op).Status, "and remembered")
		end(key)
		requireCode(t, key.get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
		requireCode(t, key.post(t, "/v1/bots", map[string]any{"name": "x"}, op), http.StatusUnauthorized, "UNAUTHORIZED")
		requireCode(t, key.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		_ = name
	}
	key := ada.key(t, "editor")
	requireCode(t, key.get(t, "/v1/bots", header{"X-Workspace-Id", eve.workspace}), http.StatusForbidden, "FORBIDDEN")
	requireCode(t, key.get(t, "/v1/bots", header{"X-User-Id", ada.user}), http.StatusForbidden, "FORBIDDEN")
	for _, token := range []string{"pk_", "pk_x", key.token + "x", strings.ToUpper(key.token), "pk_" + base64.RawURLEncoding.EncodeToString(make([]byte, 32))} {
		wrong := &caller{program: p, token: token}
		requireCode(t, wrong.get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
		requireCode(t, wrong.post(t, "/v1/auth/logout", nil), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	requireCode(t, eve.delete(t, "/v1/api-keys/"+key.user), http.StatusNotFound, "API_KEY_NOT_FOUND")
	require.Equal(t, http.StatusOK, key.get(t, "/v1/bots").Status)
}

// TestKeysMayNothingThatIsAboutPeople walks every call with keys of both roles, whole and limited to a bot.
func TestKeysMayNothingThatIsAboutPeople(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	rules := map[string]domain.Rule{}
	for _, rule := range domain.Rules() {
		rules[string(rule.Permission)] = rule
	}
	bot := ada.newBot(t)
	for _, role := range []domain.Role{domain.Editor, domain.Viewer} {
		for limited, key := range map[bool]*caller{false: ada.key(t, string(role)), true: ada.key(t, string(role), map[string]any{"bot_ids": []string{bot}})} {
			everyOperation(t, ada.workspace, func(id, permission, method, path string) {
				var body any
				if method != http.MethodGet && method != http.MethodDelete {
					if body = bodiesOf(bot)[id]; body == nil {
						body = samples[id]
					}
				}
				a := key.walks(t, id, method, path, body)
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
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/auth/me").Status)
}

func TestAKeyThatIsLimitedToSomeBotsSeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	mine, other := ada.newBot(t), ada.newBot(t)
	ada.subscribe(t, "https://example.com/", "bot.updated", "turn.completed") // what the key does is told of, as what a person does
	here, there, free := ada.thread(t, mine), ada.thread(t, other), ada.post(t, "/v1/conversations/threads", map[string]any{}).text("id")
	for _, thread := range []string{here, there, free} {
		require.Equal(t, http.StatusOK, ada.hi(t, thread).Status)
	}
	key := ada.key(t, "editor", map[string]any{"bot_ids": []string{mine}})
	require.Len(t, key.get(t, "/v1/bots").items(), 1)
	require.Equal(t, mine, key.get(t, "/v1/bots").items()[0]["id"])
	require.Len(t, key.get(t, "/v1/conversations/threads").items(), 1)
	require.Len(t, key.get(t, "/v1/conversations/threads/"+here+"/messages").items(), 2)
	requireSameButTrace(t, key.get(t, "/v1/bots/"+uuid.NewString()), key.get(t, "/v1/bots/"+other))
	for _, thread := range []string{there, free} {
		requireSameButTrace(t, key.get(t, "/v1/conversations/threads/"+uuid.NewString()), key.get(t, "/v1/conversations/threads/"+thread))
		requireSameButTrace(t, key.get(t, "/v1/conversations/threads/"+uuid.NewString()+"/messages"), key.get(t, "/v1/conversations/threads/"+thread+"/messages"))
		requireCode(t, key.hi(t, thread), http.StatusNotFound, "THREAD_NOT_FOUND")
	}
	instruction := map[string]any{"instruction": "x"}
	requireCode(t, key.put(t, "/v1/bots/"+other+"/instruction", instruction), http.StatusNotFound, "BOT_NOT_FOUND")
	requireCode(t, key.post(t, "/v1/conversations/threads", map[string]any{"bot_id": other}), http.StatusNotFound, "BOT_NOT_FOUND")
	requireCode(t, key.post(t, "/v1/conversations/threads", map[string]any{}), http.StatusForbidden, "FORBIDDEN")
	more := key.post(t, "/v1/bots", map[string]any{"name": "more"})
	requireCode(t, more, http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, map[string]any{"role": "editor", "permission": "bots.write"}, more.Body["details"])

	require.Equal(t, http.StatusOK, key.put(t, "/v1/bots/"+mine+"/instruction", instruction).Status)
	op := operation(uuid.NewString())
	require.Equal(t, http.StatusOK, key.hi(t, here, op).Status)
	require.Equal(t, "true", key.hi(t, here, op).Header.Get("X-Operation-Replayed"))
	require.Len(t, ada.get(t, "/v1/conversations/threads/"+here+"/messages").items(), 4)
	require.Len(t, ada.get(t, "/v1/webhook-deliveries").items(), 5, "three turns, a version and a turn of the key")
	answered := key.get(t, "/v1/conversations/threads/"+here+"/messages").items()[3]["id"].(string)
	for range 2 {
		require.Equal(t, http.StatusOK, key.put(t, "/v1/conversations/messages/"+answered+"/feedback", map[string]any{"rating": "good"}).Status)
	}
	require.Len(t, ada.get(t, "/v1/bots").items(), 2, "what the key may see is left behind on the connection")
	whole := ada.key(t, "viewer")
	require.Len(t, whole.get(t, "/v1/bots").items(), 2)
	require.Len(t, whole.get(t, "/v1/conversations/threads").items(), 3)
}

func TestWhatAKeyMustBeLike(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_API_KEYS=2")
	ada := p.register(t)
	body := func(name string, value any) map[string]any {
		b := map[string]any{"name": "k", "role": "viewer"}
		b[name] = value
		return b
	}
	for field, value := range map[string]any{"role": "owner", "name": " ", "expires_at": "2020-01-01T00:00:00Z", "bot_ids": []string{}} {
		requireWrong(t, ada.post(t, "/v1/api-keys", body(field, value)), field)
	}
	requireWrong(t, ada.post(t, "/v1/api-keys", body("role", "admin")), "role")
	requireCode(t, ada.post(t, "/v1/api-keys", body("bot_ids", []string{uuid.NewString()})), http.StatusNotFound, "BOT_NOT_FOUND")
	requireCode(t, ada.post(t, "/v1/api-keys", body("bot_ids", []string{p.register(t).newBot(t)})), http.StatusNotFound, "BOT_NOT_FOUND")
	first := ada.key(t, "viewer")
	ada.key(t, "viewer")
	full := ada.post(t, "/v1/api-keys", body("name", "third"))
	requireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, map[string]any{"metric": "api_keys", "limit": 2.0, "used": 2.0, "resets_at": nil}, full.Body["details"])
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/api-keys/"+first.user).Status)
	ada.key(t, "viewer")
}

func TestAWorkspaceMakesNoMoreCallsThanItsLimitAllows(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_REQUESTS_MINUTE=6")
	ada, eve := p.register(t), p.register(t)
	key := ada.key(t, "viewer") // 1
	for range 3 {
		require.Equal(t, http.StatusOK, key.get(t, "/v1/bots").Status)
		ada.get(t, "/v1/bots")
	}
	for _, a := range []answer{key.get(t, "/v1/bots"), ada.post(t, "/v1/bots", map[string]any{"name": "x"})} {
		requireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
		require.Equal(t, []any{"requests", 6.0}, []any{a.at("details.metric"), a.at("details.limit")})
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusForbidden, eve.get(t, "/v1/bots", header{"X-Workspace-Id", ada.workspace}).Status)
	require.Equal(t, http.StatusOK, eve.get(t, "/v1/bots").Status, "another workspace's calls")
}
