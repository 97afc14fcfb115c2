package app

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/webhook"
)

// large is a body of the refresh call that has as many bytes.
func large(bytes int) string {
	const body = `{"refresh_token":"x"}`
	return strings.Repeat(" ", bytes-len(body)) + body
}

func TestACallWithoutATokenTakesASmallBody(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	anybody := p.anonymous()
	requireCode(t, anybody.post(t, "/v1/auth/refresh", large(64<<10)), http.StatusUnauthorized, "UNAUTHORIZED")
	for _, path := range []string{"/v1/auth/refresh", "/v1/auth/login", "/v1/auth/register", "/v1/invitations/accept"} {
		a := anybody.post(t, path, large(64<<10+1))
		requireCode(t, a, http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE")
		require.EqualValues(t, 64<<10, a.at("details.limit_bytes"), path)
	}
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	event := func(bytes int) string {
		frame := `{"type":"x","data":{"a":""}}`
		return strings.Replace(frame, `""`, `"`+strings.Repeat("x", bytes-len(frame))+`"`, 1)
	}
	require.Equal(t, http.StatusOK, chat.send(t, "msg_1", event(1<<20)).Status)
	requireCode(t, chat.send(t, "msg_2", event(1<<20+1)), http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE")
	require.Equal(t, http.StatusUnprocessableEntity, ada.post(t, "/v1/bots", large(1<<20)).Status, "with a token it may be larger")
}

// headOnly sends the head of a call that has a body and waits for the answer to it: the status line.
func (p *program) headOnly(t *testing.T, path string, headers ...header) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: parley\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n", path)
	for _, h := range headers {
		head += h.name + ": " + h.value + "\r\n"
	}
	_, err = conn.Write([]byte(head + "\r\n"))
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

func TestAnAddressWhoseCallsFailIsRefusedBeforeAnythingOfACallIsRead(t *testing.T) {
	t.Parallel()
	p := start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h", "TRUSTED_PROXIES=127.0.0.0/8", "WORKERS=0")
	ada := p.register(t)
	bot := ada.newBot(t)
	chat := ada.newEndpoint(t, bot)
	stranger := chat
	stranger.secret = webhook.NewSecret()
	const refresh = "/v1/auth/refresh"
	for n, fail := range []func(from header) answer{
		func(from header) answer {
			return p.anonymous().post(t, refresh, map[string]any{"refresh_token": "bad"}, from)
		},
		func(from header) answer { return stranger.send(t, "msg_1", said("c", "x"), from) },
		func(from header) answer {
			return endpoint{p, uuid.NewString(), chat.secret}.send(t, "msg_1", said("c", "x"), from)
		},
	} {
		bad := from(fmt.Sprintf("192.0.2.%d", n+1))
		for range 3 {
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, fail(bad).Status)
		}
		requireLimited(t, fail(bad))
		for _, path := range []string{refresh, "/v1/webhooks/" + chat.id} {
			require.Equal(t, "HTTP/1.1 429 Too Many Requests", p.headOnly(t, path, bad), path)
		}
	}
	good := from("192.0.2.99")
	require.Equal(t, http.StatusOK, ada.post(t, refresh, map[string]any{"refresh_token": ada.refresh}, good).Status, "another address")
	for n := range 3 {
		require.Equal(t, http.StatusOK, chat.send(t, fmt.Sprint("msg_", n), said("c", "x"), good).Status, "strangers have used nothing of the endpoint's limit")
	}
	requireCode(t, chat.send(t, "msg_9", said("c", "x"), good), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
}

func TestTheBodyOfAnEventIsLookedAtOnceItsSignatureIsVerified(t *testing.T) {
	t.Parallel()
	p := start(t, "RATE_LIMIT_MAX=40", "RATE_LIMIT_WINDOW=1h", "WORKERS=0")
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	stranger := chat
	stranger.secret = webhook.NewSecret()
	for _, body := range []string{`{}`, `{"type":1}`, `{"type":"x","data":{"n":1e999}}`, `{`, `[]`, `null`, ``, `no JSON`} {
		requireCode(t, stranger.send(t, "msg_1", body), http.StatusUnauthorized, "UNAUTHORIZED")
		requireCode(t, p.anonymous().post(t, "/v1/webhooks/"+chat.id, body), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	for body, status := range map[string]int{
		`{}`: http.StatusUnprocessableEntity, `{"type":"x","data":{"n":1e999}}`: http.StatusUnprocessableEntity,
		`{`: http.StatusBadRequest, `null`: http.StatusBadRequest, ``: http.StatusBadRequest,
	} {
		require.Equal(t, status, chat.send(t, "msg_1", body).Status, body)
	}
	require.Empty(t, ada.get(t, "/v1/webhook-events").items())
}
