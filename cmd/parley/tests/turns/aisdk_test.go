package turns

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

// uiMessage is the body of a call of useChat with one message.
func uiMessage(chat, id, text string, more map[string]any) map[string]any {
	body := map[string]any{"id": chat, "messages": []any{map[string]any{
		"id": id, "role": "user", "parts": []any{map[string]any{"type": "text", "text": text}},
	}}}
	maps.Copy(body, more)
	return body
}

// partsOf reads the parts of a UI message stream, whose last event is [DONE].
func partsOf(t *testing.T, a harness.Answer) (parts []map[string]any, types string) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, []string{"text/event-stream", "v1"}, []string{a.Header.Get("Content-Type"), a.Header.Get("X-Vercel-Ai-Ui-Message-Stream")})
	events := strings.Split(strings.TrimSuffix(string(a.Raw), "\n\n"), "\n\n")
	require.Equal(t, "data: [DONE]", events[len(events)-1])
	var all []string
	for _, event := range events[:len(events)-1] {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok {
			require.True(t, strings.HasPrefix(event, ":"), event)
			continue
		}
		var part map[string]any
		require.NoError(t, json.Unmarshal([]byte(data), &part), data)
		parts = append(parts, part)
		if kind := part["type"].(string); len(all) == 0 || all[len(all)-1] != kind {
			all = append(all, kind)
		}
	}
	return parts, strings.Join(all, " ")
}

func TestAChatOfTheAISDKIsAThread(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	path := "/ai-sdk/v1/bots/" + bot + "/chat"
	first := ada.Post(t, path, uiMessage("chat 1", "m1", "one", nil))
	parts, types := partsOf(t, first)
	require.Equal(t, "start start-step text-start text-delta text-end finish-step finish", types)
	metadata := parts[0]["messageMetadata"].(map[string]any)
	thread, turn := metadata["thread_id"].(string), metadata["turn_id"].(string)
	messages := func() (said []string) {
		for _, m := range ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items() {
			said = append(said, m["content"].(string))
		}
		return said
	}
	require.Equal(t, []string{"one", "Echo: one"}, messages())

	again := ada.Post(t, path, uiMessage("chat 1", "m1", "one", map[string]any{"messageId": "whatever changed"}))
	parts, _ = partsOf(t, again)
	require.Equal(t, turn, parts[0]["messageMetadata"].(map[string]any)["turn_id"], "the same message is the same turn")
	require.Equal(t, first.Header.Get("X-Operation-Id"), again.Header.Get("X-Operation-Id"))
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))

	regenerate := map[string]any{"trigger": "regenerate-message"}
	parts, _ = partsOf(t, ada.Post(t, path, uiMessage("chat 1", "m1", "one", regenerate)))
	require.NotEqual(t, turn, parts[0]["messageMetadata"].(map[string]any)["turn_id"])
	require.Equal(t, []string{"one", "Echo: one"}, messages(), "the answer that was made anew is in the branch of the other")
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/turns?branch=all").Items(), 2)
	partsOf(t, ada.Post(t, path, uiMessage("chat 1", "m1", "another text under the id", nil)))
	require.Len(t, messages(), 4, "another text is another message")

	require.Equal(t, http.StatusNoContent, ada.Get(t, path+"/chat%201/stream").Status, "nothing runs")
	require.Equal(t, http.StatusNoContent, ada.Get(t, path+"/unknown/stream").Status)

	eve := p.Join(t, ada, "editor")
	parts, _ = partsOf(t, eve.Post(t, path, uiMessage("chat 1", "m1", "one", nil)))
	require.NotEqual(t, thread, parts[0]["messageMetadata"].(map[string]any)["thread_id"], "the chat of another caller is another chat")
}

// A chat of useChat is edited in its middle, and an earlier answer is made anew.
func TestABranchOfAChatOfTheAISDKBeginsAfterItsLastAnswer(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	path := "/ai-sdk/v1/bots/" + modelBot(t, ada, "Support", map[string]any{"model": "openai/small"}) + "/chat"
	var chat []any
	send := func(more map[string]any) (answer string) {
		body := map[string]any{"id": "c", "trigger": "submit-message", "messages": chat}
		maps.Copy(body, more)
		parts, _ := partsOf(t, ada.Post(t, path, body))
		return parts[0]["messageId"].(string)
	}
	user := func(id, text string) {
		chat = append(chat, map[string]any{"id": id, "role": "user", "parts": []any{map[string]any{"type": "text", "text": text}}})
	}
	seen := func() []string { return s.Calls()[len(s.Calls())-1].Messages()[1:] }

	user("u1", "one")
	one := send(nil)
	chat = append(chat, map[string]any{"id": one, "role": "assistant", "parts": []any{}})
	user("u2", "two")
	two := send(nil)
	chat = chat[:2]
	user("u2", "two, edited")
	edited := send(map[string]any{"messageId": "u2"})
	require.Equal(t, []string{"user: one", "assistant: Hello there", "user: two, edited"}, seen())
	require.Equal(t, edited, send(map[string]any{"messageId": "u2"}), "the edited message was sent again")
	chat = chat[:2]
	user("u2", "two")
	back := send(map[string]any{"messageId": "u2"})
	require.NotEqual(t, two, back, "what was edited back is another turn")
	require.Equal(t, []string{"user: one", "assistant: Hello there", "user: two"}, seen())
	chat = chat[:1]
	again := send(map[string]any{"trigger": "regenerate-message", "messageId": one})
	require.NotEqual(t, one, again)
	require.Equal(t, []string{"user: one"}, seen())
	chat = chat[:0]
	user("u1", "uno")
	send(map[string]any{"messageId": "u1"})
	require.Equal(t, []string{"user: uno"}, seen())
	thread := ada.Get(t, "/v1/conversations/threads").Items()[0]["id"].(string)
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/turns?branch=all").Items(), 6)
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/turns").Items(), 1)
}

func TestWhatAChatOfTheAISDKMustNotSend(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	path := "/ai-sdk/v1/bots/" + ada.NewBot(t) + "/chat"
	assistant := map[string]any{"id": "c", "messages": []any{map[string]any{"role": "assistant", "parts": []any{}}}}
	harness.RequireWrong(t, ada.Post(t, path, assistant), "messages.0.role")
	file := map[string]any{"id": "c", "messages": []any{map[string]any{"role": "user", "parts": []any{map[string]any{"type": "file", "url": "data:,"}}}}}
	harness.RequireWrong(t, ada.Post(t, path, file), "messages.0.parts.0.type")
	harness.RequireWrong(t, ada.Post(t, path, uiMessage("c", "m", "  ", nil)), "messages.0.parts")
	harness.RequireWrong(t, ada.Post(t, path, uiMessage("", "m", "Hi", nil)), "id")
	harness.RequireCode(t, ada.Post(t, "/ai-sdk/v1/bots/"+uuid.NewString()+"/chat", uiMessage("c", "m", "Hi", nil)), http.StatusNotFound, "BOT_NOT_FOUND")
	require.Empty(t, ada.Get(t, "/v1/conversations/threads").Items(), "what was refused left nothing")
}

// A turn that failed is tried again by regenerate, and is the same turn.
func TestAFailedChatOfTheAISDKIsTriedAgain(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	path := "/ai-sdk/v1/bots/" + modelBot(t, ada, "Support", nil) + "/chat"
	s.Then(modeltest.Script{Status: http.StatusBadRequest})
	failed, types := partsOf(t, ada.Post(t, path, uiMessage("c", "m", "Hi", nil)))
	require.Equal(t, "start start-step error", types)
	require.NotEmpty(t, failed[len(failed)-1]["errorText"])
	parts, types := partsOf(t, ada.Post(t, path, uiMessage("c", "m", "Hi", map[string]any{"trigger": "regenerate-message"})))
	require.Equal(t, "start start-step text-start text-delta text-end finish-step finish", types)
	require.Equal(t, failed[0]["messageMetadata"], parts[0]["messageMetadata"])
}

func TestAnEndUserChatsByTheAISDKWithItsOwnBotOnly(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot, other := ada.NewBot(t), ada.NewBot(t)
	key := ada.Key(t, "embed")
	visitor := func() *harness.Caller {
		a := key.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot})
		require.Equal(t, http.StatusCreated, a.Status, a)
		v := p.Anonymous()
		v.Token = a.Text("token")
		return v
	}
	path := "/ai-sdk/v1/bots/" + bot + "/chat"
	one, two := visitor(), visitor()
	first, types := partsOf(t, one.Post(t, path, uiMessage("c", "m", "one", nil)))
	require.Equal(t, "start start-step text-start text-delta text-end finish-step finish", types)
	second, _ := partsOf(t, two.Post(t, path, uiMessage("c", "m", "one", nil)))
	require.NotEqual(t, first[0]["messageMetadata"], second[0]["messageMetadata"], "the same chat id of two visitors is two chats")
	require.Equal(t, http.StatusNoContent, one.Get(t, path+"/c/stream").Status)
	elsewhere := one.Post(t, "/ai-sdk/v1/bots/"+other+"/chat", uiMessage("c", "m", "one", nil))
	require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, elsewhere.Status, elsewhere)
	require.Len(t, one.Get(t, "/v1/conversations/threads").Items(), 1)

	bot = modelBot(t, ada, "Unserved", nil)
	failed, types := partsOf(t, visitor().Post(t, "/ai-sdk/v1/bots/"+bot+"/chat", uiMessage("c", "m", "one", nil)))
	require.Equal(t, "start start-step error", types)
	require.Equal(t, "the bot cannot answer this", failed[len(failed)-1]["errorText"], "nothing of the model")
}
