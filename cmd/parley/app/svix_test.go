package app

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

// signer is what the libraries of Svix and of Standard Webhooks have in common.
type signer interface {
	Sign(id string, at time.Time, body []byte) (string, error)
	Verify(body []byte, h http.Header) error
}

// Senders and receivers that use the official libraries of either convention are understood.
func TestTheLibrariesOfSvixAndStandardWebhooksAreUnderstood(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	sub := ada.subscribe(t, target.URL, "turn.completed")
	libraries := func(secret string) map[string]signer {
		s, err := svix.NewWebhook(secret)
		require.NoError(t, err)
		w, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		return map[string]signer{"svix": s, "webhook": w}
	}
	for prefix, library := range libraries(chat.secret) {
		id, now, body := "msg_"+uuid.NewString(), time.Now(), said(prefix, "Hi")
		signature, err := library.Sign(id, now, []byte(body))
		require.NoError(t, err)
		send := func(body string) answer {
			t.Helper()
			return chat.anonymous().post(t, "/v1/webhooks/"+chat.id, body,
				header{prefix + "-id", id}, header{prefix + "-timestamp", strconv.FormatInt(now.Unix(), 10)}, header{prefix + "-signature", signature})
		}
		requireCode(t, send(body+" "), http.StatusUnauthorized, "UNAUTHORIZED")
		a := send(body)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, false, a.at("duplicate"))
		require.Equal(t, true, send(body).at("duplicate"))
		ada.waitUntil(t, "/v1/webhook-events/"+a.text("event_id"), "status", "processed")
	}
	for _, d := range target.waitFor(t, 2) {
		for name, library := range libraries(sub.secret) {
			require.NoError(t, library.Verify(d.Body, d.Header), name)
		}
	}
}
