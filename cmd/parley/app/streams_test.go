package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// frame is one event as it came.
type frame struct {
	id   int64
	kind string
	data map[string]any
}

func (f frame) text() string {
	delta, _ := f.data["delta"].(map[string]any)
	text, _ := delta["text"].(string)
	return text
}

// eventReader reads a stream frame by frame, and holds each to the document.
type eventReader struct {
	t      *testing.T
	answer answer // status and headers; the body too where it is no stream
	lines  *bufio.Scanner
	retry  int // milliseconds; 0: not told
	close  func()
}

// open asks for a stream. The caller's client would read the whole answer first.
func (c *caller) open(t *testing.T, method, path string, body any, headers ...header) *eventReader {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, nil)
	require.NoError(t, err)
	if body != nil {
		req, err = http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(raw))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "text/event-stream")
	for _, h := range headers {
		req.Header.Set(h.name, h.value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	s := &eventReader{t: t, answer: answer{Status: res.StatusCode, Header: res.Header}, lines: bufio.NewScanner(res.Body)}
	s.lines.Buffer(nil, 1<<20)
	s.close = func() { cancel(); _ = res.Body.Close() }
	t.Cleanup(s.close)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		for s.lines.Scan() {
			s.answer.Raw = append(s.answer.Raw, s.lines.Bytes()...)
		}
		require.NoError(t, json.Unmarshal(s.answer.Raw, &s.answer.Body))
	}
	return s
}

// next gives the next event; false at the end of the stream.
func (s *eventReader) next() (f frame, ok bool) {
	s.t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			var err error
			f.id, err = strconv.ParseInt(value, 10, 64)
			require.NoError(s.t, err)
		case "retry":
			var err error
			s.retry, err = strconv.Atoi(value)
			require.NoError(s.t, err)
		case "event":
			f.kind = value
		case "data":
			require.NoError(s.t, json.Unmarshal([]byte(value), &f.data))
		case "":
			if f.kind == "" {
				continue // behind a comment
			}
			require.NoError(s.t, loadedContract().events.VisitJSON(f.data), "%v", f)
			require.Equal(s.t, f.kind, f.data["type"])
			require.EqualValues(s.t, f.id, f.data["sequence_number"])
			require.Equal(s.t, s.answer.Header.Get("X-Trace-Id"), f.data["trace_id"])
			return f, true
		}
	}
	return frame{}, false
}

// rest reads to the end.
func (s *eventReader) rest() (frames []frame) {
	s.t.Helper()
	for {
		f, ok := s.next()
		if !ok {
			return frames
		}
		frames = append(frames, f)
	}
}

// until reads to the first event of a kind.
func (s *eventReader) until(kind string) frame {
	s.t.Helper()
	for {
		f, ok := s.next()
		require.True(s.t, ok, "the stream ended before %s", kind)
		if f.kind == kind {
			return f
		}
	}
}

// told is what a client that follows the rules has made of events: its text, the kinds in their order without repeated
// deltas, and the position.
func told(frames []frame) (text string, kinds []string, position int64) {
	for _, f := range frames {
		if f.kind == "message.created" {
			text = ""
		}
		text += f.text()
		if len(kinds) == 0 || kinds[len(kinds)-1] != f.kind {
			kinds = append(kinds, f.kind)
		}
		position = f.id
	}
	return text, kinds, position
}

var wholeStream = []string{"turn.created", "message.created", "message.delta", "message.completed", "turn.completed"}

// openThread opens one and gives its path.
func (c *caller) openThread(t *testing.T) string {
	t.Helper()
	a := c.post(t, "/v1/conversations/threads", map[string]any{})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return "/v1/conversations/threads/" + a.text("id")
}

func says(content string) map[string]any { return map[string]any{"content": content} }

func after(id int64) header { return header{"Last-Event-ID", strconv.FormatInt(id, 10)} }

func TestAStreamTellsATurnWordByWordAndEndsWhenItIsStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	thread := ada.openThread(t)
	op := uuid.NewString()
	s := ada.open(t, http.MethodPost, thread+"/turn", says("one two three"), operation(op))
	require.Equal(t, http.StatusOK, s.answer.Status)
	for name, value := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Operation-Id": op, "X-Operation-Replayed": "",
	} {
		require.Equal(t, value, s.answer.Header.Get(name), name)
	}
	frames := s.rest()
	text, kinds, _ := told(frames)
	require.Equal(t, "Echo: one two three", text)
	require.Equal(t, wholeStream, kinds)
	for i, f := range frames {
		require.EqualValues(t, i+1, f.id)
	}
	require.Len(t, frames, 4+4, "a delta for each word")
	require.Equal(t, op, frames[0].data["operation_id"])
	last := frames[len(frames)-1]
	require.Equal(t, "stop", last.data["finish_reason"])
	turn := ada.get(t, thread+"/turns/"+last.data["turn_id"].(string))
	require.Equal(t, "completed", turn.text("status"), turn)
	messages := ada.get(t, thread+"/messages").items()
	require.Len(t, messages, 2)
	require.Equal(t, frames[len(frames)-2].data["message"], messages[1])
	require.Equal(t, messages[1]["id"], turn.text("assistant_message_id"))
	require.Equal(t, messages[0]["id"], turn.text("user_message_id"))

	again := ada.open(t, http.MethodPost, thread+"/turn", says("one two three"), operation(op))
	require.Equal(t, "true", again.answer.Header.Get("X-Operation-Replayed"))
	text, kinds, _ = told(again.rest())
	require.Equal(t, "Echo: one two three", text)
	require.Equal(t, wholeStream, kinds)
	whole := ada.post(t, thread+"/turn", says("one two three"), operation(op))
	require.Equal(t, "true", whole.Header.Get("X-Operation-Replayed"))
	require.Equal(t, "Echo: one two three", whole.text("assistant_message.content"))
	require.Equal(t, last.data["turn_id"], whole.text("turn_id"))

	plain := uuid.NewString()
	first := ada.post(t, thread+"/turn", says("plain"), operation(plain))
	require.Equal(t, http.StatusOK, first.Status)
	short := ada.open(t, http.MethodPost, thread+"/turn", says("plain"), operation(plain))
	require.Equal(t, "true", short.answer.Header.Get("X-Operation-Replayed"))
	text, kinds, _ = told(short.rest())
	require.Equal(t, "Echo: plain", text)
	require.Equal(t, wholeStream, kinds)
	require.Len(t, ada.get(t, thread+"/messages").items(), 4)
}

// Whatever the last frame was that a client got, the rest is there: while the turn runs, when it has ended, here and in
// another process.
func TestAClientThatIsCutOffAtAnyFrameLosesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=30ms")
	other := startOn(t, p.database, p.settings...)
	ada := p.register(t)
	there := &caller{program: other, token: ada.token}
	const content = "zero one two three four"
	for cut := range int64(10) {
		t.Run(strconv.FormatInt(cut, 10), func(t *testing.T) {
			t.Parallel()
			thread := ada.openThread(t)
			s := ada.open(t, http.MethodPost, thread+"/turn", says(content))
			var got []frame
			for range cut {
				f, ok := s.next()
				require.True(t, ok)
				got = append(got, f)
			}
			s.close()
			turn := ada.get(t, thread+"/turns").items()[0]["id"].(string)
			path := thread + "/turns/" + turn + "/events"
			for name, c := range map[string]*caller{"here": ada, "elsewhere": there, "after the end": there} {
				rest := c.open(t, http.MethodGet, path, nil, after(cut)).rest()
				if cut == 0 {
					rest = c.open(t, http.MethodGet, path, nil).rest()
				}
				text, kinds, last := told(append(append([]frame{}, got...), rest...))
				require.Equal(t, "Echo: "+content, text, name)
				require.Equal(t, wholeStream, kinds, name)
				require.EqualValues(t, 10, last, name)
				for i, f := range rest {
					require.Greater(t, f.id, cut, name)
					require.True(t, i == 0 || f.id > rest[i-1].id, name)
				}
			}
			var said []string
			for _, m := range ada.get(t, thread+"/messages").items() {
				said = append(said, m["role"].(string)+" "+m["content"].(string))
			}
			require.Equal(t, []string{"user " + content, "assistant Echo: " + content}, said)
		})
	}
}

func TestATurnThatNobodyStreamsWritesNoEventsAndCanBeFollowed(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	thread := ada.openThread(t)
	a := ada.post(t, thread+"/turn", says("one two"))
	require.Equal(t, http.StatusOK, a.Status)
	require.Zero(t, count(t, pg.Superuser(t, p.database), `SELECT count(*) FROM turn_events`))
	path := thread + "/turns/" + a.text("turn_id") + "/events"
	for cut, want := range [][]string{wholeStream, wholeStream[1:], wholeStream[2:], wholeStream[3:], wholeStream[4:]} {
		headers := []header{}
		if cut > 0 {
			headers = append(headers, after(int64(cut)))
		}
		_, kinds, last := told(ada.open(t, http.MethodGet, path, nil, headers...).rest())
		require.Equal(t, want, kinds, cut)
		require.EqualValues(t, 5, last)
	}
	require.Equal(t, http.StatusNoContent, ada.get(t, path, after(5)).Status)
}

func TestAPositionThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	thread := ada.openThread(t)
	turn := ada.post(t, thread+"/turn", says("hello")).text("turn_id")
	path := thread + "/turns/" + turn + "/events"
	for _, id := range []string{"x", "0", "-1", "1.5", "9223372036854775808", "1000001", "6"} {
		a := ada.get(t, path, header{"Last-Event-ID", id})
		requireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		require.Equal(t, "Last-Event-ID", a.Body["details"].(map[string]any)["errors"].([]any)[0].(map[string]any)["field"])
	}
	for _, foreign := range []answer{eve.get(t, path), ada.get(t, ada.openThread(t)+"/turns/"+turn+"/events")} {
		requireCode(t, foreign, http.StatusNotFound, "NOT_FOUND")
		never := eve.get(t, "/v1/conversations/threads/"+uuid.NewString()+"/turns/"+uuid.NewString()+"/events")
		requireSameButTrace(t, never, foreign)
	}
}

func TestWhatIsRefusedBeforeTheStreamIsAnOrdinaryError(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=50ms")
	ada := p.register(t)
	requireCode(t, ada.open(t, http.MethodPost, "/v1/conversations/threads/"+uuid.NewString()+"/turn", says("x")).answer, http.StatusNotFound, "THREAD_NOT_FOUND")
	thread := ada.openThread(t)
	op := uuid.NewString()
	s := ada.open(t, http.MethodPost, thread+"/turn", says("one two three four"), operation(op))
	created := s.until("turn.created")
	busy := ada.open(t, http.MethodPost, thread+"/turn", says("y")).answer
	requireCode(t, busy, http.StatusConflict, "THREAD_BUSY")
	require.Equal(t, created.data["turn_id"], busy.text("details.active_turn_id"))
	requireCode(t, ada.open(t, http.MethodPost, thread+"/turn", says("z"), operation(op)).answer, http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	requireCode(t, ada.open(t, http.MethodPost, thread+"/turn", map[string]any{"content": "x", "on_busy": "never"}).answer, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	_, kinds, _ := told(s.rest())
	require.Equal(t, wholeStream[1:], kinds)
}

func TestTheSameOperationJoinsTheStreamHereAndElsewhere(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms")
	other := startOn(t, p.database, p.settings...)
	ada := p.register(t)
	there := &caller{program: other, token: ada.token}
	thread := ada.openThread(t)
	const content = "one two three four five six seven eight nine ten"
	op := operation(uuid.NewString())
	first := ada.open(t, http.MethodPost, thread+"/turn", says(content), op)
	created := first.until("turn.created")
	began := time.Now()
	for name, c := range map[string]*caller{"here": ada, "elsewhere": there} {
		s := c.open(t, http.MethodPost, thread+"/turn", says(content), op)
		f := s.until("turn.created")
		require.Less(t, time.Since(began), 900*time.Millisecond, "%s: joined only after the turn", name)
		require.Equal(t, created.data["turn_id"], f.data["turn_id"], name)
		text, kinds, _ := told(s.rest())
		require.Equal(t, "Echo: "+content, text, name)
		require.Equal(t, wholeStream[1:], kinds, name)
		if name == "here" || name == "elsewhere" { // the second finds it ended, or nearly so
			began = time.Now()
		}
	}
	require.Len(t, ada.get(t, thread+"/messages").items(), 2)
}

// A process is lost in the middle of a stream: who follows the turn is told of the next attempt, and begins its text anew.
func TestARecoveredTurnMarksANewAttemptInItsStream(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=100ms", "JOB_POLL_INTERVAL=50ms", "ECHO_DELAY=30ms")
	ada := p.register(t)
	thread := ada.openThread(t)
	super := pg.Superuser(t, p.database)
	turn := ada.post(t, thread+"/turn", says("one two")).text("turn_id")
	for _, sql := range []string{
		`DELETE FROM messages WHERE role = 'assistant'`,
		`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour'`,
		`INSERT INTO turn_events SELECT workspace_id, id, 1, 0, '{"Echo: ","lost "}' FROM llm_turns`,
	} {
		_, err := super.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	s := ada.open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil)
	for _, want := range []string{"turn.created", "message.created", "message.delta", "message.delta"} {
		f, ok := s.next()
		require.True(t, ok)
		require.Equal(t, want, f.kind)
	}
	_, err := super.Exec(t.Context(), `UPDATE llm_turns SET lease_until = now() - interval '1 second'`)
	require.NoError(t, err)
	frames := s.rest()
	text, kinds, _ := told(frames)
	require.Equal(t, wholeStream, kinds)
	require.Equal(t, "Echo: one two", text)
	require.EqualValues(t, 2, frames[0].data["attempt"])
	require.EqualValues(t, 1_000_001, frames[0].id)
	require.Positive(t, count(t, super, `SELECT count(*) FROM turn_events WHERE attempt = 2`), "who follows elsewhere is told at the end only")
	require.Len(t, ada.get(t, thread+"/messages").items(), 2)
}

func TestAReaderThatStallsKeepsNoTurnFromItsEnd(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	thread := ada.openThread(t)
	content := strings.Repeat("a ", 25_000) // some 8 MB of events
	stalled := ada.open(t, http.MethodPost, thread+"/turn", says(content))
	require.Equal(t, http.StatusOK, stalled.answer.Status)
	var turn map[string]any
	require.Eventually(t, func() bool {
		if turns := ada.get(t, thread+"/turns").items(); len(turns) > 0 {
			turn = turns[0]
		}
		return turn["status"] == "completed"
	}, patient, 20*time.Millisecond)
	text, kinds, _ := told(ada.open(t, http.MethodGet, thread+"/turns/"+turn["id"].(string)+"/events", nil, after(100)).rest())
	require.Equal(t, wholeStream[2:], kinds)
	require.True(t, strings.HasSuffix("Echo: "+content, text))
	require.Len(t, text, len("Echo: "+content)-len("Echo: ")-2*(100-3))
	require.Equal(t, http.StatusOK, ada.post(t, thread+"/turn", says("on")).Status)
}

func TestAStopLetsAStreamedTurnEndAndEndsTheFollowingOfOthers(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms")
	other := startOn(t, p.database, p.settings...)
	ada := p.register(t)
	there := &caller{program: other, token: ada.token}
	thread := ada.openThread(t)
	s := ada.open(t, http.MethodPost, thread+"/turn", says("one two three four five six"))
	created := s.until("turn.created")
	follower := there.open(t, http.MethodGet, thread+"/turns/"+created.data["turn_id"].(string)+"/events", nil)
	follower.until("turn.created")
	began := time.Now()
	require.Equal(t, ExitOK, other.stop())
	require.Less(t, time.Since(began), 5*time.Second, "a follower keeps its process from stopping")
	follower.rest()
	require.Equal(t, ExitOK, p.stop())
	_, kinds, _ := told(s.rest())
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
}
