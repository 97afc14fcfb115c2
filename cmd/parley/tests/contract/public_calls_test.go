package contract

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/work/webhook"
)

// large is a body of the refresh call that has as many bytes.
func large(bytes int) string {
	const body = `{"refresh_token":"x"}`
	return strings.Repeat(" ", bytes-len(body)) + body
}

func TestACallWithoutATokenTakesASmallBody(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	anybody := p.Anonymous()
	harness.RequireCode(t, anybody.Post(t, "/v1/auth/refresh", large(64<<10)), http.StatusUnauthorized, "UNAUTHORIZED")
	for _, path := range []string{"/v1/auth/refresh", "/v1/auth/login", "/v1/auth/register", "/v1/invitations/accept"} {
		a := anybody.Post(t, path, large(64<<10+1))
		harness.RequireCode(t, a, http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE")
		require.EqualValues(t, 64<<10, a.At("details.limit_bytes"), path)
	}
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	event := func(bytes int) string {
		frame := `{"type":"x","data":{"a":""}}`
		return strings.Replace(frame, `""`, `"`+strings.Repeat("x", bytes-len(frame))+`"`, 1)
	}
	require.Equal(t, http.StatusOK, chat.Send(t, "msg_1", event(1<<20)).Status)
	harness.RequireCode(t, chat.Send(t, "msg_2", event(1<<20+1)), http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE")
	require.Equal(t, http.StatusUnprocessableEntity, ada.Post(t, "/v1/bots", large(1<<20)).Status, "with a token it may be larger")
}

func TestAnAddressWhoseCallsFailIsRefusedBeforeAnythingOfACallIsRead(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h", "TRUSTED_PROXIES=127.0.0.0/8", "WORKERS=0")
	ada := p.Register(t)
	bot := ada.NewBot(t)
	chat := ada.NewEndpoint(t, bot)
	stranger := chat
	stranger.Secret = webhook.NewSecret()
	const refresh = "/v1/auth/refresh"
	for n, fail := range []func(from harness.Header) harness.Answer{
		func(from harness.Header) harness.Answer {
			return p.Anonymous().Post(t, refresh, map[string]any{"refresh_token": "bad"}, from)
		},
		func(from harness.Header) harness.Answer {
			return stranger.Send(t, "msg_1", harness.InboundMessage("c", "x"), from)
		},
		func(from harness.Header) harness.Answer {
			return harness.Endpoint{Program: p, ID: uuid.NewString(), Secret: chat.Secret}.Send(t, "msg_1", harness.InboundMessage("c", "x"), from)
		},
	} {
		bad := harness.From(fmt.Sprintf("192.0.2.%d", n+1))
		for range 3 {
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, fail(bad).Status)
		}
		harness.RequireLimited(t, fail(bad))
		for _, path := range []string{refresh, "/v1/webhooks/" + chat.ID} {
			require.Equal(t, "HTTP/1.1 429 Too Many Requests", p.HeadOnly(t, path, bad), path)
		}
	}
	good := harness.From("192.0.2.99")
	require.Equal(t, http.StatusOK, ada.Post(t, refresh, map[string]any{"refresh_token": ada.Refresh}, good).Status, "another address")
	for n := range 3 {
		require.Equal(t, http.StatusOK, chat.Send(t, fmt.Sprint("msg_", n), harness.InboundMessage("c", "x"), good).Status, "strangers have used nothing of the endpoint's limit")
	}
	harness.RequireCode(t, chat.Send(t, "msg_9", harness.InboundMessage("c", "x"), good), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
}

func TestTheBodyOfAnEventIsLookedAtOnceItsSignatureIsVerified(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "RATE_LIMIT_MAX=40", "RATE_LIMIT_WINDOW=1h", "WORKERS=0")
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	stranger := chat
	stranger.Secret = webhook.NewSecret()
	for _, body := range []string{`{}`, `{"type":1}`, `{"type":"x","data":{"n":1e999}}`, `{`, `[]`, `null`, ``, `no JSON`} {
		harness.RequireCode(t, stranger.Send(t, "msg_1", body), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, p.Anonymous().Post(t, "/v1/webhooks/"+chat.ID, body), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	for body, status := range map[string]int{
		`{}`: http.StatusUnprocessableEntity, `{"type":"x","data":{"n":1e999}}`: http.StatusUnprocessableEntity,
		`{`: http.StatusBadRequest, `null`: http.StatusBadRequest, ``: http.StatusBadRequest,
	} {
		require.Equal(t, status, chat.Send(t, "msg_1", body).Status, body)
	}
	require.Empty(t, ada.Get(t, "/v1/webhook-events").Items())
}
