//go:build faults

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert" //nolint:depguard // calls that run beside the test's goroutine
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// The kinds of operations that clients make.
const (
	createBot         = "createBot"
	updateInstruction = "updateInstruction" // reads before it writes: a transaction of two round trips
	createThread      = "createThread"
	takeTurn          = "turn" // two transactions
)

var kinds = []string{createBot, updateInstruction, createThread, takeTurn}

// op is an operation that one client or several send until they know what came of it.
type op struct {
	id                       uuid.UUID
	kind, method, path, body string
	settled                  []harness.Answer // guarded by the user
}

// user is who makes operations, with a workspace of its own, so that tests can share a database.
type user struct {
	*site
	token, workspace, bot string

	mu  sync.Mutex
	ops []*op
}

func (s *site) register() *user {
	s.t.Helper()
	body := fmt.Sprintf(`{"email":"u%s@example.com","password":"%s","workspace_name":"Acme"}`, newID(), harness.Password)
	a, err := s.send(context.Background(), "", http.MethodPost, "/v1/auth/register", body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusCreated, a.Status, a)
	u := &user{site: s, token: a.Text("access_token"), workspace: a.Text("workspace_id")}
	u.bot = u.must(createBot).Text("id")
	return u
}

// must makes an operation that nothing may get in the way of.
func (u *user) must(kind string) harness.Answer {
	u.t.Helper()
	a, err := u.settle(0, u.plan(kind, ""))
	require.NoError(u.t, err)
	return a
}

// thread makes one.
func (u *user) thread() string {
	u.t.Helper()
	return u.must(createThread).Text("id")
}

// plan makes an operation that has not been sent yet; a turn needs a thread.
func (u *user) plan(kind, thread string) *op {
	o := &op{id: newID(), kind: kind, method: http.MethodPost}
	switch kind {
	case createBot:
		o.path, o.body = "/v1/bots", fmt.Sprintf(`{"name":"%s"}`, o.id)
	case updateInstruction:
		o.method, o.path = http.MethodPut, "/v1/bots/"+u.bot+"/instruction"
		o.body = fmt.Sprintf(`{"instruction":"%s"}`, o.id)
	case createThread:
		o.path, o.body = "/v1/conversations/threads", fmt.Sprintf(`{"bot_id":"%s"}`, u.bot)
	case takeTurn:
		o.path, o.body = "/v1/conversations/threads/"+thread+"/turn", fmt.Sprintf(`{"content":"%s"}`, o.id)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ops = append(u.ops, o)
	return o
}

// try sends an operation once.
func (u *user) try(o *op) (harness.Answer, error) {
	return u.send(context.Background(), u.token, o.method, o.path, o.body, harness.Operation(o.id.String()))
}

// settle sends an operation until the answer says what came of it. Only what says "not now" is followed by another try;
// every other failure, a 500 above all, is a fault of ours.
func (u *user) settle(client int, o *op) (harness.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), faultTimeout)
	defer cancel()
	var last string
	for ; ctx.Err() == nil; pause(ctx, time.Duration(10+rand.IntN(40))*time.Millisecond) {
		sent := time.Now()
		a, err := u.try(o)
		if u.observe != nil {
			known := &a
			if err != nil || a.Status >= http.StatusInternalServerError {
				known = nil
			}
			u.observe(client, o, sent, time.Now(), known)
		}
		if err != nil {
			last = err.Error()
			continue
		}
		last = a.String()
		switch {
		case a.Status < http.StatusMultipleChoices:
			u.mu.Lock()
			defer u.mu.Unlock()
			o.settled = append(o.settled, a)
			return a, nil
		case a.Status == http.StatusConflict && (a.Text("code") == "OPERATION_IN_PROGRESS" || a.Text("code") == "THREAD_BUSY"):
		case a.Status == http.StatusServiceUnavailable && a.Text("code") == "DOWNSTREAM_UNAVAILABLE":
		default:
			assert.Fail(u.t, "an answer that may not be", "%s %s: %s", o.kind, o.id, a)
			return a, errNoAnswer
		}
	}
	assert.Fail(u.t, "never settled", "%s %s: %s", o.kind, o.id, last)
	return harness.Answer{}, errNoAnswer
}

// load is clients at work: each makes operations of its own, and now and then one that all of them make.
type load struct {
	stop func() // lets the clients finish what they are at, and waits for them
}

const clients = 8

// work has clients make operations of these kinds, each this many (0: until stopped), besides the shared ones.
func (u *user) work(each, shared int, mix ...string) *load {
	u.t.Helper()
	threads := make([]string, clients)
	needThread := strings.Contains(strings.Join(mix, " "), takeTurn)
	for i := range threads {
		if needThread {
			threads[i] = u.thread()
		}
	}
	common := make([]*op, shared)
	for i := range common {
		kind, thread := mix[i%len(mix)], ""
		if kind == takeTurn {
			thread = u.thread()
		}
		common[i] = u.plan(kind, thread)
	}
	stopped := make(chan struct{})
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for i := 0; each == 0 || i < each; i++ {
				select {
				case <-stopped:
					return
				default:
				}
				if i < len(common) {
					_, _ = u.settle(c, common[i]) // the failure was reported
				}
				_, _ = u.settle(c, u.plan(mix[(i+c)%len(mix)], threads[c]))
			}
		})
	}
	return &load{stop: func() {
		if each == 0 {
			close(stopped)
		}
		running.Wait()
		for _, o := range common { // what nobody has come to
			if len(o.settled) == 0 {
				_, _ = u.settle(0, o)
			}
		}
	}}
}

// requireOnce counts, as superuser: each operation has one claim, one audit row and one effect, and whatever answer a
// client had is the stored one, byte for byte; numbers in threads and of versions leave nothing out.
func (u *user) requireOnce(t *testing.T, db *pgx.Conn) {
	t.Helper()
	ctx := context.Background()
	require.NotEmpty(t, u.ops)
	type stored struct {
		Finished                    bool
		Status                      int
		ContentType, Location, Body string
	}
	claims := map[uuid.UUID]stored{}
	rows, err := db.Query(ctx, `SELECT id, finished_at IS NOT NULL, coalesce(status, 0), coalesce(content_type, ''),
	    coalesce(location, ''), coalesce(convert_from(body, 'UTF8'), '') FROM operations WHERE workspace_id = $1`, u.workspace)
	require.NoError(t, err)
	var id uuid.UUID
	var one stored
	_, err = pgx.ForEachRow(rows, []any{&id, &one.Finished, &one.Status, &one.ContentType, &one.Location, &one.Body}, func() error {
		claims[id] = one
		return nil
	})
	require.NoError(t, err)
	if len(claims) != len(u.ops) {
		t.Fatalf("%d operations, and %d claims", len(u.ops), len(claims))
	}
	audited := u.count(t, db, `SELECT operation_id, count(*) FROM audit_log WHERE workspace_id = $1 GROUP BY 1`)
	effects := map[string]map[string]int{
		createBot:         u.count(t, db, `SELECT name, count(*) FROM bots WHERE workspace_id = $1 GROUP BY 1`),
		updateInstruction: u.count(t, db, `SELECT instruction, count(*) FROM bot_versions WHERE workspace_id = $1 AND instruction <> '' GROUP BY 1`),
		createThread:      u.count(t, db, `SELECT id, count(*) FROM threads WHERE workspace_id = $1 GROUP BY 1`),
		takeTurn:          u.count(t, db, `SELECT operation_id, count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'completed' GROUP BY 1`),
	}
	messages := u.count(t, db, `SELECT operation_id || role, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`)
	made := map[string]int{}
	for _, o := range u.ops {
		made[o.kind]++
		require.NotEmpty(t, o.settled, "%s %s was never answered", o.kind, o.id)
		stored := claims[o.id]
		require.True(t, stored.Finished, "%s %s has an answer but is unfinished", o.kind, o.id)
		for _, a := range o.settled {
			require.Equal(t, stored.Body, string(a.Raw), "%s %s: answered what is not stored", o.kind, o.id)
			require.Equal(t, stored.Status, a.Status)
			require.Equal(t, stored.ContentType, a.Header.Get("Content-Type"))
			require.Equal(t, stored.Location, a.Header.Get("Location"))
		}
		require.Equal(t, 1, audited[o.id.String()], "audit rows of %s %s", o.kind, o.id)
		mark := o.id.String()
		if o.kind == createThread {
			mark = o.settled[0].Text("id")
		}
		require.Equal(t, 1, effects[o.kind][mark], "effects of %s %s", o.kind, o.id)
		if o.kind == takeTurn {
			require.Equal(t, 1, messages[mark+"user"], "user messages of %s", o.id)
			require.Equal(t, 1, messages[mark+"assistant"], "assistant messages of %s", o.id)
			require.Equal(t, "Echo: "+mark, o.settled[0].Text("assistant_message.content"))
		}
	}
	for kind, n := range made {
		require.Len(t, effects[kind], n, "effects of %s that no operation made", kind)
	}
	require.Len(t, messages, 2*made[takeTurn], "messages that no operation made")
	u.requireDense(t, db)
}

// requireDense finds numbers that are missing or given twice, in the messages of threads and the versions of bots.
func (u *user) requireDense(t *testing.T, db *pgx.Conn) {
	t.Helper()
	require.Empty(t, u.count(t, db, `SELECT t.id, count(m.seq) FROM threads t
	    LEFT JOIN messages m ON m.workspace_id = t.workspace_id AND m.thread_id = t.id
	    WHERE t.workspace_id = $1 GROUP BY t.id, t.last_seq
	    HAVING count(m.seq) <> t.last_seq OR count(DISTINCT m.seq) <> t.last_seq OR coalesce(max(m.seq), 0) <> t.last_seq`), "threads with holes")
	require.Empty(t, u.count(t, db, `SELECT b.id, count(*) FROM bots b
	    JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id
	    WHERE b.workspace_id = $1 GROUP BY b.id, b.current_version
	    HAVING count(*) <> b.current_version OR max(v.version) <> b.current_version`), "bots with holes")
}

// count reads a text and a number a row.
func (u *user) count(t *testing.T, db *pgx.Conn, sql string) map[string]int {
	t.Helper()
	rows, err := db.Query(context.Background(), "SELECT q.a::text, q.n FROM ("+sql+") q(a, n) WHERE q.a IS NOT NULL", u.workspace)
	require.NoError(t, err)
	counts := map[string]int{}
	var key string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&key, &n}, func() error {
		counts[key] += n
		return nil
	})
	require.NoError(t, err)
	return counts
}
