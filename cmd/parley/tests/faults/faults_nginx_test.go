//go:build faults

package faults

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// Three processes behind the nginx of the guide are restarted one after another, under load: every call is answered, at
// the first try.
func TestFaultRestartingBehindNginxLosesNoCall(t *testing.T) {
	t.Parallel()
	program := requireNginx(t)
	c := startCluster(t)
	db := c.superuser(t)
	var sites []*site
	addresses := map[string]string{"127.0.0.1:8080": harness.FreeAddress(t)}
	for _, listed := range []string{"127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"} {
		addresses[listed] = harness.FreeAddress(t)
		s := newSite(t, c.url(), "HTTP_ADDR="+addresses[listed], "JWT_SECRET="+harness.SecretKey, "SHUTDOWN_DELAY=1500ms", "MODEL_TIMEOUT=20s")
		s.launch()
		sites = append(sites, s)
	}
	entry := newSite(t, c.url()) // never launched: it is the way through nginx
	front := "http://" + addresses["127.0.0.1:8080"]
	entry.url.Store(&front)
	startNginx(t, program, addresses)
	var failed, calls atomic.Int64
	entry.observe = func(_ int, o *op, _, _ time.Time, a *harness.Answer) {
		calls.Add(1)
		if a == nil {
			failed.Add(1)
			t.Logf("a call failed: %s %s", o.method, o.path)
		}
	}
	u := entry.register()
	load := u.work(0, 4, kinds...)
	pause(t.Context(), 500*time.Millisecond)
	for _, s := range sites {
		before, pid := calls.Load(), s.child.process
		require.NoError(t, pid.Signal(syscall.SIGTERM))
		require.Eventually(t, func() bool { // it says so, and serves
			a, err := s.send(t.Context(), "", http.MethodGet, "/readyz", "")
			return err == nil && a.Status == http.StatusServiceUnavailable && a.Text("reason") == "stopping"
		}, faultTimeout, 5*time.Millisecond)
		a, err := s.send(t.Context(), u.token, http.MethodGet, "/v1/bots/"+u.bot, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status, a)
		s.died()
		s.launch()
		pause(t.Context(), 300*time.Millisecond)
		require.Greater(t, calls.Load(), before, "there was no load")
	}
	load.stop()
	require.Zero(t, failed.Load(), "of %d calls", calls.Load())
	for _, status := range []int{0, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		require.Zero(t, entry.seen(status), "answers of status %d", status)
	}
	u.requireOnce(t, db)
	t.Logf("%d calls, %d failed, over 3 restarts", calls.Load(), failed.Load())
}

// requireNginx returns where nginx is, or skips the test.
func requireNginx(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // which is not in everybody's PATH
		if _, err := os.Stat(program); err != nil {
			t.Skip("nginx is not installed (package nginx-light)")
		}
	}
	return program
}

// startNginx runs nginx with the configuration of the guide, with other addresses in place of those there.
func startNginx(t *testing.T, program string, addresses map[string]string) {
	t.Helper()
	guide, err := os.ReadFile("../../../../api/guides/running.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(guide)
	require.NotNil(t, block, "the guide has no nginx configuration")
	text := string(block[1])
	for listed, address := range addresses {
		require.Contains(t, text, listed)
		text = strings.ReplaceAll(text, listed, address)
	}
	dir := t.TempDir()
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	config := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "daemon off; master_process off; pid %s/pid; error_log stderr warn;\n"+
		"events { worker_connections 512; }\nhttp { access_log off;\n%s\n%s }\n", dir, temporary.String(), text), 0o600))
	cmd := exec.Command(program, "-p", dir, "-c", config, "-e", "stderr")
	var stderr harness.LockedBuffer
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addresses["127.0.0.1:8080"])
		return err == nil && conn.Close() == nil
	}, faultTimeout, 20*time.Millisecond)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			log := stderr.String()
			t.Logf("nginx logged:\n%s", log[max(0, len(log)-4000):])
		}
	})
}
