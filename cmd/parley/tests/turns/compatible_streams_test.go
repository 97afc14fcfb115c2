package turns

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// compatible are the streams in the forms of others, for a bot: how each begins, and what its last event says when the right has ended.
func compatible(bot, content string) map[string]struct {
	path  string
	body  map[string]any
	ended func(event map[string]any) any
} {
	type stream = struct {
		path  string
		body  map[string]any
		ended func(event map[string]any) any
	}
	return map[string]stream{
		"chat completions": {completions, asks(bot, map[string]any{"stream": true}, "user", content), func(e map[string]any) any {
			why, _ := e["error"].(map[string]any)
			return why["code"]
		}},
		"responses": {responses, responds(bot, content, "stream", true), func(e map[string]any) any {
			if e["type"] != "error" {
				return nil
			}
			return e["code"]
		}},
		"AI SDK": {"/ai-sdk/v1/bots/" + bot + "/chat", uiMessage("c", "m", content, nil), func(e map[string]any) any {
			if e["type"] != "error" {
				return nil
			}
			return "invalid_api_key"
		}},
	}
}

func TestStreamsInOtherFormsEndWithTheRightToReadThem(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t, "ECHO_DELAY=300ms").Register(t)
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	for name, stream := range compatible(bot, "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen") {
		key := ada.Key(t, "editor")
		s := key.Open(t, http.MethodPost, stream.path, stream.body)
		require.Equal(t, http.StatusOK, s.Answer.Status, name)
		require.NotNil(t, s.NextData(), name)
		require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/api-keys/"+key.User).Status, name)
		var last map[string]any
		for e := s.NextData(); e != nil; e = s.NextData() {
			last = e
		}
		require.Equal(t, "invalid_api_key", stream.ended(last), "%s: %v", name, last)
	}
}

func TestTheBotOfAnotherWorkspaceIsNoModel(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	limited := ada.Key(t, "editor", map[string]any{"bot_ids": []string{modelBot(t, ada, "Other", map[string]any{"model": "echo"})}})
	for _, c := range []*harness.Caller{eve, eve.Key(t, "chat"), limited} {
		for _, model := range []string{bot, bot + "@1", "Support"} {
			harness.RequireCode(t, c.Post(t, completions, asks(model, nil, "user", "Hi")), http.StatusNotFound, "MODEL_NOT_FOUND")
			harness.RequireCode(t, c.Post(t, responses, responds(model, "Hi")), http.StatusNotFound, "MODEL_NOT_FOUND")
			harness.RequireCode(t, c.Get(t, "/openai/v1/models/"+model), http.StatusNotFound, "MODEL_NOT_FOUND")
		}
		require.Equal(t, http.StatusNotFound, c.Post(t, "/ai-sdk/v1/bots/"+bot+"/chat", uiMessage("c", "m", "Hi", nil)).Status)
	}
	require.Equal(t, 0, harness.Count(t, ada.Super(t), `SELECT count(*) FROM llm_turns`))
}

// Wherever useChat was cut off, the stream that resumes has the whole message, at another process too.
func TestAChatOfTheAISDKIsResumedAfterEveryPartElsewhere(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=60ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	path := "/ai-sdk/v1/bots/" + bot + "/chat"
	s := ada.Open(t, http.MethodPost, path, uiMessage("c", "m", "zero one two three four five six seven", nil))
	var resumed []<-chan harness.Answer
	text := ""
	for e := s.NextData(); e != nil; e = s.NextData() {
		if e["type"] == "text-delta" {
			text += e["delta"].(string)
		}
		answer := make(chan harness.Answer, 1)
		go func() {
			a, err := there.Try(t, http.MethodGet, path+"/c/stream", nil)
			if err != nil {
				t.Error(err)
			}
			answer <- a
		}()
		resumed = append(resumed, answer)
	}
	require.Equal(t, "Echo: zero one two three four five six seven", text)
	followed := 0
	for _, answer := range resumed {
		a := <-answer
		if a.Status == http.StatusNoContent {
			continue // it had ended
		}
		parts, types := partsOf(t, a)
		require.Equal(t, "start start-step text-start text-delta text-end finish-step finish", types)
		got := ""
		for _, e := range parts {
			if e["type"] == "text-delta" {
				got += e["delta"].(string)
			}
		}
		require.Equal(t, text, got)
		followed++
	}
	require.Greater(t, followed, 5)
}
