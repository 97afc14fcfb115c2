package turns

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
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
			return map[any]string{"the right to read this stream has ended": "access_ended"}[e["errorText"]]
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
		require.Equal(t, "access_ended", stream.ended(last), "%s: %v", name, last)
		harness.RequireCode(t, key.Post(t, stream.path, stream.body), http.StatusUnauthorized, "UNAUTHORIZED") // a new call is another matter

		user := ada.Key(t, "embed").EndUser(t, bot)
		s = user.Open(t, http.MethodPost, stream.path, stream.body)
		require.Equal(t, http.StatusOK, s.Answer.Status, name)
		require.NotNil(t, s.NextData(), name)
		require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/end-users/"+user.User).Status, name)
		for e := s.NextData(); e != nil; e = s.NextData() {
			last = e
		}
		require.Equal(t, "access_ended", stream.ended(last), "%s: %v", name, last)
	}
}

// A call that is refused names the header that it named its operation in.
func TestAnErrorOfAnOperationNamesItsHeader(t *testing.T) {
	t.Parallel()
	ada, _ := withModels(t)
	bot := modelBot(t, ada, "Support", nil)
	for _, path := range []string{completions, responses} {
		body := func(text string) map[string]any {
			if path == responses {
				return responds(bot, text)
			}
			return asks(bot, nil, "user", text)
		}
		for _, header := range []harness.Header{{Name: "Idempotency-Key", Value: "order at " + path}, harness.Operation(uuid.NewString())} {
			require.Equal(t, http.StatusOK, ada.Post(t, path, body("one"), header).Status)
			reused := ada.Post(t, path, body("two"), header)
			harness.RequireCode(t, reused, http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
			require.Equal(t, []any{header.Name, "operation_id_reused"}, []any{reused.At("error.param"), reused.At("error.code")}, reused)
			require.Contains(t, reused.Text("error.message"), "this "+header.Name+" was used")
			ada.SQL(t, `DELETE FROM operations WHERE workspace_id = $1`, ada.Workspace)
			expired := ada.Post(t, path, body("one"), header)
			harness.RequireCode(t, expired, http.StatusConflict, "OPERATION_EXPIRED")
			require.Equal(t, header.Name, expired.At("error.param"), expired)
		}
		wrong := ada.Post(t, path, body("one"), harness.Operation("x"), harness.Header{Name: "Idempotency-Key", Value: "order-2"})
		harness.RequireCode(t, wrong, http.StatusBadRequest, "INVALID_OPERATION_ID")
		require.Equal(t, "X-Operation-Id", wrong.At("error.param"))
		long := ada.Post(t, path, body("one"), harness.Header{Name: "Idempotency-Key", Value: strings.Repeat("x", 256)})
		harness.RequireCode(t, long, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		require.Equal(t, "Idempotency-Key", long.At("error.param"))
	}
	own := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, harness.Operation("x"))
	harness.RequireCode(t, own, http.StatusBadRequest, "INVALID_OPERATION_ID")
}

// Beyond the limits of its key or token a call is 429 in its own form, with Retry-After.
func TestLimitsOfCallersAreRefusedInOtherForms(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	for name, call := range compatible(bot, "Hi") {
		callers := map[string]*harness.Caller{
			"requests of a key": ada.Key(t, "chat", map[string]any{"limits": map[string]any{"requests_per_month": 1}}),
			"turns of a key":    ada.Key(t, "chat", map[string]any{"limits": map[string]any{"turns_per_month": 1}}),
			"an end user":       ada.Key(t, "embed").EndUser(t, bot, map[string]any{"limits": map[string]any{"turns_per_day": 1}}),
		}
		for who, c := range callers {
			first := c.Post(t, call.path, call.body)
			require.Equal(t, http.StatusOK, first.Status, "%s, %s: %s", name, who, first)
			body := maps.Clone(call.body)
			if strings.Contains(call.path, "ai-sdk") {
				body = uiMessage("c", "another", "Hi", nil)
			}
			full := c.Post(t, call.path, body)
			harness.RequireCode(t, full, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
			wait, err := strconv.Atoi(full.Header.Get("Retry-After"))
			require.NoError(t, err, "%s, %s: %s", name, who, full)
			require.Positive(t, wait)
			if strings.HasPrefix(call.path, "/openai/") {
				require.Equal(t, []any{"rate_limit_exceeded", "rate_limit_error"}, []any{full.At("error.code"), full.At("error.type")}, full)
			} else {
				require.Equal(t, "RATE_LIMIT_EXCEEDED", full.At("code"), full)
			}
		}
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
