package operating

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// A worker serves nothing at HTTP_ADDR; its health is at METRICS_ADDR.
func TestAWorkerHasHealthPages(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	metrics, nobody := harness.FreeAddress(t), harness.FreeAddress(t)
	settings := append(append([]string{}, p.Settings...), "WORKERS=2", "METRICS_ADDR="+metrics, "HTTP_ADDR="+nobody)
	code := make(chan int, 1)
	go func() {
		code <- app.Run(ctx, "test", []string{"parley", "worker"}, settings, io.Discard, harness.NewLogBuffer())
	}()
	status := func(path string) int {
		u := url.URL{Scheme: "http", Host: metrics, Path: path}
		res, err := http.Get(u.String())
		if err != nil {
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	require.Eventually(t, func() bool { return status("/readyz") == http.StatusOK }, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, http.StatusOK, status("/healthz"))
	exit, _, stderr := harness.Tool(t, settings, "health")
	require.Equal(t, app.ExitOK, exit, stderr)
	cancel()
	require.Equal(t, app.ExitOK, <-code)
	exit, _, stderr = harness.Tool(t, settings, "health")
	require.Equal(t, app.ExitFailed, exit)
	require.Len(t, harness.Problems(stderr), 2)
}
