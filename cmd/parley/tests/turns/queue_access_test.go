package turns

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// Whoever may not take a turn in a thread does not get into its queue, and learns nothing of it.
func TestTheQueueOfABusyThreadIsClosedToThoseWhoMayNotTakeATurn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms", "REQUEST_TIMEOUT=20s")
	ada, eve := p.Register(t), p.Register(t)
	bot := ada.NewBot(t)
	thread := "/v1/conversations/threads/" + ada.Thread(t, bot)
	s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(strings.Repeat("word ", 500)))
	s.Until("turn.created")
	waits := map[string]any{"content": "x", "on_busy": "enqueue"}
	waiter := make(chan harness.Answer, 1)
	go func() { waiter <- ada.Post(t, thread+"/turn", waits) }()

	unknown := "/v1/conversations/threads/" + uuid.NewString()
	for name, stranger := range map[string]struct {
		*harness.Caller
		status int
		code   string
	}{
		"of another workspace":         {eve, http.StatusNotFound, "THREAD_NOT_FOUND"},
		"a viewer":                     {p.Join(t, ada, "viewer"), http.StatusForbidden, "FORBIDDEN"},
		"a viewer's key":               {ada.Key(t, "viewer"), http.StatusForbidden, "FORBIDDEN"},
		"a key limited to another bot": {ada.Key(t, "editor", map[string]any{"bot_ids": []string{ada.NewBot(t)}}), http.StatusNotFound, "THREAD_NOT_FOUND"},
	} {
		for _, a := range harness.AtOnce(12, func() harness.Answer { return stranger.Post(t, thread+"/turn", waits) }) {
			harness.RequireCode(t, a, stranger.status, stranger.code)
			other := stranger.Post(t, unknown+"/turn", waits)
			harness.RequireCode(t, other, stranger.status, stranger.code)
			require.Equal(t, other.Text("message"), a.Text("message"), name)
			require.Equal(t, other.At("details"), a.At("details"), name)
		}
	}
	for _, a := range harness.AtOnce(12, func() harness.Answer { return eve.Post(t, thread+"/turn", harness.Says("x")) }) {
		harness.RequireCode(t, a, http.StatusNotFound, "THREAD_NOT_FOUND")
	}
	require.Empty(t, waiter, "the member's own call left the queue")
	require.Equal(t, http.StatusOK, ada.Post(t, ada.Runs(t, thread)+"/cancel", nil).Status)
	a := <-waiter
	require.Equal(t, http.StatusOK, a.Status, a)
}
