package turns

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

func TestLaterTurnsAreGivenTheCallsOfEarlierOnes(t *testing.T) {
	t.Parallel()
	ada, m := withModels(t)
	s := newShop(t)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small", "tools": []any{s.tool(t, ada, "stock", "read", nil)}})
	m.Then(modeltest.Script{Pieces: []string{"Let me look."}, Calls: []modeltest.ScriptCall{{ID: "a", Name: "stock", Arguments: `{"item":"cup"}`}}},
		modeltest.Script{Pieces: []string{"There are five."}})
	a := ada.Say(t, thread, "How many cups?")
	require.Equal(t, "Let me look.\n\nThere are five.", a.Text("assistant_message.content"), a)
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "And jugs?").Status)
	asked := m.Calls()
	raw, err := json.Marshal(asked[len(asked)-1].Body["messages"])
	require.NoError(t, err)
	var messages []struct {
		Role, Content string
		ToolCalls     []struct {
			Function struct{ Name, Arguments string }
		} `json:"tool_calls"`
	}
	require.NoError(t, json.Unmarshal(raw, &messages))
	var said []string
	for _, one := range messages[1:] {
		said = append(said, one.Role+" "+one.Content)
	}
	require.Len(t, said, 5, "%s", raw)
	require.Equal(t, []string{"user How many cups?", "assistant Let me look."}, said[:2])
	require.Equal(t, "stock", messages[2].ToolCalls[0].Function.Name)
	require.Contains(t, said[2], `done {"item":"cup"}`)
	require.Equal(t, []string{"assistant There are five.", "user And jugs?"}, said[3:])
}

func TestAPersonSettlesACallWhoseOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	ada, m := withModels(t)
	lost := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(lost.Close)
	order := (&shop{Server: lost}).tool(t, ada, "order", "write", nil)
	order["approval"] = "never"
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small", "tools": []any{order}})
	m.Then(modeltest.Script{Calls: []modeltest.ScriptCall{{ID: "a", Name: "order", Arguments: `{"item":"cup"}`}}}, modeltest.Script{Pieces: []string{"I do not know."}})
	a := ada.Say(t, thread, "A cup, please.")
	require.Equal(t, http.StatusOK, a.Status, a)
	calls := ada.Get(t, toolCalls+"?status=unknown").Items()
	require.Len(t, calls, 1)
	decision := toolCalls + "/" + calls[0]["id"].(string) + "/decision"
	harness.RequireCode(t, ada.Post(t, decision, map[string]any{"decision": "approve"}), http.StatusConflict, "TOOL_CALL_DECIDED")
	harness.RequireWrong(t, ada.Post(t, decision, map[string]any{"decision": "deny", "result": "x"}), "result")
	harness.RequireWrong(t, ada.Post(t, decision, map[string]any{"decision": "failed", "arguments": map[string]any{}}), "arguments")

	settled := ada.Post(t, decision, map[string]any{"decision": "succeeded", "result": "Order 17 exists.", "reason": "I looked."})
	require.Equal(t, http.StatusOK, settled.Status, settled)
	require.Equal(t, []any{"succeeded", "Order 17 exists.", "I looked.", ada.User}, []any{settled.At("status"), settled.At("result"), settled.At("reason"), settled.At("decided_by")})
	again := ada.Post(t, decision, map[string]any{"decision": "failed"})
	harness.RequireCode(t, again, http.StatusConflict, "TOOL_CALL_DECIDED")
	require.Equal(t, "succeeded", again.Text("details.status"))
	require.Equal(t, settled.Body, ada.Get(t, toolCalls+"/"+calls[0]["id"].(string)).Body)

	require.Equal(t, http.StatusOK, ada.Say(t, thread, "Is it there?").Status)
	asked := m.Calls()
	raw, err := json.Marshal(asked[len(asked)-1].Body["messages"])
	require.NoError(t, err)
	require.Contains(t, string(raw), "Order 17 exists.", "a later turn is given what a person has found out")
}

func TestArgumentsOfAPersonMatchTheSchema(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	order := s.tool(t, ada, "order", "write", map[string]any{"schema": map[string]any{
		"type": "object", "required": []string{"item"}, "properties": map[string]any{"item": map[string]any{"type": "string"}},
	}})
	thread := ada.ThreadWith(t, withTools(order))
	call, turn := waitsFor(t, ada, thread, `call order {"item":"cup"}`)
	decides := func(arguments map[string]any) harness.Answer {
		return ada.Post(t, call+"/decision", map[string]any{"decision": "approve", "arguments": arguments})
	}
	harness.RequireWrong(t, decides(map[string]any{}), "arguments")
	harness.RequireWrong(t, decides(map[string]any{"item": 1}), "arguments")
	harness.RequireCode(t, ada.Post(t, call+"/decision", map[string]any{"decision": "succeeded"}), http.StatusConflict, "CONFLICT")
	require.Equal(t, "waiting", ada.Get(t, call).Text("status"))
	require.Equal(t, http.StatusOK, decides(map[string]any{"item": "jug"}).Status)
	ada.WaitUntil(t, "/v1/conversations/threads/"+thread+"/turns/"+turn, "status", "completed")
	require.Equal(t, []string{`{"item": "jug"}`}, s.calls())
}

func TestValuesOfRedactedPropertiesAreNeitherStoredNorSeen(t *testing.T) {
	t.Parallel()
	ada, _ := withModels(t)
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"owner":"Ada","cards":[{"Number":"4111 1111","open":true}]}`))
	}))
	t.Cleanup(bank.Close)
	tool := (&shop{Server: bank}).tool(t, ada, "account", "read", map[string]any{"redact": []string{"number"}})
	require.Equal(t, []any{"number"}, ada.Get(t, "/v1/tools/"+tool["id"].(string)).At("redact"))
	a := ada.Say(t, ada.ThreadWith(t, withTools(tool)), "call account {}")
	require.Contains(t, a.Text("assistant_message.content"), `{"owner":"Ada","cards":[{"Number":"[redacted]","open":true}]}`, a)
	harness.RequireNowhere(t, ada.Super(t), "4111 1111")

	v := ada.Patch(t, "/v1/tools/"+tool["id"].(string), map[string]any{"redact": []string{}})
	require.Equal(t, []any{}, v.At("redact"), v)
	harness.RequireWrong(t, ada.Patch(t, "/v1/tools/"+tool["id"].(string), map[string]any{"redact": []string{""}}), "redact.0")
}
