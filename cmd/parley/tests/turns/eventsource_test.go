package turns

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

	"github.com/parley/parley/cmd/parley/tests/harness"
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

// eventSource reads a stream as the HTML standard has it (9.2): it connects again, after the time that the server sets, until an
// answer is no stream. It returns the events and the last status.
func eventSource(ctx context.Context, t *testing.T, client *http.Client, url, token string) (events []harness.Frame, status int) {
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
		var event harness.Frame
		var data, id string
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				event.Kind = value
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
				require.NoError(t, json.Unmarshal([]byte(data), &event.Data))
				event.ID, _ = strconv.ParseInt(id, 10, 64)
				events = append(events, event)
			}
			event, data = harness.Frame{}, ""
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
func requireOnce(t *testing.T, events []harness.Frame, content string) {
	t.Helper()
	text, kinds, _ := harness.StreamedText(events)
	require.Equal(t, "Echo: "+content, text)
	require.Equal(t, wholeStream, kinds)
	for i, f := range events {
		require.True(t, i == 0 || f.ID > events[i-1].ID, "an event came twice: %v", events)
	}
}

func TestAnEventSourceStopsBehindTheLastEventAndSeesNoneTwice(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=30ms")
	ada := p.Register(t)
	const content = "zero one two three four five six"
	for name, headers := range map[string][]harness.Header{"a turn that is streamed": {{Name: "Accept", Value: "text/event-stream"}}, "one that is not": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			thread := ada.OpenThread(t)
			require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says(content), headers...).Status)
			turn := ada.Get(t, thread+"/turns").Items()[0]["id"].(string)
			url, calls := cutting(t, p.URL, 2, 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			events, status := eventSource(ctx, t, http.DefaultClient, url+thread+"/turns/"+turn+"/events", ada.Token)
			require.Equal(t, http.StatusNoContent, status)
			require.EqualValues(t, 4, calls.Load(), "two that broke off, one to the end, one that ends it")
			requireOnce(t, events, content)
		})
	}
	t.Run("a turn that runs", func(t *testing.T) {
		t.Parallel()
		thread := ada.OpenThread(t)
		s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content))
		turn := s.Until("turn.created").Data["turn_id"].(string)
		url, calls := cutting(t, p.URL, 1, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		events, status := eventSource(ctx, t, http.DefaultClient, url+thread+"/turns/"+turn+"/events?last_event_id=1", ada.Token)
		require.Equal(t, http.StatusNoContent, status)
		require.EqualValues(t, 3, calls.Load())
		require.EqualValues(t, 2, events[0].ID, "behind the event that the query names; later the header is newer")
		requireOnce(t, append([]harness.Frame{{ID: 1, Kind: "turn.created"}}, events...), content)
	})
}

// A library's client, which also repeats a POST: under one operation id that continues the stream.
func TestAClientLibraryReadsAStreamOnceThoughItBreaksOff(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=30ms")
	ada := p.Register(t)
	const content = "zero one two three four five six"
	thread := ada.OpenThread(t)
	client := &sse.Client{Backoff: sse.Backoff{MaxRetries: 10}}
	url, calls := cutting(t, p.URL, 2, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+thread+"/turn", strings.NewReader(fmt.Sprintf(`{"content":%q}`, content)))
	require.NoError(t, err)
	for name, value := range map[string]string{"Authorization": "Bearer " + ada.Token, "Content-Type": "application/json", "X-Operation-Id": uuid.NewString()} {
		req.Header.Set(name, value)
	}
	var events []harness.Frame
	connection := client.NewConnection(req)
	connection.SubscribeToAll(func(e sse.Event) {
		f := harness.Frame{Kind: e.Type}
		require.NoError(t, json.Unmarshal([]byte(e.Data), &f.Data))
		f.ID, _ = strconv.ParseInt(e.LastEventID, 10, 64)
		events = append(events, f)
	})
	require.ErrorContains(t, connection.Connect(), "204 No Content")
	require.EqualValues(t, 4, calls.Load(), "two that broke off, one to the end, one that ends it")
	requireOnce(t, events, content)
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 2, "the turn was taken once")
}

func TestATurnsCallContinuesItsStream(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=50ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	thread := ada.OpenThread(t)
	const content = "zero one two three four five six seven"
	op := harness.Operation(uuid.NewString())
	first := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op)
	var got []harness.Frame
	for range 4 {
		f, ok := first.Next()
		require.True(t, ok)
		got = append(got, f)
	}
	first.Close()
	require.Equal(t, 1000, first.Retry, "the stream says how long a client waits")
	for name, c := range map[string]*harness.Caller{"here": ada, "elsewhere": there, "after the end": ada} {
		s := c.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op, harness.After(4))
		require.Equal(t, http.StatusOK, s.Answer.Status, name)
		rest := s.Rest()
		require.Equal(t, 1000, s.Retry, name)
		require.Greater(t, rest[0].ID, int64(4), name)
		requireOnce(t, append(append([]harness.Frame{}, got...), rest...), content)
	}
	events := thread + "/turns/" + got[0].Data["turn_id"].(string) + "/events"
	last := ada.Open(t, http.MethodGet, events, nil).Rest()
	end := last[len(last)-1].ID
	for name, path := range map[string]string{"by the header": "", "by the query": "?last_event_id=" + strconv.FormatInt(end, 10)} {
		for method, call := range map[string]string{http.MethodPost: thread + "/turn", http.MethodGet: events} {
			var headers []harness.Header
			if path == "" {
				headers = append(headers, harness.After(end))
			}
			var body any
			if method == http.MethodPost {
				body, headers = harness.Says(content), append(headers, op)
			}
			s := there.Open(t, method, call+path, body, headers...)
			require.Equal(t, http.StatusNoContent, s.Answer.Status, "%s %s", method, name)
			require.Empty(t, s.Rest())
			if method == http.MethodPost {
				require.Equal(t, "true", s.Answer.Header.Get("X-Operation-Replayed"))
			}
		}
	}
	s := ada.Open(t, http.MethodPost, thread+"/turn?last_event_id=2", harness.Says(content), op, harness.After(end-1))
	require.Len(t, s.Rest(), 1, "the header is newer than the query")
	harness.RequireCode(t, ada.Open(t, http.MethodPost, thread+"/turn?other=1", harness.Says(content), op).Answer, http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	for name, refused := range map[string]harness.Answer{
		"Last-Event-ID beyond the end":     ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op, harness.After(end+1)).Answer,
		"Last-Event-ID another attempt":    ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op, harness.After(1_000_001)).Answer,
		"Last-Event-ID without operation":  ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), harness.After(4)).Answer,
		"last_event_id without operation":  ada.Open(t, http.MethodPost, thread+"/turn?last_event_id=4", harness.Says(content)).Answer,
		"last_event_id no number":          ada.Open(t, http.MethodGet, events+"?last_event_id=x", nil).Answer,
		"last_event_id beyond the end":     ada.Open(t, http.MethodGet, events+"?last_event_id="+strconv.FormatInt(end+1, 10), nil).Answer,
		"Last-Event-ID no number on POST":  ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op, harness.Header{Name: "Last-Event-ID", Value: "x"}).Answer,
		"Last-Event-ID no number on retry": ada.Open(t, http.MethodPost, strings.TrimSuffix(events, "events")+"retry", nil, op, harness.Header{Name: "Last-Event-ID", Value: "x"}).Answer,
	} {
		harness.RequireCode(t, refused, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		field, _, _ := strings.Cut(name, " ")
		require.Equal(t, field, refused.Body["details"].(map[string]any)["errors"].([]any)[0].(map[string]any)["field"], name)
	}
	require.Len(t, ada.Get(t, thread+"/messages").Items(), 2, "a refused call has taken a turn")

	twice := ada.Get(t, events, harness.After(4), harness.After(5))
	harness.RequireCode(t, twice, http.StatusBadRequest, "BAD_REQUEST")
	require.Contains(t, twice.Text("message"), "Last-Event-ID")
	fresh := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), harness.Operation(uuid.NewString()), harness.After(4))
	requireOnce(t, fresh.Rest(), content)
	harness.RequireCode(t, ada.Get(t, events, harness.After(100)), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	slow := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(content))
	running := thread + "/turns/" + slow.Until("message.created").Data["turn_id"].(string) + "/events"
	harness.RequireCode(t, ada.Get(t, running, harness.After(100)), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	slow.Rest()
}

func TestTheEndOfAFailedOrCancelledTurnIsToldOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms")
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	failed := ada.Failed(t, thread, harness.Operation(uuid.NewString()))
	frames := ada.Open(t, http.MethodGet, failed+"/events", nil).Rest()
	end := frames[len(frames)-1]
	require.Equal(t, "turn.failed", end.Kind)
	require.Equal(t, http.StatusNoContent, ada.Get(t, failed+"/events", harness.After(end.ID)).Status)

	op := harness.Operation(uuid.NewString())
	again := ada.Open(t, http.MethodPost, failed+"/retry", nil, op, harness.After(end.ID)).Rest()
	require.EqualValues(t, 1_000_001, again[0].ID, "a further attempt, of which nothing was seen")
	last := again[len(again)-1].ID
	require.Equal(t, http.StatusNoContent, ada.Open(t, http.MethodPost, failed+"/retry", nil, op, harness.After(last)).Answer.Status)
	require.Len(t, ada.Open(t, http.MethodPost, failed+"/retry", nil, op, harness.After(last-1)).Rest(), 1)
	require.EqualValues(t, 1_000_001, ada.Open(t, http.MethodGet, failed+"/events", nil, harness.After(end.ID)).Rest()[0].ID)

	s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(strings.Repeat("word ", 100)))
	s.Until("message.delta")
	cancelled := ada.Runs(t, thread)
	require.Equal(t, http.StatusOK, ada.Post(t, cancelled+"/cancel", nil).Status)
	rest := s.Rest()
	end = rest[len(rest)-1]
	require.Equal(t, "turn.cancelled", end.Kind)
	require.Equal(t, http.StatusNoContent, ada.Get(t, cancelled+"/events", harness.After(end.ID)).Status)
	require.Len(t, ada.Open(t, http.MethodGet, cancelled+"/events", nil, harness.After(end.ID-1)).Rest(), 1)
}
