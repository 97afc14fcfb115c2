//go:build faults

package faults

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// A Redis that hangs costs a few calls a moment, and those behind them nothing; when it is back it is used again.
func TestFaultRedisThatHangsCostsAFewCallsAMoment(t *testing.T) {
	t.Parallel()
	r, c := startRedis(t), startCluster(t)
	r.start(t)
	s := newSite(t, c.url(), "REDIS_URL=redis://"+r.listener.Addr().String(), "BREAKER_OPEN_FOR=2s")
	s.launch()
	u := s.register()
	median := func() time.Duration {
		var took []time.Duration
		for range 41 {
			o := u.plan(updateInstruction, "")
			begun := time.Now()
			a, err := u.try(o)
			took = append(took, time.Since(begun))
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.Status, a)
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	before := median()
	r.delay.Store(int64(time.Hour))
	during := median()
	t.Logf("median of a change: %v with Redis, %v with one that hangs", before, during)
	require.Less(t, during, 40*time.Millisecond+4*before, "each call waits for Redis")
	ready, err := s.send(t.Context(), "", http.MethodGet, "/readyz", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, ready.Status)
	require.Equal(t, false, ready.At("checks.redis.ok"))
	require.Equal(t, 1, strings.Count(s.child.log.String(), "a target has failed too often"))
	r.delay.Store(0)
	require.Eventually(t, func() bool {
		_, err := u.try(u.plan(updateInstruction, ""))
		return err == nil && strings.Contains(s.child.log.String(), "a target works again")
	}, faultTimeout, 50*time.Millisecond)
}

// An S3 that hangs fails an upload within seconds, and after a few of them at once.
func TestFaultS3ThatHangsFailsUploadsSoon(t *testing.T) {
	t.Parallel()
	endpoint, err := url.Parse(os.Getenv("TEST_MINIO_ENDPOINT"))
	require.NoError(t, err)
	if endpoint.Host == "" {
		t.Skip("TEST_MINIO_ENDPOINT names no S3")
	}
	wire := &redisServer{address: endpoint.Host} // any TCP server may be behind it
	wire.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = wire.listener.Close() })
	go func() {
		for {
			client, err := wire.listener.Accept()
			if err != nil {
				return
			}
			go wire.carry(client)
		}
	}()
	s := newSite(t, startCluster(t).url(), "MINIO_ENDPOINT=http://"+wire.listener.Addr().String(), "BREAKER_OPEN_FOR=2s",
		"MINIO_ACCESS_KEY="+os.Getenv("TEST_MINIO_ACCESS_KEY"), "MINIO_SECRET_KEY="+os.Getenv("TEST_MINIO_SECRET_KEY"), "MINIO_BUCKET=parley-"+newID().String())
	s.client.Timeout = 2 * time.Minute
	s.launch()
	u := s.register()
	ada := u.here()
	require.Eventually(t, func() bool { return ada.Upload(t, "a.txt", "hello").Status == http.StatusCreated }, faultTimeout, 100*time.Millisecond)
	wire.delay.Store(int64(time.Hour))
	for i, size := range []int{100_000, 20 << 20} { // one request, and several
		begun := time.Now()
		a := ada.Upload(t, "b.txt", strings.Repeat("x", size))
		t.Logf("upload %d of %d bytes: %d after %v", i, size, a.Status, time.Since(begun))
		harness.RequireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		require.Less(t, time.Since(begun), 25*time.Second)
	}
	harness.AtOnce(4, func() harness.Answer { return ada.Upload(t, "c.txt", "hello") })
	begun := time.Now()
	harness.RequireCode(t, ada.Upload(t, "d.txt", "hello"), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	require.Less(t, time.Since(begun), 2*time.Second, "the breaker is open")
	wire.delay.Store(0)
	require.Eventually(t, func() bool { return ada.Upload(t, "e.txt", "hello").Status == http.StatusCreated }, faultTimeout, 100*time.Millisecond)
}
