package turns

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

func TestTheOperatorsKeyIsForAccountsThatHaveProvedTheirAddress(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, slices.Concat(harness.FastJobs, []string{"EMAIL_VERIFICATION=required"})...)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"model": "openai/small"}}).Text("id")
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	refused := func(c *harness.Caller) {
		a := c.Say(t, thread, "Hi")
		harness.RequireCode(t, a, http.StatusForbidden, "EMAIL_NOT_VERIFIED")
		require.Contains(t, a.Text("message"), "/v1/auth/email/resend")
	}
	key := ada.Key(t, "editor")
	refused(ada)
	refused(key)
	stream := ada.Open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", harness.Says("Hi"))
	require.Equal(t, "EMAIL_NOT_VERIFIED", stream.Until("turn.failed").Data["error"].(map[string]any)["code"])
	ada.NewEndpoint(t, bot).Says(t, "c", "Hi")
	require.Eventually(t, func() bool { return len(ada.Get(t, "/v1/dead-letters").Items()) == 1 }, time.Minute, 20*time.Millisecond,
		"a message that its endpoint receives")
	require.Empty(t, s.Calls())
	require.Equal(t, http.StatusOK, ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "echo"}), "Hi").Status, "the echo needs no key")

	// the workspace's own key works
	own := modeltest.New(t)
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-very-own-4321", "base_url": own.URL + "/v1"}).Status)
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "Hi").Status)
	require.Equal(t, http.StatusOK, key.Say(t, thread, "Hi").Status)
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, "/v1/model-keys/openai", nil).Status)

	// a member who has proved its address opens nothing for one who has not
	ada.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, ada.User)
	guest := ada.Join(t, ada, "admin")
	refused(guest)
	refused(guest.Key(t, "editor"))
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "Hi").Status)
	require.Equal(t, http.StatusOK, key.Say(t, thread, "Hi").Status)
	require.Len(t, s.Calls(), 2)
}
