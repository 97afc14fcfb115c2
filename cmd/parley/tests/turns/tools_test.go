package turns

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

const toolCalls = "/v1/tool-calls"

// shop is the system of a business, which counts what was done to it.
type shop struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	keys   []string
	hold   chan struct{} // where it is not nil, calls wait until it is closed
	status int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.bodies, s.keys = append(s.bodies, string(body)), append(s.keys, r.Header.Get("Idempotency-Key"))
		hold, status := s.hold, s.status
		s.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return
			}
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("done " + string(body)))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.bodies...)
}

// tool makes a tool of the shop, and returns it as the settings of a bot name it.
func (s *shop) tool(t *testing.T, c *harness.Caller, name, effect string, more map[string]any) map[string]any {
	t.Helper()
	body := map[string]any{
		"kind": "http", "name": name, "description": "Orders goods.", "effect": effect, "url": s.URL + "/" + name, "method": "POST",
		"schema": map[string]any{"type": "object"},
	}
	maps.Copy(body, more)
	if body["kind"] == "client" {
		delete(body, "url")
		delete(body, "method")
	}
	a := c.Post(t, "/v1/tools", body)
	require.Equal(t, http.StatusCreated, a.Status, a)
	return map[string]any{"id": a.Text("id")}
}

func withTools(tools ...map[string]any) map[string]any {
	return map[string]any{"model": "echo", "tools": tools}
}

func withShop(t *testing.T) (*harness.Caller, *shop) {
	t.Helper()
	return harness.Start(t, "WEBHOOK_ALLOW_PRIVATE=true", "UPKEEP_INTERVAL=100ms").Register(t), newShop(t)
}

func TestABotCallsATool(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "stock", "read", nil)))
	a := ada.Say(t, thread, `call stock {"item": "cup"}`)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Contains(t, a.Text("assistant_message.content"), `done {"item": "cup"}`)
	require.Equal(t, []string{`{"item": "cup"}`}, s.calls())
	calls := ada.Get(t, toolCalls+"?turn_id="+a.Text("turn_id")).Items()
	require.Len(t, calls, 1)
	require.Equal(t, []any{"succeeded", "stock", "http", "read", 1.0, map[string]any{"item": "cup"}},
		[]any{calls[0]["status"], calls[0]["name"], calls[0]["kind"], calls[0]["effect"], calls[0]["attempts"], calls[0]["arguments"]})
	require.Equal(t, calls[0], ada.Get(t, toolCalls+"/"+calls[0]["id"].(string)).Body)

	stream := ada.Open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", harness.Says(`call stock {"item": "jug"}`))
	text, kinds, _ := harness.StreamedText(stream.Rest())
	require.Contains(t, text, `done {"item": "jug"}`)
	require.Subset(t, kinds, []string{"tool_call.created", "tool_call.completed", "turn.completed"})
}

func TestAWriteWaitsForAPersonAndIsMadeOnce(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "order", "write", nil)))
	op := harness.Operation(uuid.NewString())
	waits := ada.Say(t, thread, `call order {"item": "cup"}`, op)
	require.Equal(t, http.StatusAccepted, waits.Status, waits)
	require.Equal(t, "waiting", waits.Text("status"))
	ids, _ := waits.At("tool_call_ids").([]any)
	require.Len(t, ids, 1)
	again := ada.Say(t, thread, `call order {"item": "cup"}`, op)
	require.Equal(t, http.StatusAccepted, again.Status, again)
	require.Equal(t, waits.Body, again.Body)
	busy := ada.Say(t, thread, "Hello?")
	harness.RequireCode(t, busy, http.StatusConflict, "THREAD_BUSY")
	require.Equal(t, "waiting", busy.Text("details.reason"))
	turn := "/v1/conversations/threads/" + thread + "/turns/" + waits.Text("turn_id")
	require.Equal(t, "waiting", ada.Get(t, turn).Text("status"))
	require.Empty(t, s.calls())
	list := ada.Get(t, toolCalls+"?status=waiting").Items()
	require.Len(t, list, 1)
	call := toolCalls + "/" + ids[0].(string)
	harness.RequireCode(t, ada.Post(t, call+"/result", map[string]any{"content": "x"}), http.StatusConflict, "CONFLICT")

	answers := make(chan harness.Answer, 2)
	for _, decision := range []string{"approve", "approve"} { // two deciders at once
		go func() {
			a, err := ada.Try(t, http.MethodPost, call+"/decision", map[string]any{"decision": decision})
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	statuses := []int{(<-answers).Status, (<-answers).Status}
	require.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict}, statuses)
	ada.WaitUntil(t, turn, "status", "completed")
	done := ada.Say(t, thread, `call order {"item": "cup"}`, op)
	require.Equal(t, http.StatusOK, done.Status, done)
	require.Equal(t, "true", done.Header.Get("X-Operation-Replayed"))
	require.Contains(t, done.Text("assistant_message.content"), "done")
	require.Len(t, s.calls(), 1)
	harness.RequireCode(t, ada.Post(t, call+"/decision", map[string]any{"decision": "deny"}), http.StatusConflict, "TOOL_CALL_DECIDED")
	require.Equal(t, ada.User, ada.Get(t, call).Text("decided_by"))
}

func TestAnApprovedCallIsMadeByAnotherProcess(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "order", "write", nil)))
	waits := ada.Say(t, thread, `call order {"item": "cup"}`)
	require.Equal(t, http.StatusAccepted, waits.Status, waits)
	other := harness.StartOn(t, ada.Database, ada.Settings...)
	ada.Stop()
	there := &harness.Caller{Program: other, Token: ada.Token}
	call := there.Get(t, toolCalls+"?status=waiting").Items()[0]["id"].(string)
	decided := there.Post(t, toolCalls+"/"+call+"/decision", map[string]any{"decision": "approve", "arguments": map[string]any{"item": "jug"}})
	require.Equal(t, http.StatusOK, decided.Status, decided)
	there.WaitUntil(t, "/v1/conversations/threads/"+thread+"/turns/"+waits.Text("turn_id"), "status", "completed")
	require.Equal(t, []string{`{"item": "jug"}`}, s.calls())
}

func TestADeniedCallIsNotMadeAndTheModelIsGivenTheReason(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "order", "write", nil)))
	waits := ada.Say(t, thread, `call order {"item": "cup"}`)
	call := ada.Get(t, toolCalls+"?status=waiting").Items()[0]["id"].(string)
	harness.RequireCode(t, ada.Post(t, toolCalls+"/"+call+"/decision", map[string]any{"decision": "deny", "arguments": map[string]any{}}), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Equal(t, http.StatusOK, ada.Post(t, toolCalls+"/"+call+"/decision", map[string]any{"decision": "deny", "reason": "Too many cups."}).Status)
	ada.WaitUntil(t, "/v1/conversations/threads/"+thread+"/turns/"+waits.Text("turn_id"), "status", "completed")
	messages := ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items()
	require.Contains(t, messages[1]["content"], "Too many cups.")
	require.Empty(t, s.calls())
}

func TestAWaitingTurnIsCancelled(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "order", "write", nil)))
	waits := ada.Say(t, thread, `call order {"item": "cup"}`)
	turn := "/v1/conversations/threads/" + thread + "/turns/" + waits.Text("turn_id")
	began := time.Now()
	require.Equal(t, http.StatusOK, ada.Post(t, turn+"/cancel", nil).Status)
	require.Less(t, time.Since(began), 4*time.Second, "no process runs it")
	require.Equal(t, "cancelled", ada.Get(t, turn).Text("status"))
	kept := ada.LlmTurn(t, waits.Text("turn_id"))
	require.Equal(t, []any{0.0, false}, []any{kept["input_tokens"], kept["usage_estimated"]}, "no model was at work")
	calls := ada.Get(t, toolCalls+"?turn_id="+waits.Text("turn_id")).Items()
	require.Equal(t, "cancelled", calls[0]["status"])
	harness.RequireCode(t, ada.Post(t, toolCalls+"/"+calls[0]["id"].(string)+"/decision", map[string]any{"decision": "approve"}), http.StatusConflict, "TOOL_CALL_DECIDED")
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "Hello").Status, "the thread is free")
	require.Empty(t, s.calls())
}

func TestACallThatNobodyDecidesExpires(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "order", "write", nil)))
	waits := ada.Say(t, thread, `call order {"item": "cup"}`)
	ada.SQL(t, `UPDATE tool_calls SET expires_at = now() - interval '1 s' WHERE turn_id = $1`, waits.Text("turn_id"))
	ada.SQL(t, `UPDATE llm_turns SET lease_until = now() - interval '1 s' WHERE id = $1`, waits.Text("turn_id"))
	ada.WaitUntil(t, "/v1/conversations/threads/"+thread+"/turns/"+waits.Text("turn_id"), "status", "completed")
	calls := ada.Get(t, toolCalls+"?turn_id="+waits.Text("turn_id")).Items()
	require.Equal(t, "expired", calls[0]["status"])
	require.Empty(t, s.calls())
}

func TestAClientAnswersItsTool(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "ask_color", "read", map[string]any{"kind": "client"})))
	path := "/v1/conversations/threads/" + thread
	stream := ada.Open(t, http.MethodPost, path+"/turn", harness.Says(`call ask_color {"of": "cup"}`))
	frames := stream.Rest()
	last := frames[len(frames)-1]
	require.Equal(t, "turn.waiting", last.Data["type"])
	var call string
	for _, f := range frames {
		if f.Data["type"] == "tool_call.created" {
			call = f.Data["tool_call"].(map[string]any)["id"].(string)
		}
	}
	harness.RequireCode(t, ada.Post(t, toolCalls+"/"+call+"/decision", map[string]any{"decision": "approve"}), http.StatusConflict, "CONFLICT")
	events := path + "/turns/" + last.Data["turn_id"].(string) + "/events"
	rest := make(chan []harness.Frame, 1)
	follower := ada.Open(t, http.MethodGet, events, nil, harness.After(last.ID))
	go func() { rest <- follower.Rest() }()
	require.Equal(t, http.StatusOK, ada.Post(t, toolCalls+"/"+call+"/result", map[string]any{"content": "red"}).Status)
	text, kinds, _ := harness.StreamedText(<-rest)
	require.Contains(t, text, "red")
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
	harness.RequireCode(t, ada.Post(t, toolCalls+"/"+call+"/result", map[string]any{"content": "blue"}), http.StatusConflict, "TOOL_CALL_DECIDED")
}

func TestCallsOfOneStepRunSideBySideAndACancelStopsThem(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	s.hold = make(chan struct{})
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "stock", "read", nil)))
	three := strings.Join([]string{`call stock {"n": 1}`, `call stock {"n": 2}`, `call stock {"n": 3}`}, "\n")
	stream := ada.Open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", harness.Says(three))
	stream.Until("tool_call.created")
	require.Eventually(t, func() bool { return len(s.calls()) == 3 }, time.Minute, 10*time.Millisecond)
	turn := ada.Runs(t, "/v1/conversations/threads/"+thread)
	began := time.Now()
	require.Equal(t, http.StatusOK, ada.Post(t, turn+"/cancel", nil).Status)
	require.Less(t, time.Since(began), 4*time.Second)
	for _, c := range ada.Get(t, toolCalls+"?turn_id="+turn[strings.LastIndex(turn, "/")+1:]).Items() {
		require.Equal(t, "cancelled", c["status"])
	}
	close(s.hold)
	s.mu.Lock()
	s.hold = nil
	s.mu.Unlock()
	a := ada.Say(t, thread, three)
	require.Equal(t, http.StatusOK, a.Status, a)
	content := a.Text("assistant_message.content")
	one, two := strings.Index(content, `{"n": 1}`), strings.Index(content, `{"n": 2}`)
	require.Positive(t, one, content)
	require.Less(t, one, two, "in order: %s", content)
}

func TestAModelThatRepeatsAFailingCallEndsInALoop(t *testing.T) {
	t.Parallel()
	ada, m := withModels(t)
	s := newShop(t)
	s.status = http.StatusTeapot
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small", "tools": []any{s.tool(t, ada, "stock", "read", nil)}})
	again := modeltest.Script{Calls: []modeltest.ScriptCall{{ID: "a", Name: "stock", Arguments: `{"item":"cup"}`}}, Input: 10, Output: 5}
	m.Then(again, again, again)
	a := ada.Say(t, thread, "How many cups?")
	harness.RequireCode(t, a, http.StatusUnprocessableEntity, "TOOL_LOOP")
	require.Len(t, s.calls(), 3)
	require.EqualValues(t, 30, ada.LlmTurn(t, a.Text("details.turn_id"))["input_tokens"], "each step counts")

	m.Then(modeltest.Script{Calls: []modeltest.ScriptCall{{ID: "a", Name: "nothing", Arguments: `{}`}}, Input: 10, Output: 5}, modeltest.Script{Input: 20, Output: 7})
	thread = ada.ThreadWith(t, map[string]any{"model": "openai/small", "tools": []any{map[string]any{"id": ada.Get(t, "/v1/tools").Items()[0]["id"]}}})
	a = ada.Say(t, thread, "How many cups?")
	require.Equal(t, "Hello there", a.Text("assistant_message.content"), a)
	kept := ada.LlmTurn(t, a.Text("turn_id"))
	require.Equal(t, []any{30.0, 12.0}, []any{kept["input_tokens"], kept["output_tokens"]})
	asked := m.Calls()
	raw, err := json.Marshal(asked[len(asked)-1].Body["messages"])
	require.NoError(t, err)
	require.Contains(t, string(raw), "There is no tool")
}
