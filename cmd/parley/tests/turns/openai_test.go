package turns

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

const completions = "/openai/v1/chat/completions"

// modelBot makes a bot with a name that answers with a model of the server.
func modelBot(t *testing.T, c *harness.Caller, name string, settings map[string]any) (id string) {
	t.Helper()
	all := map[string]any{"model": "openai/small"}
	maps.Copy(all, settings)
	a := c.Post(t, "/v1/bots", map[string]any{"name": name, "instruction": "Be kind.", "settings": all})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.Text("id")
}

// asks is the body of a call with messages, as role and text in turn.
func asks(model string, more map[string]any, said ...string) map[string]any {
	var messages []any
	for i := 0; i < len(said); i += 2 {
		messages = append(messages, map[string]any{"role": said[i], "content": said[i+1]})
	}
	body := map[string]any{"model": model, "messages": messages}
	maps.Copy(body, more)
	return body
}

// chunksOf reads the events of a stream in OpenAI's form: the chunks, and whether [DONE] comes last.
func chunksOf(t *testing.T, a harness.Answer) (chunks []map[string]any, done bool) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "text/event-stream", a.Header.Get("Content-Type"))
	for event := range strings.SplitSeq(strings.TrimSuffix(string(a.Raw), "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok {
			require.True(t, strings.HasPrefix(event, ":"), event)
			continue
		}
		require.False(t, done, "something follows [DONE]")
		if data == "[DONE]" {
			done = true
			continue
		}
		var chunk map[string]any
		require.NoError(t, json.Unmarshal([]byte(data), &chunk), data)
		chunks = append(chunks, chunk)
	}
	return chunks, done
}

// deltasOf returns the text of chunks that have nothing else.
func deltasOf(t *testing.T, chunks []map[string]any) (text string) {
	t.Helper()
	for _, chunk := range chunks {
		choice := choiceOf(t, chunk)
		delta, _ := choice["delta"].(map[string]any)
		piece, _ := delta["content"].(string)
		require.Equal(t, map[string]any{"content": piece}, delta)
		require.NotEmpty(t, piece)
		require.Nil(t, choice["finish_reason"])
		text += piece
	}
	return text
}

// choiceOf returns the only choice of an answer or a chunk.
func choiceOf(t *testing.T, body map[string]any) map[string]any {
	t.Helper()
	choices, _ := body["choices"].([]any)
	require.Len(t, choices, 1, body)
	return choices[0].(map[string]any)
}

func contentOf(t *testing.T, a harness.Answer) string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a)
	return choiceOf(t, a.Body)["message"].(map[string]any)["content"].(string)
}

func TestABotIsAModelOfOpenAIsAPI(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	bot := modelBot(t, ada, "Support", nil)
	archived := modelBot(t, ada, "Old", nil)
	ada.Archive(t, "/v1/bots/"+archived)
	list := ada.Get(t, "/openai/v1/models")
	require.Equal(t, http.StatusOK, list.Status, list)
	require.Equal(t, list.Header.Get("X-Trace-Id"), list.Header.Get("X-Request-Id"))
	data := list.Body["data"].([]any)
	require.Len(t, data, 1, "archived bots are not listed")
	model := data[0].(map[string]any)
	require.Equal(t, []any{bot, "model", "Support", ada.Workspace}, []any{model["id"], model["object"], model["name"], model["owned_by"]})
	for name, id := range map[string]string{bot: bot, "Support": bot, bot + "@1": bot + "@1"} {
		a := ada.Get(t, "/openai/v1/models/"+name)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", name, a)
		require.Equal(t, id, a.Text("id"), name)
	}
	modelBot(t, ada, "Twice", nil)
	modelBot(t, ada, "Twice", nil)
	for _, none := range []string{uuid.NewString(), bot + "@2", bot + "@0", bot + "@x", bot + "@99999999999", "Twice", "support", "Old", archived} {
		a := ada.Get(t, "/openai/v1/models/"+none)
		harness.RequireCode(t, a, http.StatusNotFound, "MODEL_NOT_FOUND")
		require.Equal(t, []any{"model_not_found", "invalid_request_error", "model"}, []any{a.At("error.code"), a.At("error.type"), a.At("error.param")})
		harness.RequireCode(t, ada.Post(t, completions, asks(none, nil, "user", "Hi")), http.StatusNotFound, "MODEL_NOT_FOUND")
	}

	// A chat key asks what is published, and no draft.
	draft := ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "not yet", "settings": map[string]any{"model": "echo"}, "publish": false})
	require.Less(t, draft.Status, 300, draft)
	chat := ada.Key(t, "chat")
	for name, status := range map[string]int{bot: http.StatusOK, bot + "@1": http.StatusOK, bot + "@2": http.StatusNotFound} {
		require.Equal(t, status, chat.Get(t, "/openai/v1/models/"+name).Status, name)
		require.Equal(t, http.StatusOK, ada.Get(t, "/openai/v1/models/"+name).Status, name)
	}
	harness.RequireCode(t, chat.Post(t, completions, asks(bot+"@2", nil, "user", "Hi")), http.StatusNotFound, "MODEL_NOT_FOUND")
}

func TestAChatCompletionWithoutAThreadIsATurnOfWhichNothingStays(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	s.Then(modeltest.Script{Input: 30, Cached: 10, Output: 5})
	body := asks("Support", map[string]any{"temperature": 1.5, "max_tokens": 7, "unknown": true, "tools": []any{}},
		"system", "Answer briefly.", "user", "the secret first", "assistant", "Yes?", "developer", "In French.", "user", "the secret second")
	key := harness.Header{Name: "Idempotency-Key", Value: "call 1"}
	a := ada.Post(t, completions, body, key)
	require.Equal(t, "Hello there", contentOf(t, a))
	require.Equal(t, []string{
		"system: Be kind.\n\nAnswer briefly.\n\nIn French.", "user: the secret first", "assistant: Yes?", "user: the secret second",
	}, s.Calls()[0].Messages(), "the instruction of the bot comes first")
	require.NotContains(t, s.Calls()[0].Body, "temperature", "the bot does not allow it")
	require.NotContains(t, s.Calls()[0].Body, "max_tokens")
	require.Equal(t, []any{"chat.completion", "Support", "stop"}, []any{a.At("object"), a.At("model"), choiceOf(t, a.Body)["finish_reason"]})
	require.Equal(t, map[string]any{
		"prompt_tokens": 30.0, "completion_tokens": 5.0, "total_tokens": 35.0, "prompt_tokens_details": map[string]any{"cached_tokens": 10.0},
	}, a.At("usage"))
	require.Empty(t, a.Header.Get("X-Parley-Thread-Id"))

	again := ada.Post(t, completions, body, key)
	require.Equal(t, string(a.Raw), string(again.Raw), "sent again")
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	require.Len(t, s.Calls(), 1)
	other := asks("Support", nil, "user", "another")
	harness.RequireCode(t, ada.Post(t, completions, other, key), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	require.Empty(t, ada.Get(t, "/v1/conversations/threads").Items())
	require.Empty(t, ada.Get(t, "/v1/conversations/threads?bot_id="+bot).Items())
	require.EqualValues(t, 1, ada.Used(t, "turns")["used"])
	super := ada.Super(t)
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'turn.create' AND workspace_id = $1`, ada.Workspace))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM threads WHERE expires_at BETWEEN created_at + interval '9 minutes' AND created_at + interval '11 minutes'`))

	ada.SQL(t, `UPDATE job_queue SET run_at = now() WHERE kind = 'thread.expire'`)
	require.Eventually(t, func() bool {
		return harness.Count(t, super, `SELECT (SELECT count(*) FROM threads) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM llm_turns)`) == 0
	}, time.Minute, 20*time.Millisecond, "what was said stays")
	harness.RequireNowhere(t, super, "the secret first", "the secret second", "In French.", "Hello there")
	require.EqualValues(t, 1, ada.Used(t, "turns")["used"])
	harness.RequireCode(t, ada.Post(t, completions, body, key), http.StatusConflict, "OPERATION_EXPIRED")
}

func TestAChatCompletionInAThreadTakesItsHistoryFromThere(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot, other := modelBot(t, ada, "Support", nil), modelBot(t, ada, "Other", nil)
	thread := ada.Thread(t, bot)
	in := harness.Header{Name: "X-Parley-Thread-Id", Value: thread}
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "one").Status)
	a := ada.Post(t, completions, asks(bot, nil, "system", "Brief.", "user", "never said", "assistant", "never answered", "user", "two"), in)
	require.Equal(t, "Hello there", contentOf(t, a))
	require.Equal(t, thread, a.Header.Get("X-Parley-Thread-Id"))
	require.Equal(t, []string{"system: Be kind.\n\nBrief.", "user: one", "assistant: Hello there", "user: two"}, s.Calls()[1].Messages())
	require.Equal(t, http.StatusOK, ada.Post(t, completions, asks(bot, map[string]any{"metadata": map[string]any{"thread_id": thread}}, "user", "three")).Status)
	require.Equal(t, "system: Be kind.", s.Calls()[2].Messages()[0], "the instruction of an earlier call is not repeated")
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items(), 6)
	require.Equal(t, 0, harness.Count(t, ada.Super(t), `SELECT count(*) FROM llm_turns WHERE request IS NOT NULL`))

	harness.RequireCode(t, ada.Post(t, completions, asks(other, nil, "user", "Hi"), in), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	none := harness.Header{Name: "X-Parley-Thread-Id", Value: uuid.NewString()}
	harness.RequireCode(t, ada.Post(t, completions, asks(bot, nil, "user", "Hi"), none), http.StatusNotFound, "THREAD_NOT_FOUND")
	bad := ada.Post(t, completions, asks(bot, nil, "user", "Hi"), harness.Header{Name: "X-Parley-Thread-Id", Value: "x"})
	harness.RequireCode(t, bad, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Equal(t, "X-Parley-Thread-Id", bad.At("error.param"))
}

func TestAChatOfOpenWebUIHasAThreadAndItsTasksHaveNone(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	chat := harness.Header{Name: "X-OpenWebUI-Chat-Id", Value: uuid.NewString()}
	first := ada.Post(t, completions, asks(bot, nil, "user", "one"), chat)
	require.Equal(t, http.StatusOK, first.Status, first)
	require.Equal(t, http.StatusOK, ada.Post(t, completions, asks(bot, nil, "user", "one", "assistant", "x", "user", "two"), chat).Status)
	require.Equal(t, []string{"system: Be kind.", "user: one", "assistant: Hello there", "user: two"}, s.Calls()[1].Messages())
	threads := ada.Get(t, "/v1/conversations/threads").Items()
	require.Len(t, threads, 1)
	require.Equal(t, first.Header.Get("X-Parley-Thread-Id"), threads[0]["id"])
	require.Equal(t, map[string]any{"openwebui_chat_id": chat.Value}, threads[0]["metadata"])

	title := asks(bot, nil, "user", "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.")
	require.Empty(t, ada.Post(t, completions, title, chat).Header.Get("X-Parley-Thread-Id"))
	marked := asks(bot, map[string]any{"metadata": map[string]any{"task": "tags_generation"}}, "user", "tags?")
	require.Equal(t, http.StatusOK, ada.Post(t, completions, marked, chat).Status)
	local := harness.Header{Name: "X-OpenWebUI-Chat-Id", Value: "local:abc"}
	require.Equal(t, http.StatusOK, ada.Post(t, completions, asks(bot, nil, "user", "temporary"), local).Status)
	require.Len(t, ada.Get(t, "/v1/conversations/threads").Items(), 1)
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+threads[0]["id"].(string)+"/messages").Items(), 4)
	other := harness.Header{Name: "X-OpenWebUI-Chat-Id", Value: strings.Repeat("x", 201)}
	harness.RequireCode(t, ada.Post(t, completions, asks(bot, nil, "user", "Hi"), other), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
}

func TestAChatCompletionIsStreamedInChunks(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	s.Then(modeltest.Script{Pieces: []string{"Hel", "lo"}, Input: 9, Output: 2, Finish: "length"})
	body := asks(bot, map[string]any{"stream": true, "stream_options": map[string]any{"include_usage": true}}, "user", "Hi")
	chunks, done := chunksOf(t, ada.Post(t, completions, body))
	require.True(t, done)
	require.Equal(t, map[string]any{"role": "assistant", "content": ""}, choiceOf(t, chunks[0])["delta"])
	end := len(chunks) - 2 // a reader that comes after several pieces is given them as one
	require.Equal(t, "Hello", deltasOf(t, chunks[1:end]))
	require.Equal(t, "length", choiceOf(t, chunks[end])["finish_reason"])
	require.Empty(t, chunks[end+1]["choices"])
	require.EqualValues(t, 11, chunks[end+1]["usage"].(map[string]any)["total_tokens"])
	for _, chunk := range chunks {
		require.Equal(t, []any{chunks[0]["id"], "chat.completion.chunk", bot}, []any{chunk["id"], chunk["object"], chunk["model"]})
	}

	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
	harness.RequireCode(t, ada.Post(t, completions, body), http.StatusUnprocessableEntity, "MODEL_CREDENTIALS") // before the first text it is an ordinary error
	s.Then(modeltest.Script{Pieces: []string{"Hel"}, Breaks: true})
	chunks, done = chunksOf(t, ada.Post(t, completions, body))
	require.False(t, done)
	require.Equal(t, "downstream_unavailable", chunks[len(chunks)-1]["error"].(map[string]any)["code"], "after it, the last event")
}

func TestACallThatAClientSendsAgainJoinsTheOneBefore(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	retry := harness.Header{Name: "X-Stainless-Retry-Count", Value: "1"}
	ask := func(stream bool) map[string]any { return asks(bot, map[string]any{"stream": stream}, "user", "Hi") }
	first := ada.Post(t, completions, ask(false), harness.Header{Name: "X-Stainless-Retry-Count", Value: "0"})
	again := ada.Post(t, completions, ask(false), retry)
	require.Equal(t, string(first.Raw), string(again.Raw))
	require.Equal(t, first.Header.Get("X-Operation-Id"), again.Header.Get("X-Operation-Id"))
	require.Len(t, s.Calls(), 1)
	require.Equal(t, http.StatusOK, ada.Post(t, completions, asks(bot, nil, "user", "Other"), retry).Status)
	require.Len(t, s.Calls(), 2, "another body is another call")
	chat := harness.Header{Name: "X-OpenWebUI-Chat-Id", Value: "a"}
	require.Equal(t, http.StatusOK, ada.Post(t, completions, ask(false), retry, chat).Status)
	require.Len(t, s.Calls(), 3, "and so is one in a thread")
	require.Equal(t, http.StatusOK, ada.Key(t, "editor").Post(t, completions, ask(false), retry).Status)
	require.Len(t, s.Calls(), 4, "and one of another caller")
	require.Equal(t, http.StatusOK, ada.Post(t, completions, ask(false)).Status)
	require.Len(t, s.Calls(), 5, "a new call joins none")

	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
	failed := ada.Post(t, completions, ask(true))
	harness.RequireCode(t, failed, http.StatusUnprocessableEntity, "MODEL_CREDENTIALS")
	chunks, done := chunksOf(t, ada.Post(t, completions, ask(true), retry))
	require.True(t, done)
	require.Equal(t, "Hello there", deltasOf(t, chunks[1:len(chunks)-1]))
	require.Equal(t, 1, harness.Count(t, ada.Super(t), `SELECT count(*) FROM llm_turns WHERE attempt = 2 AND status = 'completed'`), "what failed goes on")
	ada.SQL(t, `UPDATE operations SET id = '01000000-0000-7000-8000-000000000000' WHERE actor_id = $1 AND id = $2`, ada.User, failed.Header.Get("X-Operation-Id"))
	calls := len(s.Calls())
	_, done = chunksOf(t, ada.Post(t, completions, ask(true), retry))
	require.True(t, done)
	require.Len(t, s.Calls(), calls+1, "a call of long ago is not joined")
}

func TestACallThatIsSentAgainWaitsForTheOneThatRuns(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t, "ECHO_DELAY=1s").Register(t)
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	body := asks(bot, nil, "user", "one two three four") // longer than a repetition of an operation waits
	answers := make(chan harness.Answer, 2)
	ask := func(headers ...harness.Header) {
		a, err := ada.Try(t, http.MethodPost, completions, body, headers...)
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}
	go ask()
	super := ada.Super(t)
	require.Eventually(t, func() bool { return harness.Count(t, super, `SELECT count(*) FROM llm_turns`) == 1 }, time.Minute, 10*time.Millisecond)
	go ask(harness.Header{Name: "X-Stainless-Retry-Count", Value: "1"})
	first, second := <-answers, <-answers
	require.Equal(t, "Echo: one two three four", contentOf(t, first))
	require.Equal(t, string(first.Raw), string(second.Raw))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM llm_turns`), "one turn for both")
}

func TestWhatAChatCompletionMayBeLike(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	free := modelBot(t, ada, "Free", map[string]any{"request_parameters": []string{"temperature", "max_output_tokens"}, "max_output_tokens": 50})
	parts := func(parts ...map[string]any) map[string]any {
		return map[string]any{"model": free, "messages": []any{map[string]any{"role": "user", "content": parts}}}
	}
	text := func(kind, text string) map[string]any { return map[string]any{"type": kind, "text": text} }
	a := ada.Post(t, completions, parts(text("text", "one"), text("input_text", "two")))
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "user: one\ntwo", s.Calls()[0].Messages()[1])
	require.Equal(t, http.StatusOK, ada.Post(t, completions, asks(free, map[string]any{"temperature": 1.5, "max_completion_tokens": 7}, "user", "Hi")).Status)
	require.InEpsilon(t, 1.5, s.Calls()[1].Body["temperature"], 0)
	require.InEpsilon(t, 7, s.Calls()[1].Body["max_tokens"], 0)
	require.Equal(t, http.StatusOK, ada.Post(t, completions, asks(free, map[string]any{"max_tokens": 900, "temperature": nil, "n": 1, "stream": nil}, "user", "Hi")).Status)
	require.InEpsilon(t, 50, s.Calls()[2].Body["max_tokens"], 0, "a limit is never raised")

	for param, body := range map[string]map[string]any{
		"n":                         asks(free, map[string]any{"n": 2}, "user", "Hi"),
		"temperature":               asks(free, map[string]any{"temperature": 3}, "user", "Hi"),
		"messages":                  asks(free, nil, "user", "Hi", "assistant", "Yes"),
		"messages.0.role":           asks(free, nil, "robot", "Hi"),
		"messages.0.content":        asks(free, nil, "user", " "),
		"messages.0.content.0.type": parts(map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:"}}),
		"model":                     {"messages": []any{map[string]any{"role": "user", "content": "Hi"}}},
	} {
		a := ada.Post(t, completions, body)
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		require.Equal(t, param, a.At("error.param"), a)
		require.Equal(t, "invalid_request_error", a.At("error.type"))
	}
	harness.RequireCode(t, ada.Post(t, completions, "{"), http.StatusBadRequest, "BAD_REQUEST")
	harness.RequireCode(t, ada.Get(t, "/openai/v1/none"), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, completions), http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")

	key, none := ada.Key(t, "editor"), harness.Header{Name: "Authorization"}
	byHeader := harness.Header{Name: "Api-Key", Value: key.Token}
	require.Equal(t, http.StatusOK, ada.Get(t, "/openai/v1/models", none, byHeader).Status)
	require.Equal(t, http.StatusOK, ada.Post(t, completions, asks(free, nil, "user", "Hi"), none, byHeader).Status)
	harness.RequireCode(t, ada.Get(t, "/v1/bots", none, byHeader), http.StatusUnauthorized, "UNAUTHORIZED")
	refused := ada.Get(t, "/openai/v1/models", none, harness.Header{Name: "Api-Key", Value: "pk_wrong"})
	harness.RequireCode(t, refused, http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, []any{"invalid_api_key", "authentication_error"}, []any{refused.At("error.code"), refused.At("error.type")})
	harness.RequireCode(t, ada.Key(t, "viewer").Post(t, completions, asks(free, nil, "user", "Hi")), http.StatusForbidden, "FORBIDDEN")
}
