package accounts

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// What changes of a key holds at once for the key that is stored, and soon in every process that remembers it.
func TestAnAPIKeyIsChanged(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "chat", map[string]any{"bot_ids": []string{bot}, "limits": map[string]any{"requests_per_month": 1000}})
	there := *key
	there.Program = other
	path := "/v1/api-keys/" + key.User
	everywhere := func(status int, why string) {
		t.Helper()
		for _, c := range []*harness.Caller{key, &there} {
			require.Eventually(t, func() bool { return c.Get(t, "/openai/v1/models").Status == status }, time.Minute, 20*time.Millisecond, why)
		}
	}
	everywhere(http.StatusOK, "both remember it")

	before := ada.Get(t, "/v1/api-keys").Items()[0]
	a := ada.Patch(t, path, map[string]any{"name": "Till"})
	require.Equal(t, http.StatusOK, a.Status, a)
	before["name"] = "Till"
	before["last_used_at"] = a.Body["last_used_at"]
	require.Equal(t, before, a.Body, "what is not named stays")

	a = ada.Patch(t, path, map[string]any{"allowed_addresses": []string{"203.0.113.7"}})
	require.Equal(t, []any{"203.0.113.7/32"}, a.Body["allowed_addresses"], a)
	everywhere(http.StatusForbidden, "it is good from elsewhere only")
	require.Nil(t, ada.Patch(t, path, map[string]any{"allowed_addresses": []string{}}).Body["allowed_addresses"])
	everywhere(http.StatusOK, "it is good from any address")

	a = ada.Patch(t, path, map[string]any{"limits": map[string]any{"requests_per_month": 1, "turns_per_day": 1}})
	require.Equal(t, map[string]any{"requests_per_month": 1.0, "turns_per_day": 1.0}, a.Body["limits"], a)
	everywhere(http.StatusTooManyRequests, "what was counted counts towards the new limit")
	require.Equal(t, map[string]any{"turns_per_day": 1.0}, ada.Patch(t, path, map[string]any{"limits": map[string]any{"turns_per_day": 1}}).Body["limits"], "they replace the others")
	everywhere(http.StatusOK, "requests have no limit")
	require.Equal(t, http.StatusOK, key.Hi(t, key.Thread(t, bot)).Status)
	require.Equal(t, http.StatusTooManyRequests, there.Hi(t, key.Thread(t, bot)).Status)
	require.Equal(t, map[string]any{}, ada.Patch(t, path, map[string]any{"limits": map[string]any{}}).Body["limits"])
	require.Eventually(t, func() bool { return there.Hi(t, key.Thread(t, bot)).Status == http.StatusOK }, time.Minute, 20*time.Millisecond)

	keeps := func(c *harness.Caller) bool {
		body := map[string]any{"model": bot, "messages": []any{map[string]any{"role": "user", "content": "Hi"}}}
		return c.Post(t, "/openai/v1/chat/completions", body).Header.Get("X-Parley-Thread-Id") != ""
	}
	require.False(t, keeps(&there))
	require.Equal(t, true, ada.Patch(t, path, map[string]any{"keeps_calls": true}).Body["keeps_calls"])
	require.Eventually(t, func() bool { return keeps(key) && keeps(&there) }, time.Minute, 20*time.Millisecond)

	log := ada.Get(t, "/v1/audit-log?action=api_key.change").Items()
	require.Len(t, log, 7)
	require.Equal(t, map[string]any{"keeps_calls": true}, log[0]["changes"])
	require.Equal(t, key.User, log[0]["resource_id"])
}

func TestWhatAChangeOfAnAPIKeyMustNotBe(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	key, embed := ada.Key(t, "editor"), ada.Key(t, "embed")
	path := "/v1/api-keys/" + key.User
	for field, value := range map[string]any{
		"name": " ", "allowed_addresses": []string{"example.com"}, "role": "viewer", "bot_ids": []string{}, "expires_at": time.Now().Add(time.Hour),
		"limits.turns_per_day": nil,
	} {
		body := map[string]any{field: value}
		if field == "limits.turns_per_day" {
			body = map[string]any{"limits": map[string]any{"turns_per_day": 0}}
		}
		harness.RequireWrong(t, ada.Patch(t, path, body), field)
	}
	require.Equal(t, http.StatusUnprocessableEntity, ada.Patch(t, path, map[string]any{}).Status)
	harness.RequireWrong(t, ada.Patch(t, "/v1/api-keys/"+embed.User, map[string]any{"keeps_calls": true}), "keeps_calls")
	for _, role := range []string{"viewer", "embed"} {
		harness.RequireWrong(t, ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": role, "keeps_calls": true}), "keeps_calls")
	}
	for _, c := range []*harness.Caller{key, embed, p.Join(t, ada, "editor"), p.Join(t, ada, "viewer")} {
		harness.RequireCode(t, c.Patch(t, path, map[string]any{"name": "x"}), http.StatusForbidden, "FORBIDDEN")
	}
	require.Equal(t, http.StatusOK, p.Join(t, ada, "admin").Patch(t, path, map[string]any{"name": "x"}).Status)
	harness.RequireCode(t, eve.Patch(t, path, map[string]any{"name": "x"}), http.StatusNotFound, "API_KEY_NOT_FOUND")
	harness.RequireCode(t, ada.Patch(t, "/v1/api-keys/"+uuid.NewString(), map[string]any{"name": "x"}), http.StatusNotFound, "API_KEY_NOT_FOUND")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, path).Status)
	harness.RequireCode(t, ada.Patch(t, path, map[string]any{"name": "x"}), http.StatusNotFound, "API_KEY_NOT_FOUND")
}
