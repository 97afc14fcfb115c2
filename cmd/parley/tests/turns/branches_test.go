package turns

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

// after sends a message that follows a turn; nil: none.
func after(t *testing.T, c *harness.Caller, thread, content string, parent any, headers ...harness.Header) harness.Answer {
	t.Helper()
	return c.Post(t, thread+"/turn", map[string]any{"content": content, "parent_turn_id": parent}, headers...)
}

// took requires a completed turn and returns its id.
func took(t *testing.T, a harness.Answer) string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a)
	return a.Text("turn_id")
}

// questions returns what users have said in a list of messages.
func questions(t *testing.T, c *harness.Caller, path string) string {
	t.Helper()
	var said []string
	items, _ := c.LeafThrough(t, path)
	for _, m := range items {
		if m["role"] == "user" {
			said = append(said, m["content"].(string))
		}
	}
	return strings.Join(said, " ")
}

func TestATurnSeesOnlyTheMessagesOfItsBranch(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := "/v1/conversations/threads/" + ada.ThreadWith(t, map[string]any{"model": "openai/small"})
	require.Nil(t, ada.Get(t, thread).At("current_turn_id"))
	one := ada.Post(t, thread+"/turn", harness.Says("one"))
	require.Nil(t, one.At("parent_turn_id"))
	require.Equal(t, one.Text("turn_id"), one.Text("user_message.turn_id"))
	first := took(t, one)
	two := took(t, ada.Post(t, thread+"/turn", harness.Says("two")))
	three := ada.Post(t, thread+"/turn", harness.Says("three"))
	require.Equal(t, two, three.Text("parent_turn_id"))
	took(t, three)

	s.Then(modeltest.Script{Pieces: []string{"Anew"}})
	again := after(t, ada, thread, "three", two)
	require.Equal(t, two, again.Text("parent_turn_id"))
	require.Equal(t, "Anew", again.Text("assistant_message.content"))
	history := []string{"system: Be kind.", "user: one", "assistant: Hello there", "user: two", "assistant: Hello there", "user: three"}
	require.Equal(t, history, s.Calls()[3].Messages(), "it sees the turn that it is a sibling of")
	edited := took(t, after(t, ada, thread, "two, edited", first))
	require.Equal(t, []string{"system: Be kind.", "user: one", "assistant: Hello there", "user: two, edited"}, s.Calls()[4].Messages())
	on := took(t, ada.Post(t, thread+"/turn", harness.Says("on")))
	require.Equal(t, append(s.Calls()[4].Messages(), "assistant: Hello there", "user: on"), s.Calls()[5].Messages(), "the fork is not the current branch")
	require.Equal(t, on, ada.Get(t, thread).Text("current_turn_id"))
	anew := took(t, after(t, ada, thread, "anew", nil))
	require.Equal(t, []string{"system: Be kind.", "user: anew"}, s.Calls()[6].Messages())
	require.Nil(t, ada.Get(t, thread+"/turns/"+anew).At("parent_turn_id"))
	require.Equal(t, edited, ada.Get(t, thread+"/turns/"+on).Text("parent_turn_id"))

	require.Equal(t, http.StatusOK, ada.Patch(t, thread, map[string]any{"current_turn_id": again.Text("turn_id")}).Status)
	took(t, ada.Post(t, thread+"/turn", harness.Says("four")))
	require.Equal(t, append(history, "assistant: Anew", "user: four"), s.Calls()[7].Messages(), "the branch that was switched to does not go on")
}

func TestListsHaveOneBranchOrAll(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	thread := ada.OpenThread(t)
	turns := map[string]string{}
	say := func(content string) { turns[content] = took(t, ada.Post(t, thread+"/turn", harness.Says(content))) }
	fork := func(content, parent string) { turns[content] = took(t, after(t, ada, thread, content, turns[parent])) }
	say("a")
	say("b")
	say("c")
	fork("b2", "a")
	say("c2")
	fork("b3", "a")
	fork("c3", "b")
	say("d3")
	for name, want := range map[string]string{
		"": "a b c3 d3", "branch=all": "a b c b2 c2 b3 c3 d3", "branch=" + turns["c"]: "a b c", "branch=" + turns["c2"]: "a b2 c2",
		"branch=" + turns["b2"]: "a b2", "branch=" + turns["b3"]: "a b3", "branch=" + turns["a"]: "a",
	} {
		for _, limit := range []int{1, 3, 100} {
			query := fmt.Sprintf("?limit=%d&%s", limit, name)
			require.Equal(t, want, questions(t, ada, thread+"/messages"+query), query)
			require.Equal(t, backwards(want), questions(t, ada, thread+"/messages"+query+"&order=desc"), query)
			items, _ := ada.LeafThrough(t, thread+"/turns"+query)
			var listed []string
			for _, turn := range items {
				for content, id := range turns {
					if id == turn["id"] {
						listed = append(listed, content)
					}
				}
			}
			require.Equal(t, backwards(want), strings.Join(listed, " "), query)
		}
		export := ada.Get(t, thread+"/export?"+name)
		require.Equal(t, 2*len(strings.Fields(want)), strings.Count(string(export.Raw), "\n"), name)
	}
	parents := map[any]int{}
	for _, turn := range ada.Get(t, thread+"/turns?branch=all").Items() {
		parents[turn["parent_turn_id"]]++
	}
	require.Equal(t, 3, parents[turns["a"]], "the siblings b, b2 and b3")
	require.Equal(t, 2, parents[turns["b"]])
	require.Equal(t, turns["d3"], ada.Get(t, thread).Text("current_turn_id"))
	require.Equal(t, turns["d3"], ada.Get(t, "/v1/conversations/threads").Items()[0]["current_turn_id"])

	first := ada.Get(t, thread+"/messages?limit=2&branch="+turns["c2"])
	harness.RequireCode(t, ada.Get(t, thread+"/messages?limit=2&branch=all&cursor="+first.Text("next_cursor")), http.StatusBadRequest, "BAD_REQUEST")
	for _, path := range []string{"/messages", "/turns", "/export"} {
		for _, name := range []string{uuid.NewString(), "x", ""} {
			harness.RequireWrong(t, ada.Get(t, thread+path+"?branch="+name), "branch")
		}
		harness.RequireCode(t, ada.Get(t, "/v1/conversations/threads/"+uuid.NewString()+path+"?branch=all"), http.StatusNotFound, "THREAD_NOT_FOUND")
	}
}

func backwards(words string) string {
	list := strings.Fields(words)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return strings.Join(list, " ")
}

func TestOnlyATurnOfTheThreadIsFollowed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread, other := ada.OpenThread(t), ada.OpenThread(t)
	turn := took(t, ada.Post(t, thread+"/turn", harness.Says("one")))
	elsewhere := took(t, ada.Post(t, other+"/turn", harness.Says("one")))
	eve := p.Register(t)
	foreign := took(t, eve.Post(t, eve.OpenThread(t)+"/turn", harness.Says("one")))
	for _, parent := range []any{elsewhere, foreign, uuid.NewString(), "x", 1} {
		harness.RequireWrong(t, after(t, ada, thread, "two", parent), "parent_turn_id")
	}
	for _, current := range []any{elsewhere, foreign, uuid.NewString(), "x", nil} {
		harness.RequireWrong(t, ada.Patch(t, thread, map[string]any{"current_turn_id": current}), "current_turn_id")
	}
	harness.RequireCode(t, eve.Patch(t, thread, map[string]any{"current_turn_id": turn}), http.StatusNotFound, "THREAD_NOT_FOUND")
	require.Equal(t, "one", questions(t, ada, thread+"/messages?branch=all"), "what was refused left something")

	bot := ada.NewBot(t)
	visitor := ada.Key(t, "embed").EndUser(t, bot)
	chat := "/v1/conversations/threads/" + visitor.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	asked := took(t, visitor.Post(t, chat+"/turn", harness.Says("one")))
	anew := after(t, visitor, chat, "uno", nil)
	require.Nil(t, anew.At("parent_turn_id"))
	took(t, anew)
	require.Equal(t, asked, visitor.Patch(t, chat, map[string]any{"current_turn_id": asked}).Text("current_turn_id"))
	require.Equal(t, "one", questions(t, visitor, chat+"/messages"))
	harness.RequireWrong(t, after(t, visitor, chat, "two", turn), "parent_turn_id")
}

func TestABranchIsForkedOnceForAnOperation(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	one := took(t, ada.Post(t, thread+"/turn", harness.Says("one")))
	op := harness.Operation(uuid.NewString())
	forked := after(t, ada, thread, "two", one, op)
	took(t, forked)
	require.Equal(t, string(forked.Raw), string(after(t, ada, thread, "two", one, op).Raw))
	harness.RequireCode(t, after(t, ada, thread, "two", nil, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	harness.RequireCode(t, ada.Post(t, thread+"/turn", harness.Says("two"), op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	const forks = 8
	statuses := make([]harness.Answer, forks)
	var all sync.WaitGroup
	for i := range forks {
		all.Go(func() { statuses[i] = after(t, ada, thread, fmt.Sprint("fork ", i), one) })
	}
	all.Wait()
	made := 2
	for _, a := range statuses {
		if a.Status == http.StatusOK {
			made++
			continue
		}
		harness.RequireCode(t, a, http.StatusConflict, "THREAD_BUSY")
	}
	require.Len(t, ada.Get(t, thread+"/turns?branch=all").Items(), made)
	require.Len(t, ada.Get(t, thread+"/turns").Items(), 2, "a fork has the turns of another")
	require.Equal(t, made, p.Number(t, `SELECT count(DISTINCT user_seq) FROM llm_turns`))
}

func TestTheBranchOfARunningTurnStaysTheCurrentOne(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t, "ECHO_DELAY=100ms").Register(t)
	thread := ada.OpenThread(t)
	one := took(t, ada.Post(t, thread+"/turn", harness.Says("one")))
	two := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(strings.Repeat("word ", 200)))
	running := two.Until("turn.created").Data["turn_id"].(string)
	busy := ada.Patch(t, thread, map[string]any{"current_turn_id": one})
	harness.RequireCode(t, busy, http.StatusConflict, "THREAD_BUSY")
	require.Equal(t, running, busy.Text("details.active_turn_id"))
	harness.RequireCode(t, after(t, ada, thread, "three", one), http.StatusConflict, "THREAD_BUSY")
	harness.RequireCode(t, after(t, ada, thread, "three", running), http.StatusConflict, "THREAD_BUSY")
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turns/"+running+"/cancel", nil).Status)
	require.Equal(t, running, parentOf(t, after(t, ada, thread, "three", running)), "a turn that was cancelled is followed")
}

// parentOf requires a completed turn and returns its parent.
func parentOf(t *testing.T, a harness.Answer) string {
	t.Helper()
	took(t, a)
	return a.Text("parent_turn_id")
}

func TestAFailedTurnIsTriedAgainWhileItEndsTheCurrentBranch(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	thread := ada.OpenThread(t)
	one := took(t, ada.Post(t, thread+"/turn", harness.Says("one")))
	op := harness.Operation(uuid.NewString())
	failed := ada.Failed(t, thread, op)
	id := failed[strings.LastIndexByte(failed, '/')+1:]
	sibling := took(t, after(t, ada, thread, "two", one))
	harness.RequireCode(t, ada.Post(t, failed+"/retry", nil), http.StatusConflict, "CONFLICT")
	require.Equal(t, http.StatusOK, ada.Patch(t, thread, map[string]any{"current_turn_id": id}).Status)
	retried := ada.Post(t, failed+"/retry", nil)
	require.Equal(t, one, parentOf(t, retried), "the last turn of the branch that was switched to")
	require.Equal(t, "one hello", questions(t, ada, thread+"/messages"))

	again := ada.Failed(t, thread, harness.Operation(uuid.NewString()))
	require.Equal(t, http.StatusOK, ada.Patch(t, thread, map[string]any{"current_turn_id": sibling}).Status)
	harness.RequireCode(t, ada.Post(t, again+"/retry", nil), http.StatusConflict, "CONFLICT")
	require.Equal(t, sibling, parentOf(t, ada.Post(t, thread+"/turn", harness.Says("on"))))
}

func TestWhatIsErasedIsInNoBranch(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := "/v1/conversations/threads/" + ada.ThreadWith(t, map[string]any{"model": "openai/small"})
	one := ada.Post(t, thread+"/turn", harness.Says("one"))
	took(t, ada.Post(t, thread+"/turn", harness.Says("two")))
	took(t, after(t, ada, thread, "two again", took(t, one)))
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/conversations/messages/"+one.Text("user_message.id")).Status)
	took(t, ada.Post(t, thread+"/turn", harness.Says("three")))
	require.Equal(t, []string{"system: Be kind.", "user: two again", "assistant: Hello there", "user: three"}, s.Calls()[3].Messages())
	require.Equal(t, "two again three", questions(t, ada, thread+"/messages"))
	require.Equal(t, []string{"system: Be kind.", "user: four"}, func() []string {
		took(t, after(t, ada, thread, "four", one.Text("turn_id")))
		return s.Calls()[4].Messages()
	}(), "an erased turn is followed, and not read")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, thread).Status)
	require.Equal(t, 0, ada.Number(t, `SELECT count(*) FROM messages`))
}

func TestABranchIsNotMadeOfTooManyPieces(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	one := took(t, ada.Post(t, thread+"/turn", harness.Says("one")))
	two := took(t, ada.Post(t, thread+"/turn", harness.Says("two")))
	p.SQL(t, `UPDATE threads SET last_seq = 2003`)
	p.SQL(t, `UPDATE llm_turns SET user_seq = 2002, path = (SELECT range_agg(int8range(n, n + 1)) FROM generate_series(1, 1001, 2) n) WHERE id = $1`, two)
	full := after(t, ada, thread, "three", two)
	harness.RequireCode(t, full, http.StatusConflict, "CONFLICT")
	require.Contains(t, full.Text("message"), "go on with another one")
	harness.RequireCode(t, ada.Patch(t, thread, map[string]any{"current_turn_id": two}), http.StatusConflict, "CONFLICT")
	took(t, after(t, ada, thread, "three", one))
}
