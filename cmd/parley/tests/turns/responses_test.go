package turns

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

const responses = "/openai/v1/responses"

// responds is the body of a call of responses.
func responds(model string, input any, more ...any) map[string]any {
	body := map[string]any{"model": model, "input": input, "unknown": true}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

// textOf returns the text of a response.
func textOf(t *testing.T, a harness.Answer) string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a)
	return outputText(t, a.Body)
}

func outputText(t *testing.T, response map[string]any) string {
	t.Helper()
	output, _ := response["output"].([]any)
	require.Len(t, output, 1, response)
	return output[0].(map[string]any)["content"].([]any)[0].(map[string]any)["text"].(string)
}

// responseEventsOf reads the events of a stream of a response: their types, each as often as it follows another, and their data.
func responseEventsOf(t *testing.T, a harness.Answer) (events []map[string]any, types string) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "text/event-stream", a.Header.Get("Content-Type"))
	var all []string
	last := -1.0
	for event := range strings.SplitSeq(strings.TrimSuffix(string(a.Raw), "\n\n"), "\n\n") {
		if event == "" || strings.HasPrefix(event, ":") {
			continue
		}
		name, data, ok := strings.Cut(event, "\ndata: ")
		require.True(t, ok, event)
		var body map[string]any
		require.NoError(t, json.Unmarshal([]byte(data), &body), data)
		require.Equal(t, "event: "+body["type"].(string), name)
		require.Greater(t, body["sequence_number"], last, "sequence numbers rise")
		last = body["sequence_number"].(float64)
		events = append(events, body)
		if kind := strings.TrimPrefix(body["type"].(string), "response."); len(all) == 0 || all[len(all)-1] != kind {
			all = append(all, kind)
		}
	}
	return events, strings.Join(all, " ")
}

const wholeResponse = "created in_progress output_item.added content_part.added output_text.delta output_text.done content_part.done output_item.done completed"

func TestAResponseIsATurn(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	s.Then(modeltest.Script{Input: 30, Cached: 10, Output: 5})
	body := responds("Support", "Where is it?", "instructions", "Answer briefly.", "tools", []any{}, "include", []string{"x"})
	key := harness.Header{Name: "Idempotency-Key", Value: "call 1"}
	a := ada.Post(t, responses, body, key)
	require.Equal(t, "Hello there", textOf(t, a))
	require.Equal(t, []string{"system: Be kind.\n\nAnswer briefly.", "user: Where is it?"}, s.Calls()[0].Messages())
	require.Equal(t, []any{"response", "Support", "completed", nil, nil, false, nil}, []any{
		a.At("object"), a.At("model"), a.At("status"), a.At("error"), a.At("incomplete_details"), a.At("store"), a.At("conversation"),
	})
	require.Equal(t, map[string]any{
		"input_tokens": 30.0, "output_tokens": 5.0, "total_tokens": 35.0,
		"input_tokens_details": map[string]any{"cached_tokens": 10.0}, "output_tokens_details": map[string]any{"reasoning_tokens": 0.0},
	}, a.At("usage"))
	again := ada.Post(t, responses, body, key)
	require.Equal(t, string(a.Raw), string(again.Raw), "sent again")
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	joined := ada.Post(t, responses, responds(bot, "Hi"))
	retried := ada.Post(t, responses, responds(bot, "Hi"), harness.Header{Name: "X-Stainless-Retry-Count", Value: "1"})
	require.Equal(t, string(joined.Raw), string(retried.Raw), "sent again by a client without a key")
	require.Len(t, s.Calls(), 2)

	read := ada.Get(t, responses+"/"+a.Text("id"))
	require.Equal(t, "Hello there", textOf(t, read))
	require.Equal(t, []any{a.Text("id"), bot, a.At("usage")}, []any{read.Text("id"), read.At("model"), read.At("usage")})
	harness.RequireCode(t, ada.Post(t, responses+"/"+a.Text("id")+"/cancel", nil), http.StatusConflict, "CONFLICT")
	for _, none := range []string{"resp_", "resp_x", uuid.NewString(), strings.ToUpper(a.Text("id")), "resp_" + strings.Repeat("0", 64)} {
		harness.RequireCode(t, ada.Get(t, responses+"/"+none), http.StatusNotFound, "NOT_FOUND")
		harness.RequireCode(t, ada.Post(t, responses+"/"+none+"/cancel", nil), http.StatusNotFound, "NOT_FOUND")
	}
	require.Empty(t, ada.Get(t, "/v1/conversations/threads").Items())
	ada.SQL(t, `UPDATE job_queue SET run_at = now() WHERE kind = 'thread.expire'`)
	require.Eventually(t, func() bool { return ada.Get(t, responses+"/"+a.Text("id")).Status == http.StatusNotFound }, 30*time.Second, 20*time.Millisecond)
}

func TestAResponseContinuesAConversation(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot, other := modelBot(t, ada, "Support", nil), modelBot(t, ada, "Other", nil)
	first := ada.Post(t, responses, responds(bot, "one"))
	second := ada.Post(t, responses, responds(bot, "two", "previous_response_id", first.Text("id")))
	require.Equal(t, "Hello there", textOf(t, second))
	require.Equal(t, first.Text("id"), second.At("previous_response_id"))
	require.Equal(t, []string{"system: Be kind.", "user: one", "assistant: Hello there", "user: two"}, s.Calls()[1].Messages())
	require.Empty(t, ada.Get(t, "/v1/conversations/threads").Items(), "it is not stored")
	require.Equal(t, "Hello there", textOf(t, ada.Post(t, responses, responds(bot, "three", "previous_response_id", first.Text("id")))))
	require.Equal(t, []string{"system: Be kind.", "user: one", "assistant: Hello there", "user: three"}, s.Calls()[2].Messages(), "it is another branch")
	retry := harness.Header{Name: "X-Stainless-Retry-Count", Value: "1"}
	again := ada.Post(t, responses, responds(bot, "two", "previous_response_id", first.Text("id")), retry)
	require.Equal(t, string(second.Raw), string(again.Raw), "sent again it is behind its own")

	late := ada.Post(t, responses, responds(bot, "three", "previous_response_id", second.Text("id"), "store", true))
	harness.RequireCode(t, late, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Equal(t, "store", late.At("error.param"), late)

	stored := ada.Post(t, responses, responds(bot, "one", "store", true))
	require.Equal(t, true, stored.At("store"))
	thread := stored.Text("conversation.id")
	require.Equal(t, thread, stored.Header.Get("X-Parley-Thread-Id"))
	for i, place := range []any{thread, map[string]any{"id": thread}} {
		a := ada.Post(t, responses, responds(bot, fmt.Sprint(i), "conversation", place))
		require.Equal(t, thread, a.At("conversation.id"))
	}
	chat := asks(bot, map[string]any{"conversation": thread}, "user", "by chat")
	require.Equal(t, thread, ada.Post(t, completions, chat).Header.Get("X-Parley-Thread-Id"))
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items(), 8)

	items := []any{
		map[string]any{"role": "developer", "content": "In French."},
		map[string]any{"type": "message", "role": "user", "content": []any{map[string]any{"type": "input_text", "text": "before"}}},
		map[string]any{"type": "function_call", "call_id": "x", "name": "f", "arguments": "{}"},
		map[string]any{"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": []any{map[string]any{"type": "output_text", "text": "Yes?", "annotations": []any{}}}},
		map[string]any{"role": "user", "content": "after"},
	}
	listed := ada.Post(t, responses, responds(bot, items))
	require.Equal(t, http.StatusOK, listed.Status, listed)
	require.Equal(t, []string{"system: Be kind.\n\nIn French.", "user: before", "assistant: Yes?", "user: after"}, s.Calls()[len(s.Calls())-1].Messages())
	harness.RequireCode(t, ada.Post(t, responses, responds(bot, "more", "previous_response_id", listed.Text("id"))), http.StatusConflict, "CONFLICT")

	for param, body := range map[string]map[string]any{
		"model":                responds(other, "x", "conversation", thread),
		"conversation":         responds(bot, "x", "conversation", "conv_1"),
		"previous_response_id": responds(bot, "x", "conversation", thread, "previous_response_id", stored.Text("id")),
		"background":           responds(bot, "x", "background", true),
		"input":                responds(bot, []any{map[string]any{"role": "assistant", "content": "Yes"}}),
		"input.0.type":         responds(bot, []any{map[string]any{"type": "item_reference", "id": "msg_1"}}),
		"input.0.role":         responds(bot, []any{map[string]any{"role": "robot", "content": "x"}}),
		"input.0.content":      responds(bot, []any{map[string]any{"role": "user", "content": " "}}),
		"temperature":          responds(bot, "x", "temperature", 3),
	} {
		a := ada.Post(t, responses, body)
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		require.Equal(t, param, a.At("error.param"), a)
	}
	for _, input := range []any{"", " ", nil, []any{}, 7} {
		harness.RequireCode(t, ada.Post(t, responses, responds(bot, input)), http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	}
	eve := ada.Register(t)
	theirs := modelBot(t, eve, "Theirs", nil)
	harness.RequireCode(t, eve.Post(t, responses, responds(bot, "x")), http.StatusNotFound, "MODEL_NOT_FOUND")
	harness.RequireCode(t, eve.Post(t, responses, responds(theirs, "x", "previous_response_id", stored.Text("id"))), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, eve.Post(t, responses, responds(theirs, "x", "conversation", thread)), http.StatusNotFound, "THREAD_NOT_FOUND")
	harness.RequireCode(t, eve.Get(t, responses+"/"+stored.Text("id")), http.StatusNotFound, "NOT_FOUND")
}

func TestAResponseIsStreamedAndResumedAtEveryEvent(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	s.Then(modeltest.Script{Pieces: []string{"Hel", "lo ", "you"}, Input: 9, Output: 2})
	events, types := responseEventsOf(t, ada.Post(t, responses, responds(bot, "Hi", "stream", true)))
	require.Equal(t, wholeResponse, types)
	text := ""
	for _, e := range events {
		if e["type"] == "response.output_text.delta" {
			text += e["delta"].(string)
		}
	}
	last := events[len(events)-1]["response"].(map[string]any)
	require.Equal(t, []any{"Hello you", "Hello you", "completed"}, []any{text, outputText(t, last), last["status"]})
	require.EqualValues(t, 11, last["usage"].(map[string]any)["total_tokens"])
	require.Equal(t, "in_progress", events[0]["response"].(map[string]any)["status"])

	path := responses + "/" + events[0]["response"].(map[string]any)["id"].(string)
	whole, types := responseEventsOf(t, ada.Get(t, path+"?stream=true"))
	require.Equal(t, wholeResponse, types)
	require.Equal(t, events[0], patched(whole[0], "model", bot))
	for i, cut := range events {
		rest, _ := responseEventsOf(t, ada.Get(t, path+"?stream=true&starting_after="+number(cut)))
		got, want := "", ""
		for _, e := range rest {
			if e["type"] == "response.output_text.delta" {
				got += e["delta"].(string)
			}
		}
		for _, e := range events[i+1:] {
			if e["type"] == "response.output_text.delta" {
				want += e["delta"].(string)
			}
		}
		require.Equal(t, want, got, "after %v", cut)
		for _, e := range rest {
			require.Greater(t, e["sequence_number"], cut["sequence_number"])
		}
		if i < len(events)-1 {
			require.Equal(t, events[len(events)-1], rest[len(rest)-1], "after %v", cut)
		} else {
			require.Empty(t, rest, "after the last one there is none")
		}
	}
	beyond := ada.Get(t, path+"?stream=true&starting_after=4000")
	harness.RequireCode(t, beyond, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Equal(t, "starting_after", beyond.At("error.param"))

	s.Then(modeltest.Script{Pieces: []string{"cut"}, Finish: "length"})
	_, types = responseEventsOf(t, ada.Post(t, responses, responds(bot, "Hi", "stream", true)))
	require.True(t, strings.HasSuffix(types, "output_item.done incomplete"), types)
	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
	failed := ada.Post(t, responses, responds(bot, "fails", "stream", true, "store", true))
	harness.RequireCode(t, failed, http.StatusUnprocessableEntity, "MODEL_CREDENTIALS") // before the first text it is an ordinary error
	turn := ada.Get(t, "/v1/conversations/threads/"+ada.Get(t, "/v1/conversations/threads").Items()[0]["id"].(string)+"/turns").Items()[0]
	id := "resp_" + strings.ReplaceAll(turn["thread_id"].(string)+turn["id"].(string), "-", "")
	events, types = responseEventsOf(t, ada.Get(t, responses+"/"+id+"?stream=true"))
	require.Equal(t, "created in_progress output_item.added content_part.added failed", types)
	require.Equal(t, "model_credentials", events[len(events)-1]["response"].(map[string]any)["error"].(map[string]any)["code"])
	s.Then(modeltest.Script{Pieces: []string{"Hel"}, Breaks: true})
	events, types = responseEventsOf(t, ada.Post(t, responses, responds(bot, "breaks", "stream", true)))
	require.True(t, strings.HasSuffix(types, "output_text.delta failed"), types)
	require.Equal(t, "downstream_unavailable", events[len(events)-1]["response"].(map[string]any)["error"].(map[string]any)["code"])
}

func number(event map[string]any) string {
	return strconv.FormatInt(int64(event["sequence_number"].(float64)), 10)
}

// patched returns an event whose response has another field.
func patched(event map[string]any, field string, value any) map[string]any {
	event["response"].(map[string]any)[field] = value
	return event
}

func TestARunningResponseIsFollowedAndCancelledAtAnotherProcess(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=300ms")
	ada := p.Register(t)
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	second := harness.StartOn(t, p.Database, p.Settings...)
	super := ada.Super(t)
	answer := make(chan harness.Answer, 1)
	go func() {
		a, err := ada.Try(t, http.MethodPost, responses, responds(bot, strings.Repeat("word ", 100), "stream", true))
		if err != nil {
			t.Error(err)
		}
		answer <- a
	}()
	var thread, turn uuid.UUID
	require.Eventually(t, func() bool {
		return super.QueryRow(t.Context(), `SELECT thread_id, id FROM llm_turns WHERE workspace_id = $1`, ada.Workspace).Scan(&thread, &turn) == nil
	}, 30*time.Second, 10*time.Millisecond)
	path := responses + "/" + fmt.Sprintf("resp_%x%x", thread[:], turn[:])
	there := &harness.Caller{Program: second, Token: ada.Token}
	running := there.Get(t, path)
	require.Equal(t, "in_progress", running.At("status"), running)
	followed := make(chan harness.Answer, 1)
	go func() {
		a, err := there.Try(t, http.MethodGet, path+"?stream=true", nil)
		if err != nil {
			t.Error(err)
		}
		followed <- a
	}()
	require.Eventually(t, func() bool {
		return harness.Count(t, super, `SELECT count(*) FROM turn_events WHERE turn_id = $1`, turn) > 1
	}, 30*time.Second, 10*time.Millisecond)
	cancelled := there.Post(t, path+"/cancel", nil)
	require.Equal(t, http.StatusOK, cancelled.Status, cancelled)
	require.Equal(t, "cancelled", cancelled.At("status"))
	require.Equal(t, "cancelled", there.Post(t, path+"/cancel", nil).At("status"), "again")
	for _, a := range []harness.Answer{<-answer, <-followed} {
		events, types := responseEventsOf(t, a)
		require.True(t, strings.HasSuffix(types, "output_item.done incomplete"), types)
		require.Equal(t, "cancelled", events[len(events)-1]["response"].(map[string]any)["status"])
	}
}

func TestAnEndUserAsksItsOwnBotInOpenAIsForm(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	bot, other := modelBot(t, ada, "Support", map[string]any{"request_parameters": []string{"temperature"}}), modelBot(t, ada, "Other", nil)
	key := ada.Key(t, "embed")
	visitor := func() *harness.Caller {
		a := key.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot, "origins": []string{"https://shop.example"}})
		require.Equal(t, http.StatusCreated, a.Status, a)
		v := ada.Anonymous()
		v.Token = a.Text("token")
		return v
	}
	one, two := visitor(), visitor()
	page := harness.Header{Name: "Origin", Value: "https://shop.example"}
	s.Then(modeltest.Script{Input: 30, Output: 5})
	said := asks(bot, map[string]any{"temperature": 1.5}, "system", "Say what you are told.", "user", "Hi", "assistant", "Yes?", "developer", "In French.", "user", "Bye")
	a := one.Post(t, completions, said, page)
	require.Equal(t, "Hello there", contentOf(t, a))
	require.Equal(t, page.Value, a.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, []string{"system: Be kind.", "user: Hi", "assistant: Yes?", "user: Bye"}, s.Calls()[0].Messages(), "the bot decides")
	require.NotContains(t, s.Calls()[0].Body, "temperature")
	require.InDelta(t, 0, a.At("usage.total_tokens"), 0)
	elsewhere := harness.Header{Name: "Origin", Value: "https://evil.example"}
	harness.RequireCode(t, one.Post(t, completions, said, elsewhere), http.StatusForbidden, "ORIGIN_NOT_ALLOWED")

	s.Then(modeltest.Script{Pieces: []string{"Hel", "lo"}, Input: 30, Output: 5})
	events, types := responseEventsOf(t, one.Post(t, responses, responds(bot, "Hi", "instructions", "In French.", "stream", true, "store", true), page))
	require.Equal(t, wholeResponse, types)
	require.Equal(t, []string{"system: Be kind.", "user: Hi"}, s.Calls()[1].Messages())
	last := events[len(events)-1]["response"].(map[string]any)
	require.InDelta(t, 0, last["usage"].(map[string]any)["total_tokens"], 0)
	path := responses + "/" + last["id"].(string)
	require.Equal(t, "Hello", textOf(t, one.Get(t, path)))
	require.Len(t, one.Get(t, "/v1/conversations/threads").Items(), 1, "the one that is stored")
	for _, stranger := range []*harness.Caller{two, ada.Key(t, "chat")} {
		harness.RequireCode(t, stranger.Get(t, path), http.StatusNotFound, "NOT_FOUND")
		harness.RequireCode(t, stranger.Get(t, path+"?stream=true"), http.StatusNotFound, "NOT_FOUND")
		harness.RequireCode(t, stranger.Post(t, path+"/cancel", nil), http.StatusNotFound, "NOT_FOUND")
		harness.RequireCode(t, stranger.Post(t, responses, responds(bot, "Hi", "previous_response_id", last["id"])), http.StatusNotFound, "NOT_FOUND")
	}
	harness.RequireCode(t, one.Post(t, responses, responds(other, "Hi")), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, one.Post(t, completions, asks("Other", nil, "user", "Hi")), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, one.Get(t, "/openai/v1/models"), http.StatusForbidden, "FORBIDDEN")
	for _, version := range []string{"@1", "@2", "@0", "@x"} { // which version is published is not told
		harness.RequireCode(t, one.Post(t, responses, responds(bot+version, "Hi")), http.StatusNotFound, "BOT_NOT_FOUND")
		harness.RequireCode(t, one.Post(t, completions, asks(bot+version, nil, "user", "Hi")), http.StatusNotFound, "BOT_NOT_FOUND")
	}

	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
	failed := one.Post(t, responses, responds(bot, "Hi"))
	require.NotContains(t, strings.ToLower(failed.String()), "openai/small")
	require.NotEqual(t, "model_credentials", failed.At("error.code"))
	s.Then(modeltest.Script{Pieces: []string{"Hel"}, Breaks: true})
	events, _ = responseEventsOf(t, one.Post(t, responses, responds(bot, "Hi", "stream", true)))
	why := events[len(events)-1]["response"].(map[string]any)["error"].(map[string]any)
	require.Equal(t, "the bot cannot answer at the moment: try again shortly", why["message"], "nothing of the model")
}

// Whatever the last event was that a client got, the rest is there while the turn runs, at another process.
func TestARunningResponseIsResumedAtEveryEventElsewhere(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=40ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	const content = "zero one two three four five six seven eight nine"
	s := ada.Open(t, http.MethodPost, responses, responds(bot, content, "stream", true))
	require.Equal(t, http.StatusOK, s.Answer.Status)
	type cut struct {
		after string
		text  string // that the client has
		rest  <-chan harness.Answer
	}
	var (
		cuts []cut
		text string
		path string
	)
	for e := s.NextData(); e != nil; e = s.NextData() {
		if path == "" {
			path = responses + "/" + e["response"].(map[string]any)["id"].(string)
		}
		if e["type"] == "response.output_text.delta" {
			text += e["delta"].(string)
		}
		rest := make(chan harness.Answer, 1)
		after := number(e)
		go func() {
			a, err := there.Try(t, http.MethodGet, path+"?stream=true&starting_after="+after, nil)
			if err != nil {
				t.Error(err)
			}
			rest <- a
		}()
		cuts = append(cuts, cut{after, text, rest})
	}
	require.Equal(t, "Echo: "+content, text)
	require.Greater(t, len(cuts), 15)
	for i, c := range cuts {
		events, _ := responseEventsOf(t, <-c.rest)
		got := c.text
		for _, e := range events {
			if e["type"] == "response.output_text.delta" {
				got += e["delta"].(string)
			}
		}
		require.Equal(t, text, got, "after %s", c.after)
		if i < len(cuts)-1 {
			require.Equal(t, "response.completed", events[len(events)-1]["type"], "after %s", c.after)
		}
	}
}
