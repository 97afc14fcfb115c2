//go:build faults

package faults

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// A process is killed while it streams a turn. The next one takes the turn up, whoever follows it receives a new attempt
// from the event on that it had last, and the whole text is there once.
func TestFaultKilledInTheMiddleOfAStream(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), "ECHO_DELAY=100ms", "MODEL_TIMEOUT=10s", "JOB_LEASE=1s")
	s.launch()
	u := s.register()
	ada := u.here()
	thread := ada.OpenThread(t)
	const content = "one two three four five six seven eight nine ten eleven twelve"
	stream := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content))
	created := stream.Until("turn.created")
	var last harness.Frame
	for range 4 {
		last = stream.Until("message.delta")
	}
	require.Eventually(t, func() bool { return u.one(t, db, `SELECT count(*) FROM turn_events WHERE workspace_id = $1`) > 0 }, faultTimeout, 1e7)
	s.kill()
	s.launch("ECHO_DELAY=1ms")
	_, err := db.Exec(t.Context(), `UPDATE llm_turns SET lease_until = now() - interval '1 s' WHERE status = 'running'`)
	require.NoError(t, err)

	turn := created.Data["turn_id"].(string)
	frames := u.here().Open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil, harness.After(last.ID)).Rest()
	text, kinds, _ := harness.StreamedText(frames)
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
	require.Contains(t, kinds, "message.created", "a new attempt begins the text anew")
	require.Equal(t, "Echo: "+content, text)
	require.Equal(t, map[string]int{"user": 1, "assistant": 1}, u.count(t, db, `SELECT role, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`))
	require.Equal(t, 2, u.one(t, db, `SELECT attempt FROM llm_turns WHERE workspace_id = $1`))
}

// Two hundred streams at once, each of a turn that takes some seconds: the process stays under 200 MiB.
func TestFaultTwoHundredStreamsAtOnceFitIntoLittleMemory(t *testing.T) {
	t.Parallel()
	const streams, most = 200, 200 << 10 // KiB
	c := startCluster(t)
	s := newSite(t, c.url(), "ECHO_DELAY=100ms", "MODEL_TIMEOUT=60s", "MODEL_CONCURRENCY=400")
	s.launch()
	ada := s.register().here()
	content := strings.Repeat("word ", 30) + "end"
	threads := make([]string, streams)
	for i := range threads {
		threads[i] = ada.OpenThread(t)
	}
	var all, opened sync.WaitGroup
	opened.Add(streams)
	texts := make([]string, streams)
	for i, thread := range threads {
		all.Go(func() {
			stream := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content))
			stream.Until("turn.created")
			opened.Done()
			opened.Wait() // so that all are open at once
			texts[i], _, _ = harness.StreamedText(stream.Rest())
		})
	}
	all.Wait()
	for i, text := range texts {
		require.Equal(t, "Echo: "+content, text, "stream %d", i)
	}
	kib := s.peakMemory(t)
	t.Logf("%d streams at once: at most %d MiB", streams, kib>>10)
	require.Less(t, kib, most)
}
