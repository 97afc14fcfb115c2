package app

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/config"
)

func TestOpenFilesAreSharedSoThatSomethingIsLeftForEach(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load([]string{"DATABASE_MAX_CONNS=10"})
	require.NoError(t, err)
	few, err := shareDescriptors(128, cfg)
	require.NoError(t, err)
	require.GreaterOrEqual(t, few.connections, minConnections)
	require.GreaterOrEqual(t, few.outgoing, minConnections)
	require.Less(t, few.outgoing, few.wanted, "which the log warns of")
	many, err := shareDescriptors(65536, cfg)
	require.NoError(t, err)
	require.Equal(t, many.wanted, many.outgoing)
	require.Greater(t, many.connections, 60_000)
	_, err = shareDescriptors(64, cfg)
	require.ErrorContains(t, err, "ulimit -n")
}

// A worker serves nothing at HTTP_ADDR; its health is at METRICS_ADDR.
func TestAWorkerHasHealthPages(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	metrics, nobody := freeAddress(t), freeAddress(t)
	settings := append(append([]string{}, p.settings...), "WORKERS=2", "METRICS_ADDR="+metrics, "HTTP_ADDR="+nobody)
	code := make(chan int, 1)
	go func() { code <- Run(ctx, "test", []string{"parley", "worker"}, settings, io.Discard, newLogBuffer()) }()
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
	exit, _, stderr := tool(t, settings, "health")
	require.Equal(t, ExitOK, exit, stderr)
	cancel()
	require.Equal(t, ExitOK, <-code)
	exit, _, stderr = tool(t, settings, "health")
	require.Equal(t, ExitFailed, exit)
	require.Len(t, problems(stderr), 2)
}
