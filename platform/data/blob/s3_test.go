package blob_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

func TestABucketThatIsNotThereIsNoSignOfLife(t *testing.T) {
	t.Parallel()
	s, _ := newS3(t)
	require.ErrorIs(t, s.Ping(t.Context()), fail.ErrUnavailable)
	require.ErrorIs(t, s.Check(t.Context()), fail.ErrUnavailable)
	require.NoError(t, s.Prepare(t.Context()))
	require.NoError(t, s.Ping(t.Context()))
}

func TestAStoreInTroubleIsNotAskedForAWhile(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	s := s3At(t, standIn(server.URL), t.TempDir(), group(time.Minute))
	for range 5 {
		_, err := s.Put(t.Context(), "a", strings.NewReader("x"))
		require.ErrorIs(t, err, fail.ErrUnavailable)
	}
	require.EqualValues(t, 5, asked.Load(), "one request a call: repeating is the caller's business")
	_, err := s.Get(t.Context(), "a", 0, -1)
	require.ErrorIs(t, err, fail.ErrUnavailable)
	_, refused := resilience.IsRefused(err)
	require.True(t, refused)
	require.Greater(t, fail.From(err).RetryAfter, time.Minute, "it knows when the breaker lets one through")
	require.EqualValues(t, 5, asked.Load())
}

func TestAStoreThatHangsCostsADeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	g := group(50 * time.Millisecond)
	s := s3At(t, standIn(server.URL), t.TempDir(), g)
	_, err := s.Get(t.Context(), "a", 0, -1)
	require.ErrorIs(t, err, fail.ErrUnavailable)
	require.EqualValues(t, 1, g.Counts().Failed.Load())
}

// A deadline for the whole of a large answer would cut off readers that are slow.
func TestASlowReaderIsNotCutOff(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2")
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		_, _ = w.Write([]byte("a"))
		_ = http.NewResponseController(w).Flush()
		<-next
		_, _ = w.Write([]byte("b"))
	}))
	t.Cleanup(server.Close)
	const deadline = 500 * time.Millisecond
	s := s3At(t, standIn(server.URL), t.TempDir(), group(deadline))
	content, err := s.Get(t.Context(), "a", 0, -1)
	require.NoError(t, err)
	defer content.Close()
	first := make([]byte, 1)
	_, err = io.ReadFull(content, first)
	require.NoError(t, err)
	time.AfterFunc(2*deadline, func() { close(next) })
	rest, err := io.ReadAll(content)
	require.NoError(t, err)
	require.Equal(t, "b", string(rest))
}

func TestAnAddressThatIsNoneIsRefusedByAnError(t *testing.T) {
	t.Parallel()
	s := s3At(t, standIn("http://127.0.0.1:1"), t.TempDir(), group(time.Minute))
	require.ErrorIs(t, s.Prepare(t.Context()), fail.ErrUnavailable)
	require.ErrorIs(t, s.Ping(t.Context()), fail.ErrUnavailable)
	require.ErrorIs(t, s.Delete(t.Context(), "a"), fail.ErrUnavailable)
	_, err := s.List(t.Context(), "", "", 10)
	require.ErrorIs(t, err, fail.ErrUnavailable)
}

func TestABucketThatAnotherIsCreatingIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inTrouble int64 // how many requests to create the bucket are answered 500 before it is there
		status    int
		asked     int64
		fails     bool
	}{
		"it is there a moment later": {inTrouble: 2, status: http.StatusInternalServerError, asked: 2},
		"trouble that lasts":         {inTrouble: 1000, status: http.StatusInternalServerError, asked: 5, fails: true},
		"a refusal":                  {inTrouble: 1000, status: http.StatusForbidden, asked: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var created atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodHead && created.Load() < c.inTrouble:
					w.WriteHeader(http.StatusNotFound)
				case r.Method == http.MethodPut:
					created.Add(1)
					w.WriteHeader(c.status)
				}
			}))
			t.Cleanup(server.Close)
			err := s3At(t, standIn(server.URL), t.TempDir(), tolerant(time.Minute)).Prepare(t.Context())
			require.Equal(t, c.fails, err != nil, "%v", err)
			require.Equal(t, c.asked, created.Load())
		})
	}
}
