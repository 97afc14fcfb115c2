// Package redistest provides tests with a real Redis server: the one of TEST_REDIS_URL, else a redis-server of the
// test's own on a unix socket. If there is neither, the test is skipped, by name.
package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Client returns a client of the server.
func Client(t testing.TB) *redis.Client {
	t.Helper()
	return connect(t, URL(t))
}

// URL returns the URL of the server, for a REDIS_URL, once it answers.
func URL(t testing.TB) string {
	t.Helper()
	url := os.Getenv("TEST_REDIS_URL") //nolint:forbidigo // a setting of the tests, not of the program
	if url == "" {
		url = "unix://" + serve(t)
	}
	client := connect(t, url)
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, time.Minute, 20*time.Millisecond)
	return url
}

func connect(t testing.TB, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// serve starts a server and returns its socket.
func serve(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed and TEST_REDIS_URL is not set")
	}
	socket := filepath.Join(t.TempDir(), "redis.sock")
	server := exec.Command(binary, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	return socket
}
