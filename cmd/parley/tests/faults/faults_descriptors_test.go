//go:build faults

package faults

import (
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// With few open files, clients that hold many connections leave others an answer at once: 503, or a closed connection.
// Health is at METRICS_ADDR, and when they go all is well again.
func TestFaultFewOpenFilesRefuseAtOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := newSite(t, c.url())
	s.openFiles = 128
	metrics := harness.FreeAddress(t)
	s.launch("METRICS_ADDR=" + metrics)
	u := s.register()
	address := strings.TrimPrefix(*s.url.Load(), "http://")
	var held []net.Conn
	for range 300 {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		require.NoError(t, err)
		held = append(held, conn)
	}
	fresh := func(url string) (int, error) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
		res, err := client.Get(url)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	seen := map[int]int{}
	for begun := time.Now(); seen[0]+seen[http.StatusServiceUnavailable] < 50 || seen[http.StatusServiceUnavailable] == 0; {
		require.Less(t, time.Since(begun), faultTimeout)
		before := time.Now()
		status, _ := fresh(*s.url.Load() + "/healthz")
		require.NotEqual(t, http.StatusOK, status)
		require.Less(t, time.Since(before), 5*time.Second, "it hangs")
		seen[status]++
	}
	t.Logf("statuses at HTTP_ADDR, 0 is a closed connection: %v", seen)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		status, err := fresh("http://" + metrics + path)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, path)
	}
	program, err := harness.BuiltProgram()
	require.NoError(t, err)
	ask := exec.Command(program, "health")
	ask.Env = append(append([]string{}, s.environ...), "HTTP_ADDR="+address, "METRICS_ADDR="+metrics)
	output, err := ask.CombinedOutput()
	require.NoError(t, err, string(output))
	for _, conn := range held {
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool {
		status, _ := fresh(*s.url.Load() + "/healthz")
		return status == http.StatusOK
	}, faultTimeout, 20*time.Millisecond)
	u.must(createBot)
	require.Contains(t, s.child.log.String(), `"msg":"open files","limit":128`)
}
