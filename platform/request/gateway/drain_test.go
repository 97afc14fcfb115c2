package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAServerThatStopsServesOnAndIsNotReady(t *testing.T) {
	t.Parallel()
	d := &Drain{}
	server := httptest.NewServer(d.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("served")) })))
	t.Cleanup(server.Close)
	ask := func(path string) *http.Response {
		t.Helper()
		res, err := server.Client().Get(server.URL + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res
	}
	for _, path := range []string{"/readyz", "/v1/bots"} {
		res := ask(path)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.False(t, res.Close, "the connection is kept")
	}
	d.Begin()
	res := ask("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.True(t, res.Close)
	for _, path := range []string{"/healthz", "/v1/bots"} {
		res = ask(path)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.True(t, res.Close, "the connection is closed after the answer")
	}
}
