package turns

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// A cancelled turn stops its model at once, wherever that runs, and stores the text so far.
func TestATurnIsCancelledWhereverItRuns(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=200ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	content := strings.Repeat("word ", 200) // 40 s
	for name, canceller := range map[string]*harness.Caller{"here": ada, "in another process": there} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			thread := ada.OpenThread(t)
			s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content))
			s.Until("message.delta")
			turn := ada.Runs(t, thread)
			began, op := time.Now(), harness.Operation(uuid.NewString())
			cancelled := canceller.Post(t, turn+"/cancel", nil, op)
			require.Less(t, time.Since(began), 5*time.Second, "the process that runs it was not reached")
			require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
			require.Equal(t, "cancelled", cancelled.Text("status"))
			text, kinds, _ := harness.StreamedText(s.Rest())
			require.Equal(t, []string{"message.completed", "turn.cancelled"}, kinds[len(kinds)-2:], "the stream does not say so")
			partial := cancelled.Text("partial_text")
			require.NotEmpty(t, partial)
			require.True(t, strings.HasPrefix("Echo: "+content, partial))
			require.Equal(t, partial, "Echo: "+strings.TrimPrefix(text, "Echo: "), "the stored text differs from the streamed one")
			messages := ada.Get(t, thread+"/messages").Items()
			require.Len(t, messages, 2)
			require.Equal(t, []any{partial, "assistant", "cancelled"}, []any{messages[1]["content"], messages[1]["role"], messages[1]["status"]})
			require.Equal(t, messages[1]["id"], cancelled.Text("assistant_message_id"))

			again := canceller.Post(t, turn+"/cancel", nil, op)
			require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
			require.Equal(t, cancelled.Raw, again.Raw)
			harness.RequireCode(t, ada.Post(t, turn+"/cancel", nil), http.StatusConflict, "CONFLICT")
			harness.RequireCode(t, ada.Post(t, turn+"/retry", nil), http.StatusConflict, "CONFLICT")
			_, kinds, _ = harness.StreamedText(there.Open(t, http.MethodGet, turn+"/events", nil).Rest())
			require.Equal(t, []string{"turn.created", "message.created", "message.delta", "message.completed", "turn.cancelled"}, kinds)
			next := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("on"))
			require.Equal(t, http.StatusOK, next.Answer.Status, "the thread is not free")
		})
	}
}

func TestACallWhoseTurnIsCancelledIsToldSo(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms", "METRICS_ADDR=127.0.0.1:0")
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	op := harness.Operation(uuid.NewString())
	content := harness.Says(strings.Repeat("word ", 100))
	ended := make(chan harness.Answer, 1)
	go func() { ended <- ada.Post(t, thread+"/turn", content, op) }()
	turn := ada.Runs(t, thread)
	cancelled := ada.Post(t, turn+"/cancel", nil)
	require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
	harness.RequireCode(t, <-ended, http.StatusConflict, "CONFLICT")
	require.Contains(t, p.Metrics(t), `parley_turns_total{key="operator",outcome="cancelled",provider="echo"} 1`)
	harness.RequireCode(t, ada.Post(t, thread+"/turn", content, op), http.StatusConflict, "CONFLICT")
	require.Zero(t, harness.Count(t, harness.Postgres.Superuser(t, p.Database), `SELECT count(*) FROM turn_events`))
}

// The process that runs a turn is gone, or does not hear: it is cancelled all the same, and what it brings is late.
func TestATurnWhoseProcessIsLostIsCancelled(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	super := harness.Postgres.Superuser(t, p.Database)
	id := ada.Post(t, thread+"/turn", harness.Says("hello")).Text("turn_id")
	_, err := super.Exec(t.Context(), `DELETE FROM messages WHERE role = 'assistant'`)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour'`)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `INSERT INTO turn_events SELECT workspace_id, id, 1, 0, '{Echo:," hel"}' FROM llm_turns`)
	require.NoError(t, err)
	cancelled := ada.Post(t, thread+"/turns/"+id+"/cancel", nil)
	require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
	require.Equal(t, "Echo: hel", cancelled.Text("partial_text"))
	require.Equal(t, "Echo: hel", ada.Get(t, thread+"/messages").Items()[1]["content"])
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says("on")).Status)
}

// A turn ends between a cancel call's look at it and its writing: that is no failure of ours.
func TestATurnThatEndsWhileItIsCancelledIsToldToHaveEnded(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	super := harness.Postgres.Superuser(t, p.Database)
	id := ada.Post(t, thread+"/turn", harness.Says("hello")).Text("turn_id")
	_, err := super.Exec(t.Context(), `UPDATE llm_turns SET status = 'running', finished_at = NULL, cancel_attempt = 1, lease_until = now() + interval '1 hour'`)
	require.NoError(t, err)
	end, err := super.Begin(t.Context())
	require.NoError(t, err)
	_, err = end.Exec(t.Context(), `UPDATE llm_turns SET status = 'completed', finished_at = now()`)
	require.NoError(t, err)
	answered := make(chan harness.Answer, 1)
	go func() { answered <- ada.Post(t, thread+"/turns/"+id+"/cancel", nil) }()
	other := harness.Postgres.Superuser(t, p.Database)
	require.Eventually(t, func() bool {
		return harness.Count(t, other, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	}, harness.Timeout, 20*time.Millisecond, "the cancel call does not wait for the end")
	require.NoError(t, end.Commit(t.Context()))
	a := <-answered
	harness.RequireCode(t, a, http.StatusConflict, "CONFLICT")
	require.Equal(t, "completed", a.Text("details.status"))
}

func TestAMessageWhoseTurnIsCancelledIsDealtWith(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, append([]string{"ECHO_DELAY=100ms"}, harness.FastJobs...)...)
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	long := chat.Says(t, "c", strings.Repeat("word ", 100)).Text("event_id")
	var thread string
	require.Eventually(t, func() bool {
		threads := ada.Get(t, "/v1/conversations/threads").Items()
		if len(threads) > 0 {
			thread = "/v1/conversations/threads/" + threads[0]["id"].(string)
		}
		return thread != "" && len(ada.Get(t, thread+"/turns").Items()) > 0
	}, harness.Timeout, 20*time.Millisecond)
	cancelled := ada.Post(t, ada.Runs(t, thread)+"/cancel", nil)
	require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
	event := ada.WaitUntil(t, "/v1/webhook-events/"+long, "status", "processed")
	require.Equal(t, cancelled.Text("id"), event.Text("turn_id"))
	require.Empty(t, ada.Get(t, "/v1/dead-letters").Items())
	next := chat.Says(t, "c", "next").Text("event_id")
	ada.WaitUntil(t, "/v1/webhook-events/"+next, "status", "processed")
}

func TestAFailedTurnIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	turn := ada.Failed(t, thread, harness.Operation(uuid.NewString()))
	record := ada.Get(t, turn)
	require.Equal(t, "failed", record.Text("status"))
	require.Equal(t, map[string]any{"code": "DOWNSTREAM_UNAVAILABLE", "message": "later", "details": nil}, record.Body["error"], "what is inside is not to be shown")
	_, kinds, _ := harness.StreamedText(ada.Open(t, http.MethodGet, turn+"/events", nil).Rest())
	require.Equal(t, []string{"turn.created", "message.created", "turn.failed"}, kinds)

	op := harness.Operation(uuid.NewString())
	a := ada.Post(t, turn+"/retry", nil, op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "Echo: hello", a.Text("assistant_message.content"))
	again := ada.Post(t, turn+"/retry", nil, op)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	require.Equal(t, a.Raw, again.Raw)
	record = ada.Get(t, turn)
	require.Equal(t, []any{"completed", float64(2), nil}, []any{record.Body["status"], record.Body["attempt"], record.Body["error"]})
	harness.RequireCode(t, ada.Post(t, turn+"/retry", nil), http.StatusConflict, "CONFLICT")
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 2)

	streamed := ada.Failed(t, thread, harness.Operation(uuid.NewString()))
	s := ada.Open(t, http.MethodPost, streamed+"/retry", nil)
	frames := s.Rest()
	text, kinds, _ := harness.StreamedText(frames)
	require.Equal(t, "Echo: hello", text)
	require.Equal(t, wholeStream, kinds)
	require.EqualValues(t, 1_000_001, frames[0].ID, "a further attempt is marked")
	require.EqualValues(t, 2, frames[0].Data["attempt"])

	earlier := ada.Failed(t, thread, harness.Operation(uuid.NewString()))
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says("on")).Status)
	harness.RequireCode(t, ada.Post(t, earlier+"/retry", nil), http.StatusConflict, "CONFLICT")
}

// Whatever operation completes a turn, its own operation finds the answer.
func TestTheOperationOfATurnThatWasTriedAgainGetsItsAnswer(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=20ms")
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	op := harness.Operation(uuid.NewString())
	turn := ada.Failed(t, thread, op)
	super := harness.Postgres.Superuser(t, p.Database)
	retried := ada.Post(t, turn+"/retry", nil)
	require.Equal(t, http.StatusOK, retried.Status, retried)
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM messages WHERE role = 'assistant'`))
	// The claim of the first operation is put back as it is after a model's failure.
	fresh := harness.Operation(uuid.NewString())
	first := ada.Post(t, thread+"/turn", harness.Says("other"), fresh)
	require.Equal(t, http.StatusOK, first.Status)
	_, err := super.Exec(t.Context(), `UPDATE operations SET finished_at = NULL, status = NULL, content_type = NULL, body = NULL WHERE id = $1`, fresh.Value)
	require.NoError(t, err)
	other := harness.StartOn(t, p.Database, p.Settings...) // which has no answer cached
	again := (&harness.Caller{Program: other, Token: ada.Token}).Post(t, thread+"/turn", harness.Says("other"), fresh)
	require.Equal(t, http.StatusOK, again.Status, again)
	require.Equal(t, first.Raw, again.Raw)
}

func TestACallCanWaitForABusyThread(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=30ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	const many = 6
	answers := make([]harness.Answer, many)
	done := make(chan struct{}, many)
	for i := range many {
		go func() {
			c := ada
			if i%2 == 1 {
				c = &harness.Caller{Program: other, Token: ada.Token}
			}
			answers[i] = c.Post(t, thread+"/turn", map[string]any{"content": "one two", "on_busy": "enqueue"})
			done <- struct{}{}
		}()
	}
	for range many {
		<-done
	}
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 2*many)
	require.Equal(t, many, harness.Count(t, harness.Postgres.Superuser(t, p.Database), `SELECT count(*) FROM audit_log a JOIN llm_turns t ON t.id::text = a.changes->>'turn_id'`),
		"a turn that is in the audit log under another id")
}

func TestOnlySoManyWaitForAThreadAndNoLongerThanARequestMay(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms")
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	ada = &harness.Caller{Program: harness.StartOn(t, p.Database, append(p.Settings, "REQUEST_TIMEOUT=1s")...), Token: ada.Token}
	s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(strings.Repeat("word ", 30)))
	s.Until("turn.created")
	const many = 12
	answers := harness.AtOnce(many, func() harness.Answer {
		return ada.Post(t, thread+"/turn", map[string]any{"content": "x", "on_busy": "enqueue"})
	})
	for _, a := range answers {
		harness.RequireCode(t, a, http.StatusConflict, "THREAD_BUSY")
	}
	require.Equal(t, 1, harness.Count(t, harness.Postgres.Superuser(t, p.Database), `SELECT count(*) FROM llm_turns`))
}

func TestTurnsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	var want []string
	for range 5 {
		want = append([]string{ada.Post(t, thread+"/turn", harness.Says("x")).Text("turn_id")}, want...)
	}
	var got []string
	for path := thread + "/turns?limit=2"; path != ""; {
		a := ada.Get(t, path)
		require.Equal(t, http.StatusOK, a.Status, a)
		for _, item := range a.Items() {
			got = append(got, item["id"].(string))
		}
		path = ""
		if next := a.Text("next_cursor"); next != "" {
			path = thread + "/turns?limit=2&cursor=" + next
		}
	}
	require.Equal(t, want, got)
	require.Empty(t, ada.Get(t, ada.OpenThread(t)+"/turns").Items())
	harness.RequireCode(t, ada.Get(t, "/v1/conversations/threads/"+uuid.NewString()+"/turns"), http.StatusNotFound, "THREAD_NOT_FOUND")
}
