package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Whoever may not take a turn in a thread does not get into its queue, and learns nothing of it.
func TestTheQueueOfABusyThreadIsClosedToThoseWhoMayNotTakeATurn(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms", "REQUEST_TIMEOUT=20s")
	ada, eve := p.register(t), p.register(t)
	bot := ada.newBot(t)
	thread := "/v1/conversations/threads/" + ada.thread(t, bot)
	s := ada.open(t, http.MethodPost, thread+"/turn", says(strings.Repeat("word ", 500)))
	s.until("turn.created")
	waits := map[string]any{"content": "x", "on_busy": "enqueue"}
	waiter := make(chan answer, 1)
	go func() { waiter <- ada.post(t, thread+"/turn", waits) }()

	unknown := "/v1/conversations/threads/" + uuid.NewString()
	for name, stranger := range map[string]struct {
		*caller
		status int
		code   string
	}{
		"of another workspace":         {eve, http.StatusNotFound, "THREAD_NOT_FOUND"},
		"a viewer":                     {p.join(t, ada, "viewer"), http.StatusForbidden, "FORBIDDEN"},
		"a viewer's key":               {ada.key(t, "viewer"), http.StatusForbidden, "FORBIDDEN"},
		"a key limited to another bot": {ada.key(t, "editor", map[string]any{"bot_ids": []string{ada.newBot(t)}}), http.StatusNotFound, "THREAD_NOT_FOUND"},
	} {
		for _, a := range atOnce(12, func() answer { return stranger.post(t, thread+"/turn", waits) }) {
			requireCode(t, a, stranger.status, stranger.code)
			other := stranger.post(t, unknown+"/turn", waits)
			requireCode(t, other, stranger.status, stranger.code)
			require.Equal(t, other.text("message"), a.text("message"), name)
			require.Equal(t, other.at("details"), a.at("details"), name)
		}
	}
	for _, a := range atOnce(12, func() answer { return eve.post(t, thread+"/turn", says("x")) }) {
		requireCode(t, a, http.StatusNotFound, "THREAD_NOT_FOUND")
	}
	require.Empty(t, waiter, "the member's own call left the queue")
	require.Equal(t, http.StatusOK, ada.post(t, ada.runs(t, thread)+"/cancel", nil).Status)
	a := <-waiter
	require.Equal(t, http.StatusOK, a.Status, a)
}
