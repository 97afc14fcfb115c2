package operating

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/redistest"
)

// pair is two processes on one Postgres and one Redis. a does no jobs, b does.
type pair struct {
	a, b   *harness.Child
	either *harness.Program // its calls go to both in turn
	data   []string         // their data folders
}

func newPair(t *testing.T, settings ...string) pair {
	t.Helper()
	binary, err := harness.BuiltProgram()
	require.NoError(t, err)
	database, cache, base := harness.Postgres.URL(t), redistest.URL(t), t.TempDir()
	run := func(name, workers string) (*harness.Child, string) {
		data := filepath.Join(base, name)
		return harness.Spawn(t, binary, append(append([]string{
			"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data, "DATABASE_URL=" + database, "DATABASE_MAX_CONNS=8", "REDIS_URL=" + cache,
			"JWT_SECRET=" + strings.Repeat("j", 32), "SECRET_KEY=" + strings.Repeat("s", 32), "AUTH_RATE_LIMIT_MAX=100000", "WORKERS=" + workers,
		}, harness.FastJobs...), settings...)), data
	}
	a, dataA := run("a", "0")
	b, dataB := run("b", "4")
	for _, c := range []*harness.Child{a, b} {
		c.Serving(t)
		c.Database = database
	}
	turns := inTurn{base: a.Client.Transport, hosts: []string{host(t, a.URL), host(t, b.URL)}, n: new(atomic.Int64)}
	either := &harness.Program{URL: a.URL, Database: database, Client: &http.Client{Transport: turns, Timeout: harness.Timeout}}
	return pair{a: a, b: b, either: either, data: []string{dataA, dataB}}
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}

// inTurn sends each request to the next of its hosts, as a balancer does.
type inTurn struct {
	base  http.RoundTripper
	hosts []string
	n     *atomic.Int64
}

func (i inTurn) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = i.hosts[i.n.Add(1)%int64(len(i.hosts))]
	req.Host = req.URL.Host
	return i.base.RoundTrip(req)
}

func TestTwoProcessesServeAsOne(t *testing.T) {
	t.Parallel()
	p := newPair(t)

	t.Run("a session of one is a session of the other, and ends at both at once", func(t *testing.T) {
		t.Parallel()
		ada := p.a.Register(t)
		session := ada.Another(t).At(p.b)
		session.RequireAlive(t, "b does not know a log-in at a")
		spent := session.Refresh
		a := session.Spend(t, spent)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, a.Text("refresh_token"), session.At(p.a).Spend(t, spent).Text("refresh_token"), "a and b gave the spent token two children")
		session.Take(a)
		session.At(p.a).RequireAlive(t, "a does not know a refresh at b")
		require.Equal(t, http.StatusNoContent, session.At(p.a).Post(t, "/v1/auth/logout", nil).Status)
		session.RequireEnded(t, "b, after a log-out at a")
		ada.At(p.b).RequireAlive(t, "another session")
	})

	t.Run("an operation that comes to both at once takes effect once", func(t *testing.T) {
		t.Parallel()
		ada, id := p.either.Register(t), uuid.NewString()
		body := map[string]any{"name": "Stampede " + id}
		answers := harness.AtOnce(24, func() harness.Answer { return ada.Post(t, "/v1/bots", body, harness.Operation(id)) })
		fresh := 0
		for _, a := range answers {
			require.Equal(t, http.StatusCreated, a.Status, a)
			require.Equal(t, answers[0].Raw, a.Raw, "byte for byte")
			if a.Header.Get("X-Operation-Replayed") == "" {
				fresh++
			}
		}
		require.Equal(t, 1, fresh, "more than one call took effect")
		require.Equal(t, 1, ada.Number(t, `SELECT count(*) FROM bots WHERE name = $1`, body["name"]))
		require.Equal(t, 1, ada.Number(t, `SELECT count(*) FROM audit_log WHERE operation_id = $1`, id))

		turn := harness.Operation(uuid.NewString())
		path := "/v1/conversations/threads/" + ada.Thread(t, answers[0].Text("id")) + "/turn"
		first := ada.At(p.a).Post(t, path, map[string]any{"content": "hello"}, turn)
		require.Equal(t, http.StatusOK, first.Status, first)
		again := ada.At(p.b).Post(t, path, map[string]any{"content": "hello"}, turn)
		require.Equal(t, first.Raw, again.Raw, "byte for byte")
		require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
		harness.RequireCode(t, ada.At(p.b).Post(t, path, map[string]any{"content": "bye"}, turn), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	})

	t.Run("what one queues the other does", func(t *testing.T) {
		t.Parallel()
		ada, target := p.either.Register(t), harness.NewReceiver(t)
		ada.Subscribe(t, target.URL, "turn.completed")
		chat := ada.At(p.a).NewEndpoint(t, ada.NewBot(t))
		event := chat.Says(t, "chat-42", "Where is my parcel?").Text("event_id")
		target.WaitFor(t, 1)
		done := ada.At(p.a).WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
		require.Len(t, ada.Get(t, "/v1/conversations/threads/"+done.Text("thread_id")+"/messages").Items(), 2)
	})

	t.Run("an event that comes to both at once is taken once", func(t *testing.T) {
		t.Parallel()
		ada := p.either.Register(t)
		chat := ada.NewEndpoint(t, ada.NewBot(t))
		answers := harness.AtOnce(24, func() harness.Answer { return chat.Send(t, "msg_1", harness.InboundMessage("c", "once")) })
		fresh := 0
		for _, a := range answers {
			require.Equal(t, http.StatusOK, a.Status, a)
			require.Equal(t, answers[0].Text("event_id"), a.Text("event_id"))
			if a.At("duplicate") == false {
				fresh++
			}
		}
		require.Equal(t, 1, fresh)
		event := ada.WaitUntil(t, "/v1/webhook-events/"+answers[0].Text("event_id"), "status", "processed")
		require.Len(t, ada.Get(t, "/v1/webhook-events").Items(), 1)
		require.Len(t, ada.Get(t, "/v1/conversations/threads/"+event.Text("thread_id")+"/messages").Items(), 2)
	})

	t.Run("a user walks through both and sees one", func(t *testing.T) {
		t.Parallel()
		ada := p.either.Register(t)
		bot := ada.NewBot(t)
		for n := range 4 {
			a := ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": fmt.Sprint("Be kind ", n)})
			require.EqualValues(t, n+2, a.At("current_version"), a)
		}
		thread := ada.Thread(t, bot)
		for range 3 {
			require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "hello"}).Status)
		}
		require.Len(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items(), 6)
		first := ada.At(p.a).Get(t, "/v1/bots/"+bot+"/versions?limit=2")
		next := ada.At(p.b).Get(t, "/v1/bots/"+bot+"/versions?limit=2&cursor="+first.Text("next_cursor"))
		require.Equal(t, http.StatusOK, next.Status, "b does not know a's cursor: %s", next)
		require.Len(t, next.Items(), 2)
	})
}

func TestTwoProcessesCountTogether(t *testing.T) {
	t.Parallel()
	const limit = 10
	p := newPair(t, "AUTH_RATE_LIMIT_MAX="+strconv.Itoa(limit), "TRUSTED_PROXIES=127.0.0.1")
	// A Redis that is late for once is passed by, and a call may be forgiven meanwhile: one address of these is counted
	// as it should be, or none ever is.
	var passed []int
	for range 5 {
		from := harness.Header{Name: "X-Forwarded-For", Value: fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), rand.IntN(256))}
		n := 0
		for range 2 * limit {
			a := p.either.Anonymous().Post(t, "/v1/auth/login", "{}", from) // refused for its form, but counted
			if a.Status == http.StatusTooManyRequests {
				break
			}
			require.Equal(t, http.StatusUnprocessableEntity, a.Status, a)
			n++
		}
		if passed = append(passed, n); n == limit {
			harness.RequireCode(t, p.a.Anonymous().Post(t, "/v1/auth/login", "{}", from), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
			harness.RequireCode(t, p.b.Anonymous().Post(t, "/v1/auth/login", "{}", from), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
			return
		}
	}
	require.Fail(t, "each counts for itself", "of %d calls at the most so many passed: %v", limit, passed)
}

func TestTwoProcessesOutliveOneOfThem(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	ada := p.a.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	event := chat.Says(t, "chat-42", "Where is my parcel?").Text("event_id")
	p.a.End(t, syscall.SIGKILL)
	there := ada.At(p.b)
	there.RequireAlive(t, "it went with the process where it began")
	there.WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	require.Equal(t, app.ExitOK, p.b.End(t, syscall.SIGTERM), p.b.Log)
	for _, data := range p.data {
		require.NoDirExists(t, filepath.Join(data, "postgres"), "a Postgres was started beside that of DATABASE_URL")
	}
}

// A turn is streamed by one process; the other tells the rest of it, joins the same call to it, cancels it, and ends the right
// to read it.
func TestTwoProcessesStreamAsOne(t *testing.T) {
	t.Parallel()
	p := newPair(t, "ECHO_DELAY=100ms")
	here := p.a.Register(t)
	there := here.At(p.b)
	thread := here.OpenThread(t)
	const content = "one two three four five six seven eight"
	op := harness.Operation(uuid.NewString())
	stream := here.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op)
	turn := stream.Until("turn.created").Data["turn_id"].(string)
	last := stream.Until("message.delta")
	received := last.Text()
	rest := there.Open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil, harness.After(last.ID)).Rest()
	text, kinds, _ := harness.StreamedText(rest)
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
	require.Equal(t, "Echo: "+content, received+text)
	require.Equal(t, "Echo: "+content, there.Post(t, thread+"/turn", harness.Says(content), op).Text("assistant_message.content"), "replayed as JSON")

	again := here.OpenThread(t)
	stream = here.Open(t, http.MethodPost, again+"/turn", harness.Says(content))
	turn = stream.Until("turn.created").Data["turn_id"].(string)
	stream.Until("message.delta")
	require.Equal(t, http.StatusOK, there.Post(t, again+"/turns/"+turn+"/cancel", nil).Status)
	_, kinds, _ = harness.StreamedText(stream.Rest())
	require.Equal(t, "turn.cancelled", kinds[len(kinds)-1])

	third := here.OpenThread(t)
	phone := here.Another(t)
	stream = phone.Open(t, http.MethodPost, third+"/turn", harness.Says(strings.Repeat("word ", 300)))
	turn = stream.Until("turn.created").Data["turn_id"].(string)
	follower := phone.At(p.b).Open(t, http.MethodGet, third+"/turns/"+turn+"/events", nil)
	follower.Until("message.delta")
	require.Equal(t, http.StatusNoContent, phone.At(p.b).Post(t, "/v1/auth/logout", nil).Status)
	stream.RequireClosed(t, "session_ended", "a log-out at b, a stream of a")
	follower.RequireClosed(t, "session_ended", "a log-out at b, a stream of b")
	require.Equal(t, "running", there.Get(t, third+"/turns/"+turn).Text("status"))
}

// A process has the signal to stop and its turns do not end in its grace: the other goes on with them at once, by a notification, and
// whoever follows them, there or here, sees the new attempt.
func TestTwoProcessesGoOnWithTurnsThatAStopCutsShort(t *testing.T) {
	t.Parallel()
	p := newPair(t, "ECHO_DELAY=50ms", "SHUTDOWN_TIMEOUT=200ms", "UPKEEP_INTERVAL=1h", "JOB_LEASE=10m")
	here := p.a.Register(t)
	there := here.At(p.b)
	thread, silent := here.OpenThread(t), here.OpenThread(t)
	content := strings.Repeat("word ", 60) + "end"
	op, plain := harness.Operation(uuid.NewString()), harness.Operation(uuid.NewString())
	stream := here.Open(t, http.MethodPost, thread+"/turn", harness.Says(content), op)
	turn := stream.Until("turn.created").Data["turn_id"].(string)
	follower := there.Open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil)
	follower.Until("message.delta")
	answered := make(chan harness.Answer, 1)
	go func() { answered <- here.Post(t, silent+"/turn", harness.Says(content), plain) }()
	require.Eventually(t, func() bool { return here.Number(t, "SELECT count(*) FROM llm_turns WHERE status = 'running'") == 2 }, harness.Timeout, harness.Tick)
	stream.Until("message.delta")

	require.NoError(t, p.a.Cmd.Process.Signal(syscall.SIGTERM))
	var last harness.Frame
	for _, f := range stream.Rest() {
		require.NotContains(t, []string{"turn.completed", "turn.failed", "turn.cancelled"}, f.Kind, "it breaks off without an end")
		if f.ID < 1_000_000 { // it may have seen the other's attempt begin
			last = f
		}
	}
	require.Equal(t, "message.delta", last.Kind)
	a := <-answered
	harness.RequireCode(t, a, http.StatusConflict, "OPERATION_IN_PROGRESS")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Equal(t, app.ExitOK, p.a.Wait(t), p.a.Log)

	for name, s := range map[string]*harness.EventReader{
		"who followed the turn there": follower, "who comes from the process that stopped": there.Open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil, harness.After(last.ID)),
	} {
		text, kinds, _ := harness.StreamedText(s.Rest())
		require.Contains(t, kinds, "message.created", name)
		require.Equal(t, "turn.completed", kinds[len(kinds)-1], name)
		require.Equal(t, "Echo: "+content, text, name)
	}
	require.Equal(t, "Echo: "+content, there.Post(t, thread+"/turn", harness.Says(content), op).Text("assistant_message.content"))
	require.Eventually(t, func() bool {
		a := there.Post(t, silent+"/turn", harness.Says(content), plain)
		return a.Status == http.StatusOK && a.Text("assistant_message.content") == "Echo: "+content
	}, harness.Timeout, harness.Tick)
	for _, path := range []string{thread, silent} {
		require.Len(t, there.Get(t, path+"/messages").Items(), 2)
	}
	require.Equal(t, 2, there.Number(t, "SELECT count(*) FROM llm_turns WHERE status = 'completed' AND attempt = 2"))
	require.Positive(t, there.Number(t, "SELECT count(*) FROM turn_events WHERE attempt = 1"), "the text so far is stored")
	require.Equal(t, 1, there.Number(t, "SELECT count(*) FROM turn_processes"), "the process that stopped is gone")
}
