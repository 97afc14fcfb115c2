package channels

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// signer is what the libraries of Svix and of Standard Webhooks have in common.
type signer interface {
	Sign(id string, at time.Time, body []byte) (string, error)
	Verify(body []byte, h http.Header) error
}

// Senders and receivers that use the official libraries of either convention are understood.
func TestTheLibrariesOfSvixAndStandardWebhooksAreUnderstood(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	sub := ada.Subscribe(t, target.URL, "turn.completed")
	libraries := func(secret string) map[string]signer {
		s, err := svix.NewWebhook(secret)
		require.NoError(t, err)
		w, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		return map[string]signer{"svix": s, "webhook": w}
	}
	for prefix, library := range libraries(chat.Secret) {
		id, now, body := "msg_"+uuid.NewString(), time.Now(), harness.InboundMessage(prefix, "Hi")
		signature, err := library.Sign(id, now, []byte(body))
		require.NoError(t, err)
		send := func(body string) harness.Answer {
			t.Helper()
			return chat.Anonymous().Post(t, "/v1/webhooks/"+chat.ID, body,
				harness.Header{Name: prefix + "-id", Value: id}, harness.Header{Name: prefix + "-timestamp", Value: strconv.FormatInt(now.Unix(), 10)}, harness.Header{Name: prefix + "-signature", Value: signature})
		}
		harness.RequireCode(t, send(body+" "), http.StatusUnauthorized, "UNAUTHORIZED")
		a := send(body)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, false, a.At("duplicate"))
		require.Equal(t, true, send(body).At("duplicate"))
		ada.WaitUntil(t, "/v1/webhook-events/"+a.Text("event_id"), "status", "processed")
	}
	for _, d := range target.WaitFor(t, 2) {
		for name, library := range libraries(sub.Secret) {
			require.NoError(t, library.Verify(d.Body, d.Header), name)
		}
	}
}
