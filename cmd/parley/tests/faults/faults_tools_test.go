//go:build faults

package faults

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

// business is the system that tools call. It counts the calls of each tool by their idempotency headers.
type business struct {
	url string

	mu    sync.Mutex
	calls map[string][]string
	only  string        // the only tool whose call is answered, once there are as many calls as expected; empty: each is answered at once
	left  int           // calls until then
	there chan struct{} // closed then
}

func newBusiness(t *testing.T) *business {
	t.Helper()
	b := &business{calls: map[string][]string{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *business) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	tool := strings.TrimPrefix(r.URL.Path, "/")
	b.mu.Lock()
	b.calls[tool] = append(b.calls[tool], r.Header.Get("Idempotency-Key"))
	only, there := b.only, b.there
	if b.left--; b.left == 0 {
		close(there)
	}
	b.mu.Unlock()
	if only != "" {
		select {
		case <-there:
		case <-r.Context().Done():
		}
		if tool != only {
			<-r.Context().Done()
			return
		}
	}
	fmt.Fprint(w, "done")
}

// begin forgets all calls. Of those that come, only the call of one tool is answered, when as many have come as are expected.
func (b *business) begin(only string, expected int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls, b.only, b.left, b.there = map[string][]string{}, only, expected, make(chan struct{})
	if only == "" {
		b.left = 0
	}
}

// answerAll answers each call from now on.
func (b *business) answerAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.only, b.left = "", 0
}

func (b *business) made(tool string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.calls[tool]...)
}

// The tools of the business: a write, a write that it recognizes by its header, and a read.
const (
	plainWrite = "order"
	keyedWrite = "pay"
	plainRead  = "stock"
)

// caller is a workspace whose bot calls the tools.
type caller struct {
	*user
	*business
	model *modeltest.Server
	db    *pgx.Conn
	bot   string
	turns int
}

func newCaller(t *testing.T, approval string) *caller {
	t.Helper()
	c := startCluster(t)
	m := modeltest.New(t)
	s := newSite(t, c.url(), "OPENAI_BASE_URL="+m.URL+"/v1", "OPENAI_API_KEY=sk-operator", "MODEL_TIMEOUT=20s", "WEBHOOK_ALLOW_PRIVATE=true",
		`MODEL_PRICES={"openai/small":{"input":3000000,"output":15000000}}`)
	s.launch()
	l := &caller{user: s.register(), business: newBusiness(t), model: m, db: c.superuser(t)}
	ada := l.here()
	var tools []any
	for _, name := range []string{plainWrite, keyedWrite, plainRead} {
		tool := map[string]any{
			"kind": "http", "name": name, "description": "Orders goods.", "effect": "write", "url": l.url + "/" + name, "method": "POST",
			"schema": map[string]any{"type": "object"},
		}
		switch name {
		case keyedWrite:
			tool["idempotency_header"] = "Idempotency-Key"
		case plainRead:
			tool["effect"] = "read"
		}
		a := ada.Post(t, "/v1/tools", tool)
		require.Equal(t, http.StatusCreated, a.Status, a)
		tools = append(tools, map[string]any{"id": a.Text("id"), "approval": approval})
	}
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "instruction": "Be kind.", "settings": map[string]any{"model": "openai/small", "tools": tools}})
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	l.bot = bot.Text("id")
	return l
}

// toolTurn is a turn whose model calls all tools in one step.
type toolTurn struct {
	point    string // at which the program is killed
	answered string // the only tool whose answer has come until then; empty: that is not held back
	sent     [3]int // calls of the tools that the business has in the end
	write    string // status of the plain write in the end
	asked    int    // how often the model is asked for the answer after the calls
}

// script has the model ask for the calls, and answer. Each answer of the model uses tokens.
func (l *caller) script(answers int) {
	l.turns++
	step := modeltest.Script{Input: 10, Output: 5}
	for i, name := range []string{plainWrite, keyedWrite, plainRead} {
		step.Calls = append(step.Calls, modeltest.ScriptCall{ID: fmt.Sprint("call_", i), Name: name, Arguments: `{"item":"cup"}`})
	}
	l.model.Then(step)
	for range answers {
		l.model.Then(modeltest.Script{Input: 20, Output: 7})
	}
}

// requireMade compares what the business has seen, and what is kept of the turn, with what the case expects.
func (l *caller) requireMade(t *testing.T, c toolTurn, turn string) {
	t.Helper()
	kept := map[string]map[string]any{}
	for _, call := range l.here().Get(t, "/v1/tool-calls?turn_id="+turn).Items() {
		kept[call["name"].(string)] = call
	}
	require.Len(t, kept, 3, c)
	sent := [3]int{len(l.made(plainWrite)), len(l.made(keyedWrite)), len(l.made(plainRead))}
	require.Equal(t, c.sent, sent, "%v: calls that the business has received", c)
	for _, key := range l.made(keyedWrite) {
		require.Equal(t, kept[keyedWrite]["id"], key, "%v: it has two effects", c)
	}
	require.Equal(t, []any{c.write, "succeeded", "succeeded"},
		[]any{kept[plainWrite]["status"], kept[keyedWrite]["status"], kept[plainRead]["status"]}, c)
	requests := l.model.Calls()
	results := fmt.Sprint(requests[len(requests)-1].Results())
	require.Equal(t, c.write == "unknown", strings.Contains(results, "may have taken effect"), "what the model is given: %s", results)
	require.Contains(t, results, "done")
	l.requireUsedOnce(t)
}

// requireUsedOnce counts what all turns have left, and have used.
func (l *caller) requireUsedOnce(t *testing.T) {
	t.Helper()
	for sql, each := range map[string]int{
		`SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'completed'`:        1,
		`SELECT sum(input_tokens) FROM llm_turns WHERE workspace_id = $1`:                        30,
		`SELECT sum(output_tokens) FROM llm_turns WHERE workspace_id = $1`:                       12,
		`SELECT sum(cost_micros) FROM llm_turns WHERE workspace_id = $1`:                         30*3 + 12*15,
		`SELECT sum(turns) FROM usage_counters WHERE workspace_id = $1`:                          1,
		`SELECT sum(messages) FROM usage_counters WHERE workspace_id = $1`:                       2,
		`SELECT sum(tokens) FROM usage_counters WHERE workspace_id = $1`:                         42,
		`SELECT sum(cost_micros) FROM usage_counters WHERE workspace_id = $1`:                    30*3 + 12*15,
		`SELECT count(*) FROM messages WHERE workspace_id = $1 AND role = 'user'`:                1,
		`SELECT count(*) FROM messages WHERE workspace_id = $1 AND role = 'assistant'`:           1,
		`SELECT count(*) FROM tool_calls WHERE workspace_id = $1 AND finished_at IS NOT NULL`:    3,
		`SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'turn.create'`:      1,
		`SELECT count(*) FROM tool_calls WHERE workspace_id = $1 AND attempt > 2`:                0,
		`SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND reserved_micros IS NOT NULL`: 0,
	} {
		require.Equal(t, each*l.turns, l.one(t, l.db, sql), sql)
	}
}

// thread makes one of the bot with the tools.
func (l *caller) thread(t *testing.T) string {
	t.Helper()
	return l.here().Post(t, "/v1/conversations/threads", map[string]any{"bot_id": l.bot}).Text("id")
}

const wantsGoods = `{"content":"Order a cup and pay for it, if there is one."}`

// take sends a turn again until its answer has a status.
func (l *caller) take(t *testing.T, thread string, operation harness.Header, status int) (a harness.Answer) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		a, err = l.send(t.Context(), l.token, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", wantsGoods, operation)
		return err == nil && a.Status == status
	}, faultTimeout, 50*time.Millisecond)
	return a
}

func TestFaultATurnKilledWhileItCallsToolsRepeatsNoWrite(t *testing.T) {
	t.Parallel()
	l := newCaller(t, "never")
	for _, c := range []toolTurn{
		{"turn-tool-sending", "", [3]int{1, 1, 1}, "succeeded", 1}, // nothing is stored yet
		{"turn-tool-added", "", [3]int{0, 1, 1}, "unknown", 1},     // it counts as sent
		{"turn-tool-sent", plainWrite, [3]int{1, 2, 2}, "unknown", 1},
		{"turn-tool-sent", keyedWrite, [3]int{1, 2, 2}, "unknown", 1},
		{"after-model-call", "", [3]int{1, 1, 1}, "succeeded", 2},
		{"before-commit", "", [3]int{1, 1, 1}, "succeeded", 2},
	} {
		thread, operation := l.thread(t), harness.Operation(newID().String())
		l.script(c.asked)
		l.begin(c.answered, 3)
		l.kill()
		l.launch("FAULT_POINT=" + c.point)
		_, err := l.send(t.Context(), l.token, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", wantsGoods, operation)
		require.Error(t, err, c)
		l.died()
		l.answerAll()
		require.NoError(t, killedTurnsMayBeTaken(l.db))
		l.launch()
		a := l.take(t, thread, operation, http.StatusOK)
		l.requireMade(t, c, a.Text("turn_id"))
	}
}

func TestFaultACallThatWaitsIsApprovedAndMadeByOtherProcesses(t *testing.T) {
	t.Parallel()
	l := newCaller(t, "writes")
	for i, c := range []toolTurn{
		{"before-commit:2", "", [3]int{1, 1, 1}, "succeeded", 1}, // the decision is lost
		{"after-commit:2", "", [3]int{1, 1, 1}, "succeeded", 1},  // it is decided, and no process knows
		{"turn-tool-sending", "", [3]int{0, 1, 1}, "unknown", 1},
		{"turn-tool-sent", plainWrite, [3]int{1, 2, 1}, "unknown", 1},
	} {
		thread, operation := l.thread(t), harness.Operation(newID().String())
		l.script(c.asked)
		l.begin("", 0)
		if i == 0 { // the program is killed before it is stored that the turn waits
			l.kill()
			l.launch("FAULT_POINT=after-model-call")
			_, err := l.send(t.Context(), l.token, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", wantsGoods, operation)
			require.Error(t, err, c)
			l.died()
			require.NoError(t, killedTurnsMayBeTaken(l.db))
			l.launch()
		}
		waits := l.take(t, thread, operation, http.StatusAccepted)
		calls, _ := waits.At("tool_call_ids").([]any)
		require.Len(t, calls, 2, waits)
		l.kill()
		read := l.made(plainRead)
		l.begin(c.answered, 2)
		l.calls[plainRead] = read
		l.launch("FAULT_POINT=" + c.point)
		require.Equal(t, waits.Body, l.take(t, thread, operation, http.StatusAccepted).Body)
		if strings.HasPrefix(c.point, "after-commit") {
			l.exec(t, `REVOKE EXECUTE ON FUNCTION app.abandoned_turns(integer) FROM parley_app`)
		}
		decisions := [2]harness.Header{harness.Operation(newID().String()), harness.Operation(newID().String())}
		decide := func(i int) (harness.Answer, error) {
			return l.send(t.Context(), l.token, http.MethodPost, fmt.Sprintf("/v1/tool-calls/%s/decision", calls[i]), `{"decision":"approve"}`, decisions[i])
		}
		a, err := decide(0)
		require.NoError(t, err, c)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Empty(t, l.made(plainWrite), "%v: the other call waits", c)
		_, _ = decide(1) // the program may be killed before it answers
		l.died()
		l.answerAll()
		l.exec(t, `GRANT EXECUTE ON FUNCTION app.abandoned_turns(integer) TO parley_app`)
		require.NoError(t, killedTurnsMayBeTaken(l.db))
		l.launch()
		a, err = decide(1)
		require.NoError(t, err, c)
		require.Equal(t, http.StatusOK, a.Status, "%v: the same decision has no other answer: %s", c, a)
		l.requireMade(t, c, l.take(t, thread, operation, http.StatusOK).Text("turn_id"))
	}
}

func (l *caller) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := l.db.Exec(t.Context(), sql)
	require.NoError(t, err)
}
