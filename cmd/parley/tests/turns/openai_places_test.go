package turns

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// Two end users, or two chat keys, may name a chat alike, such as by counting: neither keeps the other from it.
func TestAChatOfOpenWebUIIsOneOfItsEndUserOrChatKey(t *testing.T) {
	t.Parallel()
	ada, _ := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	chat := harness.Header{Name: "X-OpenWebUI-Chat-Id", Value: "1"}
	key := ada.Key(t, "embed")
	one, two := key.EndUser(t, bot), key.EndUser(t, bot)
	threads := map[string]bool{}
	first, second := ada.Key(t, "chat"), ada.Key(t, "chat")
	for _, c := range []*harness.Caller{ada, one, two, first, second, one, two, first, second} {
		a := c.Post(t, completions, asks(bot, nil, "user", "Hi"), chat)
		require.Equal(t, http.StatusOK, a.Status, a)
		threads[a.Header.Get("X-Parley-Thread-Id")] = true
	}
	require.Len(t, threads, 5)
	require.Len(t, one.Get(t, "/v1/conversations/threads").Items(), 1)
}

func TestAPlaceThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	refused := func(param, code string, body map[string]any, header ...harness.Header) {
		t.Helper()
		a := ada.Post(t, responses, body, header...)
		require.Equal(t, []any{param, code}, []any{a.At("error.param"), a.At("error.code")}, a)
	}
	id := uuid.NewString()
	refused("conversation", "thread_not_found", responds(bot, "Hi", "conversation", id))
	refused("metadata.thread_id", "thread_not_found", responds(bot, "Hi", "metadata", map[string]any{"thread_id": id}))
	refused("X-Parley-Thread-Id", "thread_not_found", responds(bot, "Hi"), harness.Header{Name: "X-Parley-Thread-Id", Value: id})
	refused("previous_response_id", "not_found", responds(bot, "Hi", "previous_response_id", "resp_1"))
	refused("conversation", "invalid_value", responds(bot, "Hi", "conversation", uuid.Nil))
	refused("X-Parley-Thread-Id", "invalid_value", responds(bot, "Hi"), harness.Header{Name: "X-Parley-Thread-Id", Value: uuid.Nil.String()})
	require.Empty(t, s.Calls())
}
