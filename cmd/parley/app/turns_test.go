package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const patient = 10 * time.Second

// runs waits until a turn runs in a thread, and gives its path.
func (c *caller) runs(t *testing.T, thread string) (turn string) {
	t.Helper()
	require.Eventually(t, func() bool {
		items := c.get(t, thread+"/turns?limit=1").items()
		if len(items) > 0 && items[0]["status"] == "running" {
			turn = thread + "/turns/" + items[0]["id"].(string)
		}
		return turn != ""
	}, patient, 5*time.Millisecond)
	return turn
}

// A cancelled turn stops its model at once, wherever that runs, and keeps what was said.
func TestATurnIsCancelledWhereverItRuns(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=200ms")
	other := startOn(t, p.database, p.settings...)
	ada := p.register(t)
	there := &caller{program: other, token: ada.token}
	content := strings.Repeat("word ", 200) // 40 s
	for name, canceller := range map[string]*caller{"here": ada, "in another process": there} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			thread := ada.openThread(t)
			s := ada.open(t, http.MethodPost, thread+"/turn", says(content))
			s.until("message.delta")
			turn := ada.runs(t, thread)
			began, op := time.Now(), operation(uuid.NewString())
			cancelled := canceller.post(t, turn+"/cancel", nil, op)
			require.Less(t, time.Since(began), 2*time.Second, "the process that runs it was not reached")
			require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
			require.Equal(t, "cancelled", cancelled.text("status"))
			text, kinds, _ := told(s.rest())
			require.Equal(t, []string{"message.completed", "turn.cancelled"}, kinds[len(kinds)-2:], "the stream does not say so")
			partial := cancelled.text("partial_text")
			require.NotEmpty(t, partial)
			require.True(t, strings.HasPrefix("Echo: "+content, partial))
			require.Equal(t, partial, "Echo: "+strings.TrimPrefix(text, "Echo: "), "another text is kept than was told")
			messages := ada.get(t, thread+"/messages").items()
			require.Len(t, messages, 2)
			require.Equal(t, []any{partial, "assistant", "cancelled"}, []any{messages[1]["content"], messages[1]["role"], messages[1]["status"]})
			require.Equal(t, messages[1]["id"], cancelled.text("assistant_message_id"))

			again := canceller.post(t, turn+"/cancel", nil, op)
			require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
			require.Equal(t, cancelled.Raw, again.Raw)
			requireCode(t, ada.post(t, turn+"/cancel", nil), http.StatusConflict, "CONFLICT")
			requireCode(t, ada.post(t, turn+"/retry", nil), http.StatusConflict, "CONFLICT")
			_, kinds, _ = told(there.open(t, http.MethodGet, turn+"/events", nil).rest())
			require.Equal(t, []string{"turn.created", "message.created", "message.delta", "message.completed", "turn.cancelled"}, kinds)
			next := ada.open(t, http.MethodPost, thread+"/turn", says("on"))
			require.Equal(t, http.StatusOK, next.answer.Status, "the thread is not free")
		})
	}
}

func TestACallWhoseTurnIsCancelledIsToldSo(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms", "METRICS_ADDR=127.0.0.1:0")
	ada := p.register(t)
	thread := ada.openThread(t)
	op := operation(uuid.NewString())
	content := says(strings.Repeat("word ", 100))
	ended := make(chan answer, 1)
	go func() { ended <- ada.post(t, thread+"/turn", content, op) }()
	turn := ada.runs(t, thread)
	cancelled := ada.post(t, turn+"/cancel", nil)
	require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
	requireCode(t, <-ended, http.StatusConflict, "CONFLICT")
	require.Contains(t, p.metrics(t), `parley_turns_total{key="operator",outcome="cancelled",provider="echo"} 1`)
	requireCode(t, ada.post(t, thread+"/turn", content, op), http.StatusConflict, "CONFLICT")
	require.Zero(t, count(t, pg.Superuser(t, p.database), `SELECT count(*) FROM turn_events`))
}

// The process that runs a turn is gone, or does not hear: it is cancelled all the same, and what it brings is late.
func TestATurnWhoseProcessIsLostIsCancelled(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	thread := ada.openThread(t)
	super := pg.Superuser(t, p.database)
	id := ada.post(t, thread+"/turn", says("hello")).text("turn_id")
	_, err := super.Exec(t.Context(), `DELETE FROM messages WHERE role = 'assistant'`)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour'`)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `INSERT INTO turn_events SELECT workspace_id, id, 1, 0, '{Echo:," hel"}' FROM llm_turns`)
	require.NoError(t, err)
	cancelled := ada.post(t, thread+"/turns/"+id+"/cancel", nil)
	require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
	require.Equal(t, "Echo: hel", cancelled.text("partial_text"))
	require.Equal(t, "Echo: hel", ada.get(t, thread+"/messages").items()[1]["content"])
	require.Equal(t, http.StatusOK, ada.post(t, thread+"/turn", says("on")).Status)
}

// A turn ends between a cancel call's look at it and its writing: that is no failure of ours.
func TestATurnThatEndsWhileItIsCancelledIsToldToHaveEnded(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	thread := ada.openThread(t)
	super := pg.Superuser(t, p.database)
	id := ada.post(t, thread+"/turn", says("hello")).text("turn_id")
	_, err := super.Exec(t.Context(), `UPDATE llm_turns SET status = 'running', finished_at = NULL, cancel_attempt = 1, lease_until = now() + interval '1 hour'`)
	require.NoError(t, err)
	end, err := super.Begin(t.Context())
	require.NoError(t, err)
	_, err = end.Exec(t.Context(), `UPDATE llm_turns SET status = 'completed', finished_at = now()`)
	require.NoError(t, err)
	told := make(chan answer, 1)
	go func() { told <- ada.post(t, thread+"/turns/"+id+"/cancel", nil) }()
	other := pg.Superuser(t, p.database)
	require.Eventually(t, func() bool {
		return count(t, other, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	}, patient, 20*time.Millisecond, "the cancel call does not wait for the end")
	require.NoError(t, end.Commit(t.Context()))
	a := <-told
	requireCode(t, a, http.StatusConflict, "CONFLICT")
	require.Equal(t, "completed", a.text("details.status"))
}

func TestAMessageWhoseTurnIsCancelledIsDealtWith(t *testing.T) {
	t.Parallel()
	p := start(t, append([]string{"ECHO_DELAY=100ms"}, fastJobs...)...)
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	long := chat.says(t, "c", strings.Repeat("word ", 100)).text("event_id")
	var thread string
	require.Eventually(t, func() bool {
		threads := ada.get(t, "/v1/conversations/threads").items()
		if len(threads) > 0 {
			thread = "/v1/conversations/threads/" + threads[0]["id"].(string)
		}
		return thread != "" && len(ada.get(t, thread+"/turns").items()) > 0
	}, patient, 20*time.Millisecond)
	cancelled := ada.post(t, ada.runs(t, thread)+"/cancel", nil)
	require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
	event := ada.waitUntil(t, "/v1/webhook-events/"+long, "status", "processed")
	require.Equal(t, cancelled.text("id"), event.text("turn_id"))
	require.Empty(t, ada.get(t, "/v1/dead-letters").items())
	next := chat.says(t, "c", "next").text("event_id")
	ada.waitUntil(t, "/v1/webhook-events/"+next, "status", "processed")
}

// failed leaves a turn as a model's failure does.
func (c *caller) failed(t *testing.T, thread string, op header) (turn string) {
	t.Helper()
	a := c.post(t, thread+"/turn", says("hello"), op)
	require.Equal(t, http.StatusOK, a.Status, a)
	super := pg.Superuser(t, c.database)
	for _, sql := range []string{
		`DELETE FROM messages WHERE turn_id = $1 AND role = 'assistant'`,
		`UPDATE llm_turns SET status = 'failed', error = 'dial model.internal: refused', error_code = 'DOWNSTREAM_UNAVAILABLE', error_message = 'later' WHERE id = $1`,
		`DELETE FROM operations WHERE id = (SELECT operation_id FROM llm_turns WHERE id = $1)`,
	} {
		_, err := super.Exec(t.Context(), sql, a.text("turn_id"))
		require.NoError(t, err)
	}
	return thread + "/turns/" + a.text("turn_id")
}

// turnFor makes a turn of which a call takes effect, in a thread of its own.
func (c *caller) turnFor(t *testing.T, call string) (thread, turn string) {
	t.Helper()
	path := c.failed(t, c.openThread(t), operation(uuid.NewString()))
	if call == "cancelTurn" {
		_, err := pg.Superuser(t, c.database).Exec(t.Context(),
			`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour' WHERE status = 'failed'`)
		require.NoError(t, err)
	}
	parts := strings.Split(path, "/")
	return parts[4], parts[6]
}

func TestAFailedTurnIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	thread := ada.openThread(t)
	turn := ada.failed(t, thread, operation(uuid.NewString()))
	record := ada.get(t, turn)
	require.Equal(t, "failed", record.text("status"))
	require.Equal(t, map[string]any{"code": "DOWNSTREAM_UNAVAILABLE", "message": "later", "details": nil}, record.Body["error"], "what is inside is not to be shown")
	_, kinds, _ := told(ada.open(t, http.MethodGet, turn+"/events", nil).rest())
	require.Equal(t, []string{"turn.created", "message.created", "turn.failed"}, kinds)

	op := operation(uuid.NewString())
	a := ada.post(t, turn+"/retry", nil, op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "Echo: hello", a.text("assistant_message.content"))
	again := ada.post(t, turn+"/retry", nil, op)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	require.Equal(t, a.Raw, again.Raw)
	record = ada.get(t, turn)
	require.Equal(t, []any{"completed", float64(2), nil}, []any{record.Body["status"], record.Body["attempt"], record.Body["error"]})
	requireCode(t, ada.post(t, turn+"/retry", nil), http.StatusConflict, "CONFLICT")
	require.Len(t, ada.get(t, thread+"/messages").items(), 2)

	streamed := ada.failed(t, thread, operation(uuid.NewString()))
	s := ada.open(t, http.MethodPost, streamed+"/retry", nil)
	frames := s.rest()
	text, kinds, _ := told(frames)
	require.Equal(t, "Echo: hello", text)
	require.Equal(t, wholeStream, kinds)
	require.EqualValues(t, 1_000_001, frames[0].id, "a further attempt is marked")
	require.EqualValues(t, 2, frames[0].data["attempt"])

	earlier := ada.failed(t, thread, operation(uuid.NewString()))
	require.Equal(t, http.StatusOK, ada.post(t, thread+"/turn", says("on")).Status)
	requireCode(t, ada.post(t, earlier+"/retry", nil), http.StatusConflict, "CONFLICT")
}

// Whatever operation completes a turn, its own operation finds the answer.
func TestTheOperationOfATurnThatWasTriedAgainGetsItsAnswer(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=20ms")
	ada := p.register(t)
	thread := ada.openThread(t)
	op := operation(uuid.NewString())
	turn := ada.failed(t, thread, op)
	super := pg.Superuser(t, p.database)
	retried := ada.post(t, turn+"/retry", nil)
	require.Equal(t, http.StatusOK, retried.Status, retried)
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM messages WHERE role = 'assistant'`))
	// The claim of the first operation is put back as it is after a model's failure.
	fresh := operation(uuid.NewString())
	first := ada.post(t, thread+"/turn", says("other"), fresh)
	require.Equal(t, http.StatusOK, first.Status)
	_, err := super.Exec(t.Context(), `UPDATE operations SET finished_at = NULL, status = NULL, content_type = NULL, body = NULL WHERE id = $1`, fresh.value)
	require.NoError(t, err)
	other := startOn(t, p.database, p.settings...) // which has no answer cached
	again := (&caller{program: other, token: ada.token}).post(t, thread+"/turn", says("other"), fresh)
	require.Equal(t, http.StatusOK, again.Status, again)
	require.Equal(t, first.Raw, again.Raw)
}

func TestACallCanWaitForABusyThread(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=30ms")
	other := startOn(t, p.database, p.settings...)
	ada := p.register(t)
	thread := ada.openThread(t)
	const many = 6
	answers := make([]answer, many)
	done := make(chan struct{}, many)
	for i := range many {
		go func() {
			c := ada
			if i%2 == 1 {
				c = &caller{program: other, token: ada.token}
			}
			answers[i] = c.post(t, thread+"/turn", map[string]any{"content": "one two", "on_busy": "enqueue"})
			done <- struct{}{}
		}()
	}
	for range many {
		<-done
	}
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	require.Len(t, ada.get(t, thread+"/messages").items(), 2*many)
	require.Equal(t, many, count(t, pg.Superuser(t, p.database), `SELECT count(*) FROM audit_log a JOIN llm_turns t ON t.id::text = a.changes->>'turn_id'`),
		"a turn that is in the audit log under another id")
}

func TestOnlySoManyWaitForAThreadAndNoLongerThanARequestMay(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms", "REQUEST_TIMEOUT=1s")
	ada := p.register(t)
	thread := ada.openThread(t)
	s := ada.open(t, http.MethodPost, thread+"/turn", says(strings.Repeat("word ", 30)))
	s.until("turn.created")
	const many = 12
	answers := atOnce(many, func() answer {
		return ada.post(t, thread+"/turn", map[string]any{"content": "x", "on_busy": "enqueue"})
	})
	for _, a := range answers {
		requireCode(t, a, http.StatusConflict, "THREAD_BUSY")
	}
	require.Equal(t, 1, count(t, pg.Superuser(t, p.database), `SELECT count(*) FROM llm_turns`))
}

func TestTurnsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	thread := ada.openThread(t)
	var want []string
	for range 5 {
		want = append([]string{ada.post(t, thread+"/turn", says("x")).text("turn_id")}, want...)
	}
	var got []string
	for path := thread + "/turns?limit=2"; path != ""; {
		a := ada.get(t, path)
		require.Equal(t, http.StatusOK, a.Status, a)
		for _, item := range a.items() {
			got = append(got, item["id"].(string))
		}
		path = ""
		if next := a.text("next_cursor"); next != "" {
			path = thread + "/turns?limit=2&cursor=" + next
		}
	}
	require.Equal(t, want, got)
	require.Empty(t, ada.get(t, ada.openThread(t)+"/turns").items())
	requireCode(t, ada.get(t, "/v1/conversations/threads/"+uuid.NewString()+"/turns"), http.StatusNotFound, "THREAD_NOT_FOUND")
}
