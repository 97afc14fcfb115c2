package turns

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/usage"
)

// waitsFor takes a turn that waits for its only call.
func waitsFor(t *testing.T, c *harness.Caller, thread, content string) (call, turn string) {
	t.Helper()
	a := c.Say(t, thread, content)
	require.Equal(t, http.StatusAccepted, a.Status, a)
	ids, _ := a.At("tool_call_ids").([]any)
	require.Len(t, ids, 1)
	return toolCalls + "/" + ids[0].(string), a.Text("turn_id")
}

// botWith makes a bot with tools.
func botWith(t *testing.T, c *harness.Caller, tools ...map[string]any) string {
	t.Helper()
	a := c.Post(t, "/v1/bots", map[string]any{"name": "Ada", "instruction": "Be kind.", "settings": withTools(tools...)})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.Text("id")
}

func TestCallsOfToolsAreUnknownToAllWhoMayNotSeeTheirTurn(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	order, ask := s.tool(t, ada, "order", "write", nil), s.tool(t, ada, "ask_color", "read", map[string]any{"kind": "client"})
	bot, other := botWith(t, ada, order, ask), ada.NewBot(t)
	desk := ada.Key(t, "embed")
	user := desk.EndUser(t, bot)
	own := user.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot})
	require.Equal(t, http.StatusCreated, own.Status, own)
	write, turn := waitsFor(t, ada, ada.Thread(t, bot), `call order {}`)
	asks, asked := waitsFor(t, user, own.Text("id"), `call ask_color {}`)
	approve, red := map[string]any{"decision": "approve"}, map[string]any{"content": "red"}
	for who, c := range map[string]*harness.Caller{
		"another workspace":          ada.Register(t),
		"another end user":           desk.EndUser(t, bot),
		"an end user of another bot": desk.EndUser(t, other),
		"a key of other bots":        ada.Key(t, "editor", map[string]any{"bot_ids": []string{other}}),
	} {
		for call, turn := range map[string]string{write: turn, asks: asked} {
			harness.RequireCode(t, c.Post(t, call+"/result", red), http.StatusNotFound, "NOT_FOUND")
			decided := c.Post(t, call+"/decision", approve)
			if strings.Contains(who, "end user") {
				harness.RequireCode(t, decided, http.StatusForbidden, "FORBIDDEN")
			} else {
				harness.RequireCode(t, decided, http.StatusNotFound, "NOT_FOUND")
			}
			if read := c.Get(t, call); read.Status != http.StatusForbidden {
				harness.RequireCode(t, read, http.StatusNotFound, "NOT_FOUND")
				require.Empty(t, c.Get(t, toolCalls+"?turn_id="+turn).Items(), who)
				require.Empty(t, c.Get(t, toolCalls).Items(), who)
			}
		}
	}
	harness.RequireCode(t, user.Post(t, asks+"/decision", approve), http.StatusForbidden, "FORBIDDEN")
	harness.RequireCode(t, user.Post(t, write+"/result", red), http.StatusNotFound, "NOT_FOUND")
	a := user.Post(t, asks+"/result", red)
	require.Equal(t, http.StatusOK, a.Status, a)
	user.WaitUntil(t, "/v1/conversations/threads/"+own.Text("id")+"/turns/"+asked, "status", "completed")
	require.Equal(t, "waiting", ada.Get(t, write).Text("status"))
	require.Empty(t, s.calls())
}

func TestADecisionTakesOnlyObjectsAndKeepsTheirNumbers(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.ThreadWith(t, withTools(s.tool(t, ada, "order", "write", nil)))
	call, turn := waitsFor(t, ada, thread, `call order {"n":1}`)
	decides := func(arguments string) harness.Answer {
		return ada.Post(t, call+"/decision", json.RawMessage(`{"decision":"approve","arguments":`+arguments+`}`))
	}
	for arguments, status := range map[string]int{
		`[1]`: 422, `"x"`: 422, `null`: 422, `{"a":"\u0000"}`: 422, `{"n":1e999999}`: 422, `{"a":"\ud800"}`: 400,
		strings.Repeat(`{"a":`, 3000) + "1" + strings.Repeat("}", 3000): 400,
		`{"a":"` + strings.Repeat("x", 64<<10) + `"}`:                   422,
		`{"a":"` + strings.Repeat("x", 1<<20) + `"}`:                    413,
	} {
		require.Equal(t, status, decides(arguments).Status, "%.40s", arguments)
	}
	require.Equal(t, "waiting", ada.Get(t, call).Text("status"))
	a := decides(`{"account": 9007199254740993}`) // no double
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Contains(t, string(a.Raw), "9007199254740993")
	ada.WaitUntil(t, "/v1/conversations/threads/"+thread+"/turns/"+turn, "status", "completed")
	require.Equal(t, []string{`{"account": 9007199254740993}`}, s.calls())
}

func TestAToolIsDeletedWhileACallWaits(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	order := s.tool(t, ada, "order", "write", nil)
	thread := ada.Thread(t, botWith(t, ada, order))
	call, turn := waitsFor(t, ada, thread, `call order {}`)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/tools/"+order["id"].(string)+"?force=true").Status)
	require.Equal(t, http.StatusOK, ada.Post(t, call+"/decision", map[string]any{"decision": "approve"}).Status)
	ada.WaitUntil(t, "/v1/conversations/threads/"+thread+"/turns/"+turn, "status", "completed")
	require.Equal(t, "failed", ada.Get(t, call).Text("status"))
	require.Empty(t, s.calls())
}

func TestAThreadOrItsBotIsDeletedWhileItsTurnWaits(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	bot := botWith(t, ada, s.tool(t, ada, "order", "write", nil))
	thread, approve := ada.Thread(t, bot), map[string]any{"decision": "approve"}
	call, _ := waitsFor(t, ada, thread, `call order {}`)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/conversations/threads/"+thread).Status)
	require.Equal(t, []int{404, 404}, []int{ada.Get(t, call).Status, ada.Post(t, call+"/decision", approve).Status})
	require.Empty(t, ada.Get(t, toolCalls+"?status=waiting").Items())
	require.Zero(t, ada.Number(t, `SELECT count(*) FROM llm_turns WHERE status = 'running'`))
	call, _ = waitsFor(t, ada, ada.Thread(t, bot), `call order {}`)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/bots/"+bot).Status)
	require.GreaterOrEqual(t, ada.Post(t, call+"/decision", approve).Status, 404)
	require.Empty(t, ada.Get(t, toolCalls+"?status=waiting").Items())
	require.Empty(t, s.calls())
}

func TestATurnThatWaitsEndsThoughTheWorkspaceIsAtItsLimit(t *testing.T) {
	t.Parallel()
	ada, s := withShop(t)
	thread := ada.Thread(t, botWith(t, ada, s.tool(t, ada, "order", "write", nil)))
	call, turn := waitsFor(t, ada, thread, `call order {}`)
	ada.Limit(t, usage.Turns, 1)
	ada.Limit(t, usage.Messages, 1)
	require.Equal(t, http.StatusOK, ada.Post(t, call+"/decision", map[string]any{"decision": "approve"}).Status)
	ada.WaitUntil(t, "/v1/conversations/threads/"+thread+"/turns/"+turn, "status", "completed")
	require.Len(t, s.calls(), 1)
	harness.RequireCode(t, ada.Say(t, thread, "call order {}"), http.StatusForbidden, "LIMIT_REACHED")
}
