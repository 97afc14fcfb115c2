package turns

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

var wholeStream = []string{"turn.created", "message.created", "message.delta", "message.completed", "turn.completed"}

func TestAStreamTellsATurnWordByWordAndEndsWhenItIsStored(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=1s") // a reader that comes after several words is given them as one
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	op := uuid.NewString()
	s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("one two three"), harness.Operation(op))
	require.Equal(t, http.StatusOK, s.Answer.Status)
	for name, value := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Operation-Id": op, "X-Operation-Replayed": "",
	} {
		require.Equal(t, value, s.Answer.Header.Get(name), name)
	}
	frames := s.Rest()
	text, kinds, _ := harness.StreamedText(frames)
	require.Equal(t, "Echo: one two three", text)
	require.Equal(t, wholeStream, kinds)
	for i, f := range frames {
		require.EqualValues(t, i+1, f.ID)
	}
	require.Len(t, frames, 4+4, "a delta for each word")
	require.Equal(t, op, frames[0].Data["operation_id"])
	last := frames[len(frames)-1]
	require.Equal(t, "stop", last.Data["finish_reason"])
	turn := ada.Get(t, thread+"/turns/"+last.Data["turn_id"].(string))
	require.Equal(t, "completed", turn.Text("status"), turn)
	messages := ada.Get(t, thread+"/messages").Items()
	require.Len(t, messages, 2)
	require.Equal(t, frames[len(frames)-2].Data["message"], messages[1])
	require.Equal(t, messages[1]["id"], turn.Text("assistant_message_id"))
	require.Equal(t, messages[0]["id"], turn.Text("user_message_id"))

	again := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("one two three"), harness.Operation(op))
	require.Equal(t, "true", again.Answer.Header.Get("X-Operation-Replayed"))
	text, kinds, _ = harness.StreamedText(again.Rest())
	require.Equal(t, "Echo: one two three", text)
	require.Equal(t, wholeStream, kinds)
	whole := ada.Post(t, thread+"/turn", harness.Says("one two three"), harness.Operation(op))
	require.Equal(t, "true", whole.Header.Get("X-Operation-Replayed"))
	require.Equal(t, "Echo: one two three", whole.Text("assistant_message.content"))
	require.Equal(t, last.Data["turn_id"], whole.Text("turn_id"))

	plain := uuid.NewString()
	first := ada.Post(t, thread+"/turn", harness.Says("plain"), harness.Operation(plain))
	require.Equal(t, http.StatusOK, first.Status)
	short := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("plain"), harness.Operation(plain))
	require.Equal(t, "true", short.Answer.Header.Get("X-Operation-Replayed"))
	text, kinds, _ = harness.StreamedText(short.Rest())
	require.Equal(t, "Echo: plain", text)
	require.Equal(t, wholeStream, kinds)
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 4)
}

// Whatever the last frame was that a client got, the rest is there: while the turn runs, when it has ended, here and in
// another process.
func TestAClientThatIsCutOffAtAnyFrameLosesNothing(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=1s")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	const content = "zero one two three four"
	for cut := range int64(10) {
		t.Run(strconv.FormatInt(cut, 10), func(t *testing.T) {
			t.Parallel()
			thread := ada.OpenThread(t)
			s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content))
			var got []harness.Frame
			for range cut {
				f, ok := s.Next()
				require.True(t, ok)
				got = append(got, f)
			}
			s.Close()
			turn := ada.Get(t, thread+"/turns").Items()[0]["id"].(string)
			path := thread + "/turns/" + turn + "/events"
			for name, c := range map[string]*harness.Caller{"here": ada, "elsewhere": there, "after the end": there} {
				rest := c.Open(t, http.MethodGet, path, nil, harness.After(cut)).Rest()
				if cut == 0 {
					rest = c.Open(t, http.MethodGet, path, nil).Rest()
				}
				text, kinds, last := harness.StreamedText(append(append([]harness.Frame{}, got...), rest...))
				require.Equal(t, "Echo: "+content, text, name)
				require.Equal(t, wholeStream, kinds, name)
				require.EqualValues(t, 10, last, name)
				for i, f := range rest {
					require.Greater(t, f.ID, cut, name)
					require.True(t, i == 0 || f.ID > rest[i-1].ID, name)
				}
			}
			var messages []string
			for _, m := range ada.Get(t, thread+"/messages").Items() {
				messages = append(messages, m["role"].(string)+" "+m["content"].(string))
			}
			require.Equal(t, []string{"user " + content, "assistant Echo: " + content}, messages)
		})
	}
}

func TestATurnThatNobodyStreamsWritesNoEventsAndCanBeFollowed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	a := ada.Post(t, thread+"/turn", harness.Says("one two"))
	require.Equal(t, http.StatusOK, a.Status)
	require.Zero(t, harness.Count(t, harness.Postgres.Superuser(t, p.Database), `SELECT count(*) FROM turn_events`))
	path := thread + "/turns/" + a.Text("turn_id") + "/events"
	for cut, want := range [][]string{wholeStream, wholeStream[1:], wholeStream[2:], wholeStream[3:], wholeStream[4:]} {
		headers := []harness.Header{}
		if cut > 0 {
			headers = append(headers, harness.After(int64(cut)))
		}
		_, kinds, last := harness.StreamedText(ada.Open(t, http.MethodGet, path, nil, headers...).Rest())
		require.Equal(t, want, kinds, cut)
		require.EqualValues(t, 5, last)
	}
	require.Equal(t, http.StatusNoContent, ada.Get(t, path, harness.After(5)).Status)
}

func TestAPositionThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	thread := ada.OpenThread(t)
	turn := ada.Post(t, thread+"/turn", harness.Says("hello")).Text("turn_id")
	path := thread + "/turns/" + turn + "/events"
	for _, id := range []string{"x", "0", "-1", "1.5", "9223372036854775808", "1000001", "6"} {
		a := ada.Get(t, path, harness.Header{Name: "Last-Event-ID", Value: id})
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		require.Equal(t, "Last-Event-ID", a.Body["details"].(map[string]any)["errors"].([]any)[0].(map[string]any)["field"])
	}
	for _, foreign := range []harness.Answer{eve.Get(t, path), ada.Get(t, ada.OpenThread(t)+"/turns/"+turn+"/events")} {
		harness.RequireCode(t, foreign, http.StatusNotFound, "NOT_FOUND")
		never := eve.Get(t, "/v1/conversations/threads/"+uuid.NewString()+"/turns/"+uuid.NewString()+"/events")
		harness.RequireSameButTrace(t, never, foreign)
	}
}

func TestWhatIsRefusedBeforeTheStreamIsAnOrdinaryError(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=1s")
	ada := p.Register(t)
	harness.RequireCode(t, ada.Open(t, http.MethodPost, "/v1/conversations/threads/"+uuid.NewString()+"/turn", harness.Says("x")).Answer, http.StatusNotFound, "THREAD_NOT_FOUND")
	thread := ada.OpenThread(t)
	op := uuid.NewString()
	s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("one two three four"), harness.Operation(op))
	created := s.Until("turn.created")
	busy := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("y")).Answer
	harness.RequireCode(t, busy, http.StatusConflict, "THREAD_BUSY")
	require.Equal(t, created.Data["turn_id"], busy.Text("details.active_turn_id"))
	harness.RequireCode(t, ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("z"), harness.Operation(op)).Answer, http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	harness.RequireCode(t, ada.Open(t, http.MethodPost, thread+"/turn", map[string]any{"content": "x", "on_busy": "never"}).Answer, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	_, kinds, _ := harness.StreamedText(s.Rest())
	require.Equal(t, wholeStream[1:], kinds)
}

func TestTheSameOperationJoinsTheStreamHereAndElsewhere(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=300ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	thread := ada.OpenThread(t)
	const content = "one two three four five six seven eight nine ten"
	op := harness.Operation(uuid.NewString())
	first := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op)
	created := first.Until("turn.created")
	began := time.Now()
	for name, c := range map[string]*harness.Caller{"here": ada, "elsewhere": there} {
		s := c.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op)
		f := s.Until("turn.created")
		require.Less(t, time.Since(began), 3*time.Second, "%s: joined only after the turn", name)
		require.Equal(t, created.Data["turn_id"], f.Data["turn_id"], name)
		text, kinds, _ := harness.StreamedText(s.Rest())
		require.Equal(t, "Echo: "+content, text, name)
		require.Equal(t, wholeStream[1:], kinds, name)
		if name == "here" || name == "elsewhere" { // the second finds it ended, or nearly so
			began = time.Now()
		}
	}
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 2)
}

// A process is lost in the middle of a stream: whoever follows the turn receives the next attempt, and begins its text anew.
func TestARecoveredTurnMarksANewAttemptInItsStream(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms", "JOB_POLL_INTERVAL=50ms", "ECHO_DELAY=30ms")
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	super := harness.Postgres.Superuser(t, p.Database)
	turn := ada.Post(t, thread+"/turn", harness.Says("one two")).Text("turn_id")
	for _, sql := range []string{
		`DELETE FROM messages WHERE role = 'assistant'`,
		`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour'`,
		`INSERT INTO turn_events SELECT workspace_id, id, 1, 0, '{"Echo: ","lost "}' FROM llm_turns`,
	} {
		_, err := super.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	s := ada.Open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil)
	for _, want := range []string{"turn.created", "message.created", "message.delta", "message.delta"} {
		f, ok := s.Next()
		require.True(t, ok)
		require.Equal(t, want, f.Kind)
	}
	_, err := super.Exec(t.Context(), `UPDATE llm_turns SET lease_until = now() - interval '1 second'`)
	require.NoError(t, err)
	frames := s.Rest()
	text, kinds, _ := harness.StreamedText(frames)
	require.Equal(t, wholeStream, kinds)
	require.Equal(t, "Echo: one two", text)
	require.EqualValues(t, 2, frames[0].Data["attempt"])
	require.EqualValues(t, 1_000_001, frames[0].ID)
	require.Positive(t, harness.Count(t, super, `SELECT count(*) FROM turn_events WHERE attempt = 2`), "a follower in another process receives only the end")
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 2)
}

func TestAReaderThatStallsKeepsNoTurnFromItsEnd(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	content := strings.Repeat("a ", 25_000) // some 8 MB of events
	stalled := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content))
	require.Equal(t, http.StatusOK, stalled.Answer.Status)
	var turn map[string]any
	require.Eventually(t, func() bool {
		if turns := ada.Get(t, thread+"/turns").Items(); len(turns) > 0 {
			turn = turns[0]
		}
		return turn["status"] == "completed"
	}, harness.Timeout, 20*time.Millisecond)
	text, kinds, _ := harness.StreamedText(ada.Open(t, http.MethodGet, thread+"/turns/"+turn["id"].(string)+"/events", nil, harness.After(100)).Rest())
	require.Equal(t, wholeStream[2:], kinds)
	require.True(t, strings.HasSuffix("Echo: "+content, text))
	require.Len(t, text, len("Echo: "+content)-len("Echo: ")-2*(100-3))
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says("on")).Status)
}

func TestAStopLetsAStreamedTurnEndAndEndsTheFollowingOfOthers(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	thread := ada.OpenThread(t)
	s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("one two three four five six"))
	created := s.Until("turn.created")
	follower := there.Open(t, http.MethodGet, thread+"/turns/"+created.Data["turn_id"].(string)+"/events", nil)
	follower.Until("turn.created")
	began := time.Now()
	require.Equal(t, app.ExitOK, other.Stop())
	require.Less(t, time.Since(began), 5*time.Second, "a follower keeps its process from stopping")
	follower.Rest()
	require.Equal(t, app.ExitOK, p.Stop())
	_, kinds, _ := harness.StreamedText(s.Rest())
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
}
