package app

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

	"github.com/parley/parley/platform/redistest"
)

// pair is two processes on one Postgres and one Redis. a does no jobs, b does.
type pair struct {
	a, b   *child
	either *program // its calls go to both in turn
	data   []string // their data folders
}

func newPair(t *testing.T, settings ...string) pair {
	t.Helper()
	binary, err := builtProgram()
	require.NoError(t, err)
	database, cache, base := pg.URL(t), redistest.URL(t), t.TempDir()
	run := func(name, workers string) (*child, string) {
		data := filepath.Join(base, name)
		return spawn(t, binary, append(append([]string{
			"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + data, "DATABASE_URL=" + database, "DATABASE_MAX_CONNS=8", "REDIS_URL=" + cache,
			"JWT_SECRET=" + strings.Repeat("j", 32), "SECRET_KEY=" + strings.Repeat("s", 32), "AUTH_RATE_LIMIT_MAX=100000", "WORKERS=" + workers,
		}, fastJobs...), settings...)), data
	}
	a, dataA := run("a", "0")
	b, dataB := run("b", "4")
	for _, c := range []*child{a, b} {
		c.serving(t)
		c.database = database
	}
	turns := inTurn{base: a.client.Transport, hosts: []string{host(t, a.url), host(t, b.url)}, n: new(atomic.Int64)}
	either := &program{url: a.url, database: database, client: &http.Client{Transport: turns, Timeout: patience}}
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

// at is the caller at one of the processes.
func (c *caller) at(p *child) *caller {
	there := *c
	there.program = p.program
	return &there
}

func TestTwoProcessesServeAsOne(t *testing.T) {
	t.Parallel()
	p := newPair(t)

	t.Run("a session of one is a session of the other, and ends at both at once", func(t *testing.T) {
		t.Parallel()
		ada := p.a.register(t)
		session := ada.another(t).at(p.b)
		session.requireAlive(t, "b does not know a log-in at a")
		spent := session.refresh
		a := session.spend(t, spent)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, a.text("refresh_token"), session.at(p.a).spend(t, spent).text("refresh_token"), "a and b gave the spent token two children")
		session.take(a)
		session.at(p.a).requireAlive(t, "a does not know a refresh at b")
		require.Equal(t, http.StatusNoContent, session.at(p.a).post(t, "/v1/auth/logout", nil).Status)
		session.requireEnded(t, "b, after a log-out at a")
		ada.at(p.b).requireAlive(t, "another session")
	})

	t.Run("an operation that comes to both at once takes effect once", func(t *testing.T) {
		t.Parallel()
		ada, id := p.either.register(t), uuid.NewString()
		body := map[string]any{"name": "Stampede " + id}
		answers := atOnce(24, func() answer { return ada.post(t, "/v1/bots", body, operation(id)) })
		fresh := 0
		for _, a := range answers {
			require.Equal(t, http.StatusCreated, a.Status, a)
			require.Equal(t, answers[0].Raw, a.Raw, "byte for byte")
			if a.Header.Get("X-Operation-Replayed") == "" {
				fresh++
			}
		}
		require.Equal(t, 1, fresh, "more than one call took effect")
		require.Equal(t, 1, ada.number(t, `SELECT count(*) FROM bots WHERE name = $1`, body["name"]))
		require.Equal(t, 1, ada.number(t, `SELECT count(*) FROM audit_log WHERE operation_id = $1`, id))

		turn := operation(uuid.NewString())
		path := "/v1/conversations/threads/" + ada.thread(t, answers[0].text("id")) + "/turn"
		first := ada.at(p.a).post(t, path, map[string]any{"content": "hello"}, turn)
		require.Equal(t, http.StatusOK, first.Status, first)
		again := ada.at(p.b).post(t, path, map[string]any{"content": "hello"}, turn)
		require.Equal(t, first.Raw, again.Raw, "byte for byte")
		require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
		requireCode(t, ada.at(p.b).post(t, path, map[string]any{"content": "bye"}, turn), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	})

	t.Run("what one queues the other does", func(t *testing.T) {
		t.Parallel()
		ada, target := p.either.register(t), newReceiver(t)
		ada.subscribe(t, target.URL, "turn.completed")
		chat := ada.at(p.a).newEndpoint(t, ada.newBot(t))
		event := chat.says(t, "chat-42", "Where is my parcel?").text("event_id")
		target.waitFor(t, 1)
		done := ada.at(p.a).waitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
		require.Len(t, ada.get(t, "/v1/conversations/threads/"+done.text("thread_id")+"/messages").items(), 2)
	})

	t.Run("an event that comes to both at once is taken once", func(t *testing.T) {
		t.Parallel()
		ada := p.either.register(t)
		chat := ada.newEndpoint(t, ada.newBot(t))
		answers := atOnce(24, func() answer { return chat.send(t, "msg_1", said("c", "once")) })
		fresh := 0
		for _, a := range answers {
			require.Equal(t, http.StatusOK, a.Status, a)
			require.Equal(t, answers[0].text("event_id"), a.text("event_id"))
			if a.at("duplicate") == false {
				fresh++
			}
		}
		require.Equal(t, 1, fresh)
		event := ada.waitUntil(t, "/v1/webhook-events/"+answers[0].text("event_id"), "status", "processed")
		require.Len(t, ada.get(t, "/v1/webhook-events").items(), 1)
		require.Len(t, ada.get(t, "/v1/conversations/threads/"+event.text("thread_id")+"/messages").items(), 2)
	})

	t.Run("a user walks through both and sees one", func(t *testing.T) {
		t.Parallel()
		ada := p.either.register(t)
		bot := ada.newBot(t)
		for n := range 4 {
			a := ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": fmt.Sprint("Be kind ", n)})
			require.EqualValues(t, n+2, a.at("current_version"), a)
		}
		thread := ada.thread(t, bot)
		for range 3 {
			require.Equal(t, http.StatusOK, ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "hello"}).Status)
		}
		require.Len(t, ada.get(t, "/v1/conversations/threads/"+thread+"/messages").items(), 6)
		first := ada.at(p.a).get(t, "/v1/bots/"+bot+"/versions?limit=2")
		next := ada.at(p.b).get(t, "/v1/bots/"+bot+"/versions?limit=2&cursor="+first.text("next_cursor"))
		require.Equal(t, http.StatusOK, next.Status, "b does not know a's cursor: %s", next)
		require.Len(t, next.items(), 2)
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
		from := header{"X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), rand.IntN(256))}
		n := 0
		for range 2 * limit {
			a := p.either.anonymous().post(t, "/v1/auth/login", "{}", from) // refused for its form, but counted
			if a.Status == http.StatusTooManyRequests {
				break
			}
			require.Equal(t, http.StatusUnprocessableEntity, a.Status, a)
			n++
		}
		if passed = append(passed, n); n == limit {
			requireCode(t, p.a.anonymous().post(t, "/v1/auth/login", "{}", from), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
			requireCode(t, p.b.anonymous().post(t, "/v1/auth/login", "{}", from), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
			return
		}
	}
	require.Fail(t, "each counts for itself", "of %d calls at the most so many passed: %v", limit, passed)
}

func TestTwoProcessesOutliveOneOfThem(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	ada := p.a.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	event := chat.says(t, "chat-42", "Where is my parcel?").text("event_id")
	p.a.end(t, syscall.SIGKILL)
	there := ada.at(p.b)
	there.requireAlive(t, "it went with the process where it began")
	there.waitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	require.Equal(t, ExitOK, p.b.end(t, syscall.SIGTERM), p.b.log)
	for _, data := range p.data {
		require.NoDirExists(t, filepath.Join(data, "postgres"), "a Postgres was started beside that of DATABASE_URL")
	}
}

// A turn is streamed by one process; the other tells the rest of it, joins the same call to it, cancels it, and ends the right
// to read it.
func TestTwoProcessesStreamAsOne(t *testing.T) {
	t.Parallel()
	p := newPair(t, "ECHO_DELAY=100ms")
	here := p.a.register(t)
	there := here.at(p.b)
	thread := here.openThread(t)
	const content = "one two three four five six seven eight"
	op := operation(uuid.NewString())
	stream := here.open(t, http.MethodPost, thread+"/turn", says(content), op)
	turn := stream.until("turn.created").data["turn_id"].(string)
	last := stream.until("message.delta")
	heard := last.text()
	rest := there.open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil, after(last.id)).rest()
	text, kinds, _ := told(rest)
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
	require.Equal(t, "Echo: "+content, heard+text)
	require.Equal(t, "Echo: "+content, there.post(t, thread+"/turn", says(content), op).text("assistant_message.content"), "replayed as JSON")

	again := here.openThread(t)
	stream = here.open(t, http.MethodPost, again+"/turn", says(content))
	turn = stream.until("turn.created").data["turn_id"].(string)
	stream.until("message.delta")
	require.Equal(t, http.StatusOK, there.post(t, again+"/turns/"+turn+"/cancel", nil).Status)
	_, kinds, _ = told(stream.rest())
	require.Equal(t, "turn.cancelled", kinds[len(kinds)-1])

	third := here.openThread(t)
	phone := here.another(t)
	stream = phone.open(t, http.MethodPost, third+"/turn", says(strings.Repeat("word ", 300)))
	turn = stream.until("turn.created").data["turn_id"].(string)
	follower := phone.at(p.b).open(t, http.MethodGet, third+"/turns/"+turn+"/events", nil)
	follower.until("message.delta")
	require.Equal(t, http.StatusNoContent, phone.at(p.b).post(t, "/v1/auth/logout", nil).Status)
	stream.requireClosed(t, "session_ended", "a log-out at b, a stream of a")
	follower.requireClosed(t, "session_ended", "a log-out at b, a stream of b")
	require.Equal(t, "running", there.get(t, third+"/turns/"+turn).text("status"))
}

// A process has the signal to stop and its turns do not end in its grace: the other goes on with them at once, by a notification, and
// whoever follows them, there or here, sees the new attempt.
func TestTwoProcessesGoOnWithTurnsThatAStopCutsShort(t *testing.T) {
	t.Parallel()
	p := newPair(t, "ECHO_DELAY=50ms", "SHUTDOWN_TIMEOUT=200ms", "UPKEEP_INTERVAL=1h", "JOB_LEASE=10m")
	here := p.a.register(t)
	there := here.at(p.b)
	thread, silent := here.openThread(t), here.openThread(t)
	content := strings.Repeat("word ", 60) + "end"
	op, plain := operation(uuid.NewString()), operation(uuid.NewString())
	stream := here.open(t, http.MethodPost, thread+"/turn", says(content), op)
	turn := stream.until("turn.created").data["turn_id"].(string)
	follower := there.open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil)
	follower.until("message.delta")
	answered := make(chan answer, 1)
	go func() { answered <- here.post(t, silent+"/turn", says(content), plain) }()
	require.Eventually(t, func() bool { return here.number(t, "SELECT count(*) FROM llm_turns WHERE status = 'running'") == 2 }, patience, tick)
	stream.until("message.delta")

	require.NoError(t, p.a.cmd.Process.Signal(syscall.SIGTERM))
	var last frame
	for _, f := range stream.rest() {
		require.NotContains(t, []string{"turn.completed", "turn.failed", "turn.cancelled"}, f.kind, "it breaks off without an end")
		if f.id < 1_000_000 { // it may have seen the other's attempt begin
			last = f
		}
	}
	require.Equal(t, "message.delta", last.kind)
	a := <-answered
	requireCode(t, a, http.StatusConflict, "OPERATION_IN_PROGRESS")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Equal(t, ExitOK, p.a.wait(t), p.a.log)

	for name, s := range map[string]*eventReader{
		"who followed the turn there": follower, "who comes from the process that stopped": there.open(t, http.MethodGet, thread+"/turns/"+turn+"/events", nil, after(last.id)),
	} {
		text, kinds, _ := told(s.rest())
		require.Contains(t, kinds, "message.created", name)
		require.Equal(t, "turn.completed", kinds[len(kinds)-1], name)
		require.Equal(t, "Echo: "+content, text, name)
	}
	require.Equal(t, "Echo: "+content, there.post(t, thread+"/turn", says(content), op).text("assistant_message.content"))
	require.Eventually(t, func() bool {
		a := there.post(t, silent+"/turn", says(content), plain)
		return a.Status == http.StatusOK && a.text("assistant_message.content") == "Echo: "+content
	}, patience, tick)
	for _, path := range []string{thread, silent} {
		require.Len(t, there.get(t, path+"/messages").items(), 2)
	}
	require.Equal(t, 2, there.number(t, "SELECT count(*) FROM llm_turns WHERE status = 'completed' AND attempt = 2"))
	require.Positive(t, there.number(t, "SELECT count(*) FROM turn_events WHERE attempt = 1"), "what was said is kept")
	require.Equal(t, 1, there.number(t, "SELECT count(*) FROM turn_processes"), "the process that stopped is gone")
}
