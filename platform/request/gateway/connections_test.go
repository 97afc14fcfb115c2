package gateway

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnectionsBeyondTheLimitAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	bound := BoundConnections(CloseStalled(listener), 2, slog.New(slog.DiscardHandler))
	server := &httptest.Server{Listener: bound, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("served")) }),
	}}
	server.Start()
	t.Cleanup(server.Close)
	ask := func() (int, string) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
		res, err := client.Post(server.URL, "text/plain", http.NoBody)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	var held []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		held = append(held, conn)
	}
	require.Eventually(t, func() bool { open, _ := bound.Open(); return open == 2 }, time.Minute, time.Millisecond)
	for range 3 * maxRefusals {
		status, body := ask()
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, body, `"code":"DOWNSTREAM_UNAVAILABLE"`)
	}
	require.EqualValues(t, 3*maxRefusals, bound.Refused())
	for _, conn := range held {
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool { status, _ := ask(); return status == http.StatusOK }, time.Minute, time.Millisecond)
}
