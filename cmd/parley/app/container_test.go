//go:build linux

package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestHealthAsksWhereTheServerListens(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"0.0.0.0:8080":   "http://127.0.0.1:8080/healthz",
		":8080":          "http://127.0.0.1:8080/healthz",
		"[::]:8080":      "http://[::1]:8080/healthz",
		"127.0.0.1:8080": "http://127.0.0.1:8080/healthz",
		"10.1.2.3:80":    "http://10.1.2.3:80/healthz",
		"localhost:8080": "http://localhost:8080/healthz",
	} {
		url, err := app.HealthURL("HTTP_ADDR", address)
		require.NoError(t, err)
		require.Equal(t, want, url)
	}
	p := harness.Start(t)
	code, stdout, _ := harness.Tool(t, []string{"HTTP_ADDR=" + strings.TrimPrefix(p.URL, "http://")}, "health")
	require.Equal(t, app.ExitOK, code)
	require.Equal(t, "ok\n", stdout)
	require.Equal(t, app.ExitOK, p.Stop())
	code, _, stderr := harness.Tool(t, []string{"HTTP_ADDR=" + strings.TrimPrefix(p.URL, "http://")}, "health")
	require.Equal(t, app.ExitFailed, code)
	require.Len(t, harness.Problems(stderr), 1)
	code, _, stderr = harness.Tool(t, []string{"HTTP_ADDR=127.0.0.1:0"}, "health")
	require.Equal(t, app.ExitUsage, code)
	require.Contains(t, stderr, "HTTP_ADDR")

	stub := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stub.Close)
	code, _, stderr = harness.Tool(t, []string{"HTTP_ADDR=" + strings.TrimPrefix(stub.URL, "http://")}, "health")
	require.Equal(t, app.ExitFailed, code)
	require.Contains(t, stderr, "404")
}
