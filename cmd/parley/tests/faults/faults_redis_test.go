//go:build faults

package faults

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// Redis only makes things quicker: whatever becomes of it, no call fails, nothing happens twice, and limits stay on.
// settle fails a test for every 5xx but 503, and these tests for that too.
func TestFaultRedisIsNeverMissed(t *testing.T) { //nolint:tparallel // one after the other: they share what they kill
	t.Parallel()
	r := startRedis(t)
	c := startCluster(t)
	db := c.superuser(t)
	for name, fault := range map[string]func(){
		"killed":     r.kill,
		"flushed":    func() { r.flush(t) },
		"5 s slow":   func() { r.delay.Store(int64(5 * time.Second)) },
		"cut in two": func() { r.cut.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			r.start(t)
			s := newSite(t, c.url(), "REDIS_URL=redis://"+r.listener.Addr().String(), "AUTH_RATE_LIMIT_MAX=30", "TRUSTED_PROXIES=127.0.0.1")
			s.launch()
			u := s.register()
			load := u.work(0, 8, kinds...)
			pause(t.Context(), 300*time.Millisecond)
			fault()
			pause(t.Context(), 1200*time.Millisecond)
			u.requireLimits(t)
			load.stop()
			for _, o := range u.ops[:min(len(u.ops), 40)] {
				_, _ = u.settle(0, o) // the stored answers, wherever they come from now
			}
			u.requireOnce(t, db)
			require.Zero(t, s.seen(http.StatusServiceUnavailable))
			require.Zero(t, s.seen(http.StatusInternalServerError))
			require.Zero(t, s.seen(0), "every call was answered")
		})
	}
}

// requireLimits sends what is refused for its form, but counted, until it is refused for its number.
func (u *user) requireLimits(t *testing.T) {
	t.Helper()
	from := harness.Header{Name: "X-Forwarded-For", Value: fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), rand.IntN(256))} // counted by nobody yet
	for range 60 {
		a, err := u.send(t.Context(), "", http.MethodPost, "/v1/auth/login", "{}", from)
		require.NoError(t, err)
		if a.Status == http.StatusTooManyRequests {
			harness.RequireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
			require.NotEmpty(t, a.Header.Get("Retry-After"))
			return
		}
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, a)
	}
	t.Fatal("60 log-ins in a moment, and none was refused: the limits are off")
}

// redisServer is a Redis that the test may kill, where redis-server is installed; else that of TEST_REDIS_URL, which
// others may be using: then its death is only the loss of the way to it, and only our keys are flushed.
type redisServer struct {
	listener net.Listener // what the program is given
	address  string       // what is behind it
	process  *exec.Cmd    // nil: somebody else's
	delay    atomic.Int64
	cut      atomic.Bool
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	r := &redisServer{}
	if o, err := redis.ParseURL(os.Getenv("TEST_REDIS_URL")); err == nil {
		r.address = o.Addr
	}
	if _, err := exec.LookPath("redis-server"); err == nil {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		r.address = free.Addr().String()
		require.NoError(t, free.Close())
		r.process = &exec.Cmd{}
	}
	if r.address == "" {
		t.Skip("redis-server is not installed, and TEST_REDIS_URL names none")
	}
	var err error
	r.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.listener.Close(); r.kill() })
	go func() {
		for {
			client, err := r.listener.Accept()
			if err != nil {
				return
			}
			go r.carry(client)
		}
	}()
	return r
}

// start makes all well again.
func (r *redisServer) start(t *testing.T) {
	t.Helper()
	r.delay.Store(0)
	r.cut.Store(false)
	if r.process != nil && (r.process.Process == nil || r.process.ProcessState != nil) {
		_, port, _ := net.SplitHostPort(r.address)
		r.process = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
		r.process.Dir = t.TempDir()
		r.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, r.process.Start())
	}
	client := redis.NewClient(&redis.Options{Addr: r.address})
	defer client.Close()
	require.Eventually(t, func() bool { return client.Ping(context.Background()).Err() == nil }, faultTimeout, 10*time.Millisecond)
}

func (r *redisServer) kill() {
	if r.process == nil {
		r.cut.Store(true)
	} else if r.process.Process != nil && r.process.ProcessState == nil {
		_ = r.process.Process.Kill()
		_ = r.process.Wait()
	}
}

func (r *redisServer) flush(t *testing.T) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.address})
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		if r.process != nil || strings.Contains(key, "parley:operation:") {
			require.NoError(t, client.Del(t.Context(), key).Err())
		}
	}
	if r.process != nil {
		require.NoError(t, client.ScriptFlush(t.Context()).Err())
	}
}

func (r *redisServer) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", r.address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client) }()
	buffer := make([]byte, 64<<10)
	for !r.cut.Load() {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(r.delay.Load())) //nolint:forbidigo // a wire has no context
		if _, err := client.Write(buffer[:n]); err != nil || r.cut.Load() {
			return
		}
	}
}
