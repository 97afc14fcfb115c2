package turns

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// eightAtOnce runs eight turns at once, each as long as it has words; a workspace alone gets six of them.
var eightAtOnce = []string{"MODEL_CONCURRENCY=8", "ECHO_DELAY=100ms", "METRICS_ADDR=127.0.0.1:0"}

func TestAWorkspaceThatRunsManyTurnsLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, eightAtOnce...)
	ada, eve := p.Register(t), p.Register(t)
	thread := ada.OpenThread(t)
	op := harness.Operation(uuid.NewString())
	done := ada.Post(t, thread+"/turn", harness.Says("once"), op)
	require.Equal(t, http.StatusOK, done.Status, done)
	ada.Occupy(t, 6)
	count := func() []int {
		return []int{
			p.Number(t, "SELECT count(*) FROM messages"), p.Number(t, "SELECT count(*) FROM llm_turns"), p.Number(t, "SELECT count(*) FROM operations"),
			p.Number(t, "SELECT count(*) FROM audit_log"), p.Number(t, "SELECT sum(turns) FROM usage_counters"),
		}
	}
	before := count()
	for _, stream := range []harness.Header{{Name: "Accept", Value: "application/json"}, {Name: "Accept", Value: "text/event-stream"}} {
		refused := ada.Post(t, thread+"/turn", harness.Says("one too many"), stream)
		harness.RequireCode(t, refused, http.StatusTooManyRequests, "TOO_MANY_TURNS")
		seconds, err := strconv.Atoi(refused.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, seconds)
	}
	require.Equal(t, before, count(), "something has stayed of a turn that was refused")
	require.Equal(t, done.Raw, ada.Post(t, thread+"/turn", harness.Says("once"), op).Raw, "what was done is given again")
	for range 3 {
		a := eve.Post(t, eve.OpenThread(t)+"/turn", harness.Says("Hi"))
		require.Equal(t, http.StatusOK, a.Status, "another workspace: %s", a)
	}
	text := p.Metrics(t)
	require.Contains(t, text, `parley_turns_total{key="operator",outcome="failed",provider="echo"} 0`)
	require.Contains(t, text, `parley_rate_limit_refusals_total{limit="turns"} 2`)
	require.Contains(t, text, `parley_turn_slots{state="taken"} 6`)
}

func TestATurnWaitsAMomentForAPlace(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "MODEL_CONCURRENCY=2", "ECHO_DELAY=100ms")
	ada := p.Register(t)
	threads := []string{ada.OpenThread(t), ada.OpenThread(t)}
	first := ada.Open(t, http.MethodPost, threads[0]+"/turn", harness.Says("one two three"))
	first.Until("turn.created")
	a := ada.Post(t, threads[1]+"/turn", harness.Says("Hi"))
	require.Equal(t, http.StatusOK, a.Status, a)
	first.Rest()
}

// A call names its workspace before it is known whether it may: it must not wait in the name of a workspace that is not its own.
func TestAStrangerDoesNotWaitInTheNameOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, eightAtOnce...)
	ada, mallory := p.Register(t), p.Register(t)
	thread := ada.OpenThread(t)
	ada.Occupy(t, 6)
	began := time.Now()
	for _, a := range harness.AtOnce(32, func() harness.Answer {
		return mallory.Post(t, thread+"/turn", harness.Says("Hi"), harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace})
	}) {
		harness.RequireCode(t, a, http.StatusForbidden, "FORBIDDEN")
	}
	require.Less(t, time.Since(began), 2*time.Second*32, "it ended")
	require.Equal(t, http.StatusTooManyRequests, ada.Post(t, thread+"/turn", harness.Says("Hi")).Status)
}

func TestAMessageOfAChannelWaitsForAPlaceAndIsNoFailure(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, slices.Concat(harness.FastJobs, eightAtOnce)...)
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	ada.Occupy(t, 6)
	event := chat.Says(t, "c", "Hi").Text("event_id")
	putOff := `SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' AND failures = 0 AND attempt > 0`
	require.Eventually(t, func() bool { return p.Number(t, putOff) == 1 }, time.Minute, 20*time.Millisecond)
	for _, turn := range p.Texts(t, "SELECT id::text FROM llm_turns WHERE status = 'running'") {
		thread := p.Texts(t, "SELECT thread_id::text FROM llm_turns WHERE id = $1", turn)[0]
		ada.Post(t, "/v1/conversations/threads/"+thread+"/turns/"+turn+"/cancel", nil)
	}
	ada.WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	require.Zero(t, p.Number(t, "SELECT count(*) FROM llm_turns WHERE status = 'failed'"))
}
