package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"
)

// cutting serves a program's calls and breaks each of the first connections off in the middle of a stream, behind so many
// whole events. It counts the calls.
func cutting(t *testing.T, target string, cuts, events int) (url string, calls *atomic.Int32) {
	t.Helper()
	calls = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n := int(calls.Add(1))
		onward := req.Clone(req.Context())
		onward.RequestURI = ""
		var err error
		onward.URL, err = req.URL.Parse(target + req.URL.RequestURI())
		if err != nil {
			panic(err)
		}
		res, err := http.DefaultTransport.RoundTrip(onward)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		maps.Copy(w.Header(), res.Header)
		w.WriteHeader(res.StatusCode)
		seen := 0
		for lines := bufio.NewReader(res.Body); ; {
			line, err := lines.ReadString('\n')
			if strings.HasPrefix(line, "id:") && seen == events && n <= cuts {
				panic(http.ErrAbortHandler) // in the middle of the next event
			}
			if strings.HasPrefix(line, "data:") {
				seen++
			}
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

// eventSource reads a stream as the HTML standard has it (9.2): it connects again, as long as the server has said, until an
// answer is no stream. It returns the events and the last status.
func eventSource(ctx context.Context, t *testing.T, client *http.Client, url, token string) (events []frame, status int) {
	t.Helper()
	last, pause := "", 3*time.Second // of the browsers
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "text/event-stream")
		req.Header.Set("Authorization", "Bearer "+token)
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		res, err := client.Do(req)
		require.NoError(t, err)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
			return events, res.StatusCode
		}
		var event frame
		var data, id string
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				event.kind = value
			case "data":
				data += value
			case "id":
				id = value
			case "retry":
				ms, err := strconv.Atoi(value)
				require.NoError(t, err)
				pause = time.Duration(ms) * time.Millisecond
			}
			if lines.Text() != "" {
				continue
			}
			if last = id; data != "" {
				require.NoError(t, json.Unmarshal([]byte(data), &event.data))
				event.id, _ = strconv.ParseInt(id, 10, 64)
				events = append(events, event)
			}
			event, data = frame{}, ""
		}
		_ = res.Body.Close()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			require.FailNow(t, "it would go on for ever", "%d events", len(events))
		}
	}
}

// requireOnce holds what a client has got, over all its connections, to one whole stream.
func requireOnce(t *testing.T, events []frame, content string) {
	t.Helper()
	text, kinds, _ := told(events)
	require.Equal(t, "Echo: "+content, text)
	require.Equal(t, wholeStream, kinds)
	for i, f := range events {
		require.True(t, i == 0 || f.id > events[i-1].id, "an event came twice: %v", events)
	}
}

func TestAnEventSourceStopsBehindTheLastEventAndSeesNoneTwice(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=30ms")
	ada := p.register(t)
	const content = "zero one two three four five six"
	for name, headers := range map[string][]header{"a turn that is streamed": {{"Accept", "text/event-stream"}}, "one that is not": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			thread := ada.openThread(t)
			require.Equal(t, http.StatusOK, ada.post(t, thread+"/turn", says(content), headers...).Status)
			turn := ada.get(t, thread+"/turns").items()[0]["id"].(string)
			url, calls := cutting(t, p.url, 2, 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			events, status := eventSource(ctx, t, http.DefaultClient, url+thread+"/turns/"+turn+"/events", ada.token)
			require.Equal(t, http.StatusNoContent, status)
			require.EqualValues(t, 4, calls.Load(), "two that broke off, one to the end, one that ends it")
			requireOnce(t, events, content)
		})
	}
	t.Run("a turn that runs", func(t *testing.T) {
		t.Parallel()
		thread := ada.openThread(t)
		s := ada.open(t, http.MethodPost, thread+"/turn", says(content))
		turn := s.until("turn.created").data["turn_id"].(string)
		url, calls := cutting(t, p.url, 1, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		events, status := eventSource(ctx, t, http.DefaultClient, url+thread+"/turns/"+turn+"/events?last_event_id=1", ada.token)
		require.Equal(t, http.StatusNoContent, status)
		require.EqualValues(t, 3, calls.Load())
		require.EqualValues(t, 2, events[0].id, "behind the event that the query names; later the header is newer")
		requireOnce(t, append([]frame{{id: 1, kind: "turn.created"}}, events...), content)
	})
}

// A library's client, which also repeats a POST: under one operation id that continues the stream.
func TestAClientLibraryReadsAStreamOnceThoughItBreaksOff(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=30ms")
	ada := p.register(t)
	const content = "zero one two three four five six"
	thread := ada.openThread(t)
	client := &sse.Client{Backoff: sse.Backoff{MaxRetries: 10}}
	url, calls := cutting(t, p.url, 2, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+thread+"/turn", strings.NewReader(fmt.Sprintf(`{"content":%q}`, content)))
	require.NoError(t, err)
	for name, value := range map[string]string{"Authorization": "Bearer " + ada.token, "Content-Type": "application/json", "X-Operation-Id": uuid.NewString()} {
		req.Header.Set(name, value)
	}
	var events []frame
	connection := client.NewConnection(req)
	connection.SubscribeToAll(func(e sse.Event) {
		f := frame{kind: e.Type}
		require.NoError(t, json.Unmarshal([]byte(e.Data), &f.data))
		f.id, _ = strconv.ParseInt(e.LastEventID, 10, 64)
		events = append(events, f)
	})
	require.ErrorContains(t, connection.Connect(), "204 No Content")
	require.EqualValues(t, 4, calls.Load(), "two that broke off, one to the end, one that ends it")
	requireOnce(t, events, content)
	require.Len(t, ada.get(t, thread+"/messages").items(), 2, "the turn was taken once")
}

func TestATurnsCallContinuesItsStream(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=50ms")
	other := startOn(t, p.database, p.settings...)
	ada := p.register(t)
	there := &caller{program: other, token: ada.token}
	thread := ada.openThread(t)
	const content = "zero one two three four five six seven"
	op := operation(uuid.NewString())
	first := ada.open(t, http.MethodPost, thread+"/turn", says(content), op)
	var got []frame
	for range 4 {
		f, ok := first.next()
		require.True(t, ok)
		got = append(got, f)
	}
	first.close()
	require.Equal(t, 1000, first.retry, "a client is to be told how long it waits")
	for name, c := range map[string]*caller{"here": ada, "elsewhere": there, "after the end": ada} {
		s := c.open(t, http.MethodPost, thread+"/turn", says(content), op, after(4))
		require.Equal(t, http.StatusOK, s.answer.Status, name)
		rest := s.rest()
		require.Equal(t, 1000, s.retry, name)
		require.Greater(t, rest[0].id, int64(4), name)
		requireOnce(t, append(append([]frame{}, got...), rest...), content)
	}
	events := thread + "/turns/" + got[0].data["turn_id"].(string) + "/events"
	last := ada.open(t, http.MethodGet, events, nil).rest()
	end := last[len(last)-1].id
	for name, path := range map[string]string{"by the header": "", "by the query": "?last_event_id=" + strconv.FormatInt(end, 10)} {
		for method, call := range map[string]string{http.MethodPost: thread + "/turn", http.MethodGet: events} {
			var headers []header
			if path == "" {
				headers = append(headers, after(end))
			}
			var body any
			if method == http.MethodPost {
				body, headers = says(content), append(headers, op)
			}
			s := there.open(t, method, call+path, body, headers...)
			require.Equal(t, http.StatusNoContent, s.answer.Status, "%s %s", method, name)
			require.Empty(t, s.rest())
			if method == http.MethodPost {
				require.Equal(t, "true", s.answer.Header.Get("X-Operation-Replayed"))
			}
		}
	}
	s := ada.open(t, http.MethodPost, thread+"/turn?last_event_id=2", says(content), op, after(end-1))
	require.Len(t, s.rest(), 1, "the header is newer than the query")
	requireCode(t, ada.open(t, http.MethodPost, thread+"/turn?other=1", says(content), op).answer, http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	for name, refused := range map[string]answer{
		"Last-Event-ID beyond the end":     ada.open(t, http.MethodPost, thread+"/turn", says(content), op, after(end+1)).answer,
		"Last-Event-ID another attempt":    ada.open(t, http.MethodPost, thread+"/turn", says(content), op, after(1_000_001)).answer,
		"Last-Event-ID without operation":  ada.open(t, http.MethodPost, thread+"/turn", says(content), after(4)).answer,
		"last_event_id without operation":  ada.open(t, http.MethodPost, thread+"/turn?last_event_id=4", says(content)).answer,
		"last_event_id no number":          ada.open(t, http.MethodGet, events+"?last_event_id=x", nil).answer,
		"last_event_id beyond the end":     ada.open(t, http.MethodGet, events+"?last_event_id="+strconv.FormatInt(end+1, 10), nil).answer,
		"Last-Event-ID no number on POST":  ada.open(t, http.MethodPost, thread+"/turn", says(content), op, header{"Last-Event-ID", "x"}).answer,
		"Last-Event-ID no number on retry": ada.open(t, http.MethodPost, strings.TrimSuffix(events, "events")+"retry", nil, op, header{"Last-Event-ID", "x"}).answer,
	} {
		requireCode(t, refused, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		field, _, _ := strings.Cut(name, " ")
		require.Equal(t, field, refused.Body["details"].(map[string]any)["errors"].([]any)[0].(map[string]any)["field"], name)
	}
	require.Len(t, ada.get(t, thread+"/messages").items(), 2, "a refused call has taken a turn")

	twice := ada.get(t, events, after(4), after(5))
	requireCode(t, twice, http.StatusBadRequest, "BAD_REQUEST")
	require.Contains(t, twice.text("message"), "Last-Event-ID")
	fresh := ada.open(t, http.MethodPost, thread+"/turn", says(content), operation(uuid.NewString()), after(4))
	requireOnce(t, fresh.rest(), content)
	requireCode(t, ada.get(t, events, after(100)), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	slow := ada.open(t, http.MethodPost, thread+"/turn", says(content))
	running := thread + "/turns/" + slow.until("message.created").data["turn_id"].(string) + "/events"
	requireCode(t, ada.get(t, running, after(100)), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	slow.rest()
}

func TestTheEndOfAFailedOrCancelledTurnIsToldOnce(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms")
	ada := p.register(t)
	thread := ada.openThread(t)
	failed := ada.failed(t, thread, operation(uuid.NewString()))
	frames := ada.open(t, http.MethodGet, failed+"/events", nil).rest()
	end := frames[len(frames)-1]
	require.Equal(t, "turn.failed", end.kind)
	require.Equal(t, http.StatusNoContent, ada.get(t, failed+"/events", after(end.id)).Status)

	op := operation(uuid.NewString())
	again := ada.open(t, http.MethodPost, failed+"/retry", nil, op, after(end.id)).rest()
	require.EqualValues(t, 1_000_001, again[0].id, "a further attempt, of which nothing was seen")
	last := again[len(again)-1].id
	require.Equal(t, http.StatusNoContent, ada.open(t, http.MethodPost, failed+"/retry", nil, op, after(last)).answer.Status)
	require.Len(t, ada.open(t, http.MethodPost, failed+"/retry", nil, op, after(last-1)).rest(), 1)
	require.EqualValues(t, 1_000_001, ada.open(t, http.MethodGet, failed+"/events", nil, after(end.id)).rest()[0].id)

	s := ada.open(t, http.MethodPost, thread+"/turn", says(strings.Repeat("word ", 100)))
	s.until("message.delta")
	cancelled := ada.runs(t, thread)
	require.Equal(t, http.StatusOK, ada.post(t, cancelled+"/cancel", nil).Status)
	rest := s.rest()
	end = rest[len(rest)-1]
	require.Equal(t, "turn.cancelled", end.kind)
	require.Equal(t, http.StatusNoContent, ada.get(t, cancelled+"/events", after(end.id)).Status)
	require.Len(t, ada.open(t, http.MethodGet, cancelled+"/events", nil, after(end.id-1)).rest(), 1)
}
