package app

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// eightAtOnce runs eight turns at once, each as long as it has words; a workspace alone gets six of them.
var eightAtOnce = []string{"MODEL_CONCURRENCY=8", "ECHO_DELAY=100ms", "METRICS_ADDR=127.0.0.1:0"}

var longTurn = strings.Repeat("word ", 500)

// occupy begins turns that go on until the test ends, as many as are asked for.
func (c *caller) occupy(t *testing.T, turns int) {
	t.Helper()
	for range turns {
		thread := c.openThread(t)
		s := c.open(t, http.MethodPost, thread+"/turn", says(longTurn))
		require.Equal(t, http.StatusOK, s.answer.Status, s.answer)
		turn := s.until("turn.created").data["turn_id"].(string)
		t.Cleanup(func() { _, _ = c.try(t, http.MethodPost, thread+"/turns/"+turn+"/cancel", nil) })
	}
}

func TestAWorkspaceThatRunsManyTurnsLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	p := start(t, eightAtOnce...)
	ada, eve := p.register(t), p.register(t)
	thread := ada.openThread(t)
	op := operation(uuid.NewString())
	done := ada.post(t, thread+"/turn", says("once"), op)
	require.Equal(t, http.StatusOK, done.Status, done)
	ada.occupy(t, 6)
	count := func() []int {
		return []int{
			p.number(t, "SELECT count(*) FROM messages"), p.number(t, "SELECT count(*) FROM llm_turns"), p.number(t, "SELECT count(*) FROM operations"),
			p.number(t, "SELECT count(*) FROM audit_log"), p.number(t, "SELECT sum(turns) FROM usage_counters"),
		}
	}
	before := count()
	for _, stream := range []header{{"Accept", "application/json"}, {"Accept", "text/event-stream"}} {
		refused := ada.post(t, thread+"/turn", says("one too many"), stream)
		requireCode(t, refused, http.StatusTooManyRequests, "TOO_MANY_TURNS")
		seconds, err := strconv.Atoi(refused.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, seconds)
	}
	require.Equal(t, before, count(), "something has stayed of a turn that was refused")
	require.Equal(t, done.Raw, ada.post(t, thread+"/turn", says("once"), op).Raw, "what was done is given again")
	for range 3 {
		a := eve.post(t, eve.openThread(t)+"/turn", says("Hi"))
		require.Equal(t, http.StatusOK, a.Status, "another workspace: %s", a)
	}
	text := p.metrics(t)
	require.Contains(t, text, `parley_turns_total{key="operator",outcome="failed",provider="echo"} 0`)
	require.Contains(t, text, `parley_rate_limit_refusals_total{limit="turns"} 2`)
	require.Contains(t, text, `parley_turn_slots{state="taken"} 6`)
}

func TestATurnWaitsAMomentForAPlace(t *testing.T) {
	t.Parallel()
	p := start(t, "MODEL_CONCURRENCY=2", "ECHO_DELAY=100ms")
	ada := p.register(t)
	threads := []string{ada.openThread(t), ada.openThread(t)}
	first := ada.open(t, http.MethodPost, threads[0]+"/turn", says("one two three"))
	first.until("turn.created")
	a := ada.post(t, threads[1]+"/turn", says("Hi"))
	require.Equal(t, http.StatusOK, a.Status, a)
	first.rest()
}

// A call names its workspace before it is known whether it may: it must not wait in the name of a workspace that is not its own.
func TestAStrangerDoesNotWaitInTheNameOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	p := start(t, eightAtOnce...)
	ada, mallory := p.register(t), p.register(t)
	thread := ada.openThread(t)
	ada.occupy(t, 6)
	began := time.Now()
	for _, a := range atOnce(32, func() answer {
		return mallory.post(t, thread+"/turn", says("Hi"), header{"X-Workspace-Id", ada.workspace})
	}) {
		requireCode(t, a, http.StatusForbidden, "FORBIDDEN")
	}
	require.Less(t, time.Since(began), 2*time.Second*32, "it ended")
	require.Equal(t, http.StatusTooManyRequests, ada.post(t, thread+"/turn", says("Hi")).Status)
}

func TestAMessageOfAChannelWaitsForAPlaceAndIsNoFailure(t *testing.T) {
	t.Parallel()
	p := start(t, slices.Concat(fastJobs, eightAtOnce)...)
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	ada.occupy(t, 6)
	event := chat.says(t, "c", "Hi").text("event_id")
	putOff := `SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' AND failures = 0 AND attempt > 0`
	require.Eventually(t, func() bool { return p.number(t, putOff) == 1 }, 20*time.Second, 20*time.Millisecond)
	for _, turn := range p.texts(t, "SELECT id::text FROM llm_turns WHERE status = 'running'") {
		thread := p.texts(t, "SELECT thread_id::text FROM llm_turns WHERE id = $1", turn)[0]
		ada.post(t, "/v1/conversations/threads/"+thread+"/turns/"+turn+"/cancel", nil)
	}
	ada.waitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	require.Zero(t, p.number(t, "SELECT count(*) FROM llm_turns WHERE status = 'failed'"))
}
