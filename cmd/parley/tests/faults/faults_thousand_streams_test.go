//go:build faults

package faults

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowModel is an OpenAI server whose answers say a word every interval until the model ends them. Each word is the
// time at which it was sent, in nanoseconds.
type slowModel struct {
	*httptest.Server
	interval time.Duration
	end      chan struct{}
	ending   atomic.Int64 // answers that may end
}

const endInterval = 10 * time.Millisecond // from the end of one answer of a slowModel to that of the next

func newSlowModel(t *testing.T, interval time.Duration) *slowModel {
	t.Helper()
	m := &slowModel{interval: interval, end: make(chan struct{})}
	m.Server = httptest.NewServer(http.HandlerFunc(m.answer))
	t.Cleanup(m.Close)
	return m
}

func (m *slowModel) answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	tick := time.NewTicker(m.interval)
	defer tick.Stop()
	for {
		_, _ = fmt.Fprintf(w, `data: {"choices":[{"index":0,"delta":{"content":"@%d= "},"finish_reason":null}]}`+"\n\n", time.Now().UnixNano())
		_ = flush()
		select {
		case <-tick.C:
			continue
		case <-m.end: // one after the other, as answers end that began at different times
			pause(r.Context(), time.Duration(m.ending.Add(1))*endInterval)
			_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
		case <-r.Context().Done():
		}
		return
	}
}

// delays are how long words took from the model to a client.
type delays struct {
	measuring atomic.Bool
	mu        sync.Mutex
	took      []time.Duration
}

// read reads a stream to its end. It notes how long each word took, and calls first at the first.
func (d *delays) read(stream io.Reader, first func()) (ended bool) {
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		_, rest, word := bytes.Cut(lines.Bytes(), []byte{'@'})
		sent, _, _ := bytes.Cut(rest, []byte{'='})
		if nanos, err := strconv.ParseInt(string(sent), 10, 64); word && err == nil {
			if first(); d.measuring.Load() {
				took := time.Duration(time.Now().UnixNano() - nanos)
				d.mu.Lock()
				d.took = append(d.took, took)
				d.mu.Unlock()
			}
		}
		ended = ended || bytes.HasPrefix(lines.Bytes(), []byte("event: turn.completed"))
	}
	return ended
}

// during measures for a while, and gives the percentile of what was measured.
func (d *delays) during(ctx context.Context, span time.Duration) (percentile func(share float64) time.Duration, words int) {
	d.measuring.Store(true)
	pause(ctx, span)
	d.measuring.Store(false)
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.took)
	took := slices.Clone(d.took)
	return func(share float64) time.Duration {
		return took[min(len(took)-1, int(share*float64(len(took))))].Round(10 * time.Microsecond)
	}, len(took)
}

// A thousand streams of a slow model at once take little memory each, share the eight connections to the database that a site has,
// and what the model says reaches the clients at once.
func TestFaultAThousandStreamsOfASlowModelTakeLittleMemoryAndAddLittleDelay(t *testing.T) {
	t.Parallel()
	const (
		streams    = 1000
		workspaces = 20
		openers    = 16
		interval   = 500 * time.Millisecond // from word to word
		span       = 10 * time.Second       // of measuring
		most       = 200                    // KiB for each stream
		patient    = time.Second            // far more than the delay should be: other tests may run beside this one
	)
	model := newSlowModel(t, interval)
	c := startCluster(t)
	s := newSite(t, c.url(), "OPENAI_BASE_URL="+model.URL+"/v1", "OPENAI_API_KEY=sk-operator", "MODEL_DEFAULT=openai/m",
		"MODEL_CONCURRENCY=1600", "MODEL_TIMEOUT=10m")
	s.launch()
	fresh := s.memory(t, "VmRSS")
	users, threads := make([]*user, workspaces), make([]string, streams)
	for i := range users {
		users[i] = s.register()
	}
	each(openers, streams, func(i int) { threads[i] = users[i%workspaces].thread() })
	idle := s.memory(t, "VmRSS")

	var latencies delays
	var open atomic.Int64
	var reading sync.WaitGroup
	ended := make([]bool, streams)
	clients := &http.Transport{}
	defer clients.CloseIdleConnections()
	began := time.Now()
	each(openers, streams, func(i int) {
		path := *s.url.Load() + "/v1/conversations/threads/" + threads[i] + "/turn"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"content":"Hi"}`))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+users[i%workspaces].token)
		req.Header.Set("Accept", "text/event-stream")
		res, err := clients.RoundTrip(req)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		reading.Go(func() {
			defer func() { _ = res.Body.Close() }()
			ended[i] = latencies.read(res.Body, sync.OnceFunc(func() { open.Add(1) }))
		})
	})
	require.Eventually(t, func() bool { return open.Load() == streams }, 2*faultTimeout, 10*time.Millisecond, "%d are open", &open)
	t.Logf("%d streams were opened in %v", streams, time.Since(began).Round(time.Millisecond))
	percentile, words := latencies.during(t.Context(), span)
	peak := s.memory(t, "VmHWM")
	t.Logf("%d streams at once: %d KiB each (%d MiB after the start, %d MiB before the streams, %d MiB at most), delay of %d words p50 %v, p95 %v, p99 %v",
		streams, (peak-idle)/streams, fresh>>10, idle>>10, peak>>10, words, percentile(0.5), percentile(0.95), percentile(0.99))
	close(model.end)
	reading.Wait()
	require.NotContains(t, ended, false, "every stream receives the end of its turn")
	require.Less(t, (peak-idle)/streams, most, "KiB for each stream")
	require.Less(t, percentile(0.95), patient)
}

// each calls do for every number below n, so many at a time.
func each(atOnce, n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}

// memory is what the process has of a kind, such as VmRSS, in KiB.
func (s *site) memory(t *testing.T, kind string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(s.child.process.Pid) + "/status")
	require.NoError(t, err)
	found := regexp.MustCompile(kind + `:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, found)
	kib, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return kib
}
