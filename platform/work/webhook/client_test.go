package webhook_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/webhook"
)

func TestOnlyPublicAddressesAreCalled(t *testing.T) {
	t.Parallel()
	client := webhook.NewClient(webhook.PublicTargets)
	for _, host := range []string{
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "168.63.129.16", "100.64.0.1",
		"192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"[::]", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]",
		"[2001::1]", "[2001:db8::1]", "[fc00::1]", "[fd12::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[100::1]", "[5f00::1]", "[4000::1]",
		"localhost", // whatever it resolves to
	} {
		_, err := webhook.Deliver(t.Context(), client, "http://"+host+":9/", http.Header{}, nil)
		require.EqualError(t, err, "the address is not public", host)
		require.EqualError(t, webhook.CheckURL("https://"+host+"/", webhook.PublicTargets), "must lead to a public address", host)
	}
	for _, host := range []string{"8.8.8.8", "[2606:4700::1111]", "172.32.0.1", "100.128.0.1", "example.com", "a.example.com.", "xn--bcher-kva.example"} {
		require.NoError(t, webhook.CheckURL("https://"+host+"/", webhook.PublicTargets), host)
	}
}

func TestNoNameAndNoRedirectLeadsIn(t *testing.T) {
	t.Parallel()
	reached := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(inside.Close)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	require.NoError(t, err)
	_, err = webhook.Deliver(t.Context(), webhook.NewClient(webhook.PublicTargets), "http://localhost:"+port+"/", http.Header{}, nil)
	require.EqualError(t, err, "the address is not public")

	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	t.Cleanup(outside.Close)
	result, err := webhook.Deliver(t.Context(), webhook.NewClient(webhook.AnyTargets), outside.URL, http.Header{}, nil)
	require.EqualError(t, err, "it answered 307")
	require.Equal(t, http.StatusTemporaryRedirect, result.Status)
	require.False(t, reached)
}

func TestNoProxyStandsBetween(t *testing.T) {
	proxied := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(proxied.Close)
	t.Setenv("HTTP_PROXY", proxied.URL)
	t.Setenv("HTTPS_PROXY", proxied.URL)
	_, err := webhook.Deliver(t.Context(), webhook.NewClient(webhook.PublicTargets), "http://192.0.2.1/", http.Header{}, nil)
	require.EqualError(t, err, "the address is not public", "a proxy would have called it in our stead")
}

func TestAnAnswerIsToldInAFewWords(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for name, test := range map[string]struct {
		answer     func(w http.ResponseWriter)
		status     int
		err        string
		response   string
		retryAfter time.Duration
	}{
		"taken":          {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "ok") }, 200, "", "ok", 0},
		"nothing to say": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, 204, "", "", 0},
		"gone":           {func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }, 410, "it answered 410", "", 0},
		"too much": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 429, "it answered 429", "", 2 * time.Minute},
		"away for long": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "4000000000")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 503, "it answered 503", "", 24 * time.Hour},
		"away until": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", later)
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 503, "it answered 503", "", time.Hour},
		"says nonsense": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "soon")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 503, "it answered 503", "", 0},
		"talks a lot": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) }, 200, "", strings.Repeat("x", 1024), 0},
		"is no text":  {func(w http.ResponseWriter) { _, _ = w.Write([]byte{'a', 0, 0xff, 'b'}) }, 200, "", "a\uFFFD\uFFFDb", 0},
		"huge header": {func(w http.ResponseWriter) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, 0, "it cannot be reached", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			var content []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				content, _ = io.ReadAll(r.Body)
				test.answer(w)
			}))
			t.Cleanup(server.Close)
			result, err := webhook.Deliver(t.Context(), webhook.NewClient(webhook.AnyTargets), server.URL, http.Header{"Webhook-Id": {"msg_1"}}, body)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.err)
			}
			require.Equal(t, []any{test.status, test.response}, []any{result.Status, result.Response})
			require.InDelta(t, test.retryAfter, result.RetryAfter, float64(2*time.Second))
			require.Equal(t, []any{"POST", "application/json", "parley-webhooks/1", "msg_1", string(body)},
				[]any{got.Method, got.Header.Get("Content-Type"), got.UserAgent(), got.Header.Get("webhook-id"), string(content)})
		})
	}
}

func TestATargetThatDripsIsLeftAtTheDeadline(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			<-time.After(5 * time.Millisecond)
		}
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := webhook.Deliver(ctx, webhook.NewClient(webhook.AnyTargets), server.URL, http.Header{}, nil)
	require.EqualError(t, err, "it answered 500, and then broke off")
	server2, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, server2.Close())
	_, err = webhook.Deliver(t.Context(), webhook.NewClient(webhook.AnyTargets), "http://"+server2.Addr().String(), http.Header{}, nil)
	require.EqualError(t, err, "it cannot be reached", "which port is closed is nobody's business")
}

func TestOfAnErrorOnlyACodeIsTold(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"overloaded_error", "rate.limit-1", strings.Repeat("x", 64)} {
		require.Equal(t, code, webhook.Code(code))
	}
	for _, text := range []string{"", "Bad Key sk-1", "a b", "KEY", "a\n", "\u00e9", strings.Repeat("x", 65)} {
		require.Empty(t, webhook.Code(text), "%q", text)
	}
}

func TestHowLongAServerDoesNotWantToBeAskedIsReadInEveryForm(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		status         int
		after, afterMS string
		wait           time.Duration
	}{
		{429, "20", "", 20 * time.Second},
		{429, "7.66", "", 7660 * time.Millisecond},
		{429, "0.25", "", 250 * time.Millisecond},
		{429, " 2 ", "", 2 * time.Second},
		{429, "1", "820", 820 * time.Millisecond},
		{429, "", "1500.5", 1500500 * time.Microsecond},
		{429, "3", "soon", 3 * time.Second},
		{429, "3", "-1", 3 * time.Second},
		{529, "30", "", 30 * time.Second},
		{503, "Sat, 28 Nov 2026 12:01:00 GMT", "", time.Minute},
		{503, "Sat, 28 Nov 2026 11:00:00 GMT", "", 0},
		{503, "99999999999999999999", "", 24 * time.Hour},
		{503, "1e400", "", 24 * time.Hour},
		{503, "Inf", "", 24 * time.Hour},
		{503, "NaN", "", 0},
		{503, "-5", "", 0},
		{503, "", "99999999999", 24 * time.Hour},
		{500, "20", "20", 0},
	} {
		h := http.Header{}
		h.Set("Retry-After", test.after)
		h.Set("retry-after-ms", test.afterMS)
		require.Equal(t, test.wait, webhook.RetryAfter(&http.Response{StatusCode: test.status, Header: h}, now), "%d %q %q", test.status, test.after, test.afterMS)
	}
}
