package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

// failing is how a provider answers a message that has "#" and the name of one.
type failing struct {
	code   string // that callers get
	status int    // of HTTP; 200: the error comes within the answer
	openai string
	claude string
}

func failings() map[string]failing {
	return map[string]failing{
		"key":    {"MODEL_CREDENTIALS", 401, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`},
		"model":  {"MODEL_NOT_FOUND", 404, `{"error":{"message":"The model does not exist","type":"invalid_request_error","code":"model_not_found"}}`, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}`},
		"quota":  {"MODEL_QUOTA", 429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`, `{"type":"error","error":{"type":"rate_limit_error","message":"Your credit balance is too low"}}`},
		"wrong":  {"MODEL_REJECTED", 400, `{"error":{"message":"top_p is wrong","type":"invalid_request_error","code":"invalid_value"}}`, `{"type":"error","error":{"type":"invalid_request_error","message":"top_p is wrong"}}`},
		"filter": {"CONTENT_FILTERED", 400, `{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`},
		"long":   {"CONTEXT_TOO_LONG", 400, `{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}`, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9000 tokens > 8192 maximum"}}`},
		"within": {"CONTENT_FILTERED", 200, `{"error":{"message":"filtered","code":"content_filter"}}`, `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`},
		"busy":   {"DOWNSTREAM_UNAVAILABLE", 503, `{"error":{"message":"later","type":"server_error"}}`, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`},
	}
}

// provider is a server of models that fails as a message asks it to. Other messages it leaves to modeltest.
type provider struct {
	*modeltest.Server

	base  string
	asked atomic.Int32
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{Server: modeltest.New(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		p.asked.Add(1)
		last := raw[max(0, bytes.LastIndex(raw, []byte(`"content"`)), bytes.LastIndex(raw, []byte(`\n\n`))):] // of the newest message
		for name, f := range failings() {
			if !bytes.Contains(last, []byte("#"+name)) {
				continue
			}
			body, frame := f.openai, "data: %s\n\n"
			if strings.HasSuffix(r.URL.Path, "/messages") {
				body, frame = f.claude, "event: error\ndata: %s\n\n"
			}
			if f.status == http.StatusOK {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = fmt.Fprintf(w, frame, body)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(f.status)
			_, _ = io.WriteString(w, body)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.base = server.URL
	return p
}

// withProvider starts the program with both providers at a server that fails as messages ask it to.
func withProvider(t *testing.T, settings ...string) (*caller, *provider) {
	t.Helper()
	s := newProvider(t)
	return start(t, slices.Concat([]string{
		"OPENAI_BASE_URL=" + s.base + "/v1", "OPENAI_API_KEY=sk-operator", "ANTHROPIC_BASE_URL=" + s.base, "ANTHROPIC_API_KEY=sk-operator",
		"WEBHOOK_ALLOW_PRIVATE=true", "METRICS_ADDR=127.0.0.1:0",
	}, fastJobs, settings)...).register(t), s
}

func TestEveryFailureOfAModelSaysWhyAndWhatToChange(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t)
	for _, provider := range []string{"openai", "anthropic"} {
		thread := ada.threadWith(t, map[string]any{"model": provider + "/m"})
		for name, f := range failings() {
			status := http.StatusUnprocessableEntity
			if f.code == "DOWNSTREAM_UNAVAILABLE" {
				status = http.StatusServiceUnavailable
			}
			asked, op := s.asked.Load(), operation(uuid.NewString())
			a := ada.say(t, thread, "#"+name, op)
			requireCode(t, a, status, f.code)
			require.Equal(t, []any{provider, "m"}, []any{a.at("details.provider"), a.at("details.model")}, a)
			require.Equal(t, status == http.StatusServiceUnavailable, a.Header.Get("Retry-After") != "", a)
			if status == http.StatusUnprocessableEntity && name != "long" { // which is asked with less of the history
				require.Equal(t, asked+1, s.asked.Load(), "%s was repeated", name)
			}
			if f.status != http.StatusOK && status == http.StatusUnprocessableEntity {
				require.InDelta(t, f.status, a.at("details.status"), 0)
			}
			account := f.code == "MODEL_CREDENTIALS" || f.code == "MODEL_QUOTA"
			require.Equal(t, account || f.code == "DOWNSTREAM_UNAVAILABLE", a.at("details.provider_message") == nil, "the operator's account is not for tenants: %s", a)

			record := ada.get(t, "/v1/conversations/threads/"+thread+"/turns/"+a.text("details.turn_id"))
			require.Equal(t, []any{"failed", f.code, a.text("message"), provider, "m"}, []any{
				record.text("status"), record.text("error.code"), record.text("error.message"), record.text("provider"), record.text("model"),
			})
			require.Equal(t, a.at("details"), record.at("error.details"))

			stream := ada.open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", says("#"+name), operation(uuid.NewString()))
			told, _ := stream.until("turn.failed").data["error"].(map[string]any)
			details, _ := told["details"].(map[string]any)
			require.Equal(t, []any{f.code, a.at("message"), provider}, []any{told["code"], told["message"], details["provider"]})
		}
	}
	a := ada.say(t, ada.threadWith(t, map[string]any{"model": "openai/nine"}), "#model")
	require.Contains(t, a.text("message"), "openai/nine")
	require.Contains(t, a.text("message"), "settings.model")
	require.Equal(t, "model_not_found", a.text("details.provider_code"))
	text := ada.metrics(t)
	for _, line := range []string{
		`parley_turn_failures_total{code="MODEL_QUOTA",key="operator",provider="anthropic"} 2`,
		`parley_turn_failures_total{code="DOWNSTREAM_UNAVAILABLE",key="operator",provider="openai"} 2`,
		`parley_turns_total{key="operator",outcome="failed",provider="openai"} 2`, `parley_turns_total{key="operator",outcome="refused",provider="anthropic"} 14`,
		`parley_breakers{group="model",state="open"} 0`,
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, ada.log.String(), "top_p is wrong", "the provider's words are for the workspace alone")
	require.Contains(t, ada.log.String(), "a provider refused the operator's access")
}

func TestAWrongAddressOfTheOperatorIsSaidToBe(t *testing.T) {
	t.Parallel()
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	ada := start(t, "OPENAI_BASE_URL="+nothing.URL+"/v2", "METRICS_ADDR=127.0.0.1:0").register(t)
	a := ada.say(t, ada.threadWith(t, map[string]any{"model": "openai/m"}), "Hi")
	requireCode(t, a, http.StatusUnprocessableEntity, "MODEL_NOT_FOUND")
	require.Contains(t, a.text("details.hint"), "ask the operator")
	require.Contains(t, ada.metrics(t), `parley_turn_failures_total{code="WRONG_ADDRESS",key="operator",provider="openai"} 1`)
}

func TestAnAnswerWithoutTextSaysSoAndKeepsWhatItHasUsed(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	for _, provider := range []string{"openai", "anthropic"} {
		thread := ada.threadWith(t, map[string]any{"model": provider + "/m"})
		reasons := map[string]string{"length": "EMPTY_ANSWER", "content_filter": "CONTENT_FILTERED"}
		if provider == "anthropic" {
			reasons = map[string]string{"max_tokens": "EMPTY_ANSWER", "refusal": "CONTENT_FILTERED"}
		}
		for finish, code := range reasons {
			s.Then(modeltest.Script{Pieces: []string{}, Finish: finish, Input: 1200, Output: 77})
			a := ada.say(t, thread, "Hi")
			requireCode(t, a, http.StatusUnprocessableEntity, code)
			record := ada.get(t, "/v1/conversations/threads/"+thread+"/turns/"+a.text("details.turn_id"))
			require.Equal(t, []any{code, 1200.0, 77.0}, []any{record.text("error.code"), record.at("usage.input_tokens"), record.at("usage.output_tokens")})
		}
	}
	a := ada.say(t, ada.threadWith(t, map[string]any{"model": "openai/m"}), "Hi")
	require.Equal(t, http.StatusOK, a.Status, a)
}

func TestATenantsOwnKeyAndServerAlertNoOperator(t *testing.T) {
	t.Parallel()
	ada, _ := withProvider(t, "BREAKER_OPEN_FOR=1h")
	own := newProvider(t)
	secret := "sk-very-own-key-4321"
	require.Equal(t, http.StatusOK, ada.put(t, "/v1/model-keys/openai", map[string]any{"api_key": secret, "base_url": own.base + "/v1"}).Status)
	thread := ada.threadWith(t, map[string]any{"model": "openai/m"})
	a := ada.say(t, thread, "#key")
	requireCode(t, a, http.StatusUnprocessableEntity, "MODEL_CREDENTIALS")
	require.Equal(t, "Incorrect API key provided", a.text("details.provider_message"), "it is the workspace's own")
	for range 6 {
		requireCode(t, ada.say(t, thread, "#busy"), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	}
	text := ada.metrics(t)
	for _, line := range []string{
		`parley_turn_failures_total{code="MODEL_CREDENTIALS",key="own",provider="openai"} 1`, `parley_turn_failures_total{code="MODEL_CREDENTIALS",key="operator",provider="openai"} 0`,
		`parley_turn_failures_total{code="DOWNSTREAM_UNAVAILABLE",key="operator",provider="openai"} 0`,
		`parley_breakers{group="model",state="open"} 0`, `parley_breakers{group="own_model",state="open"} 1`,
	} {
		require.Contains(t, text, line)
	}
	require.Equal(t, "ok", ada.get(t, "/readyz").text("checks.model.status"))
	for _, line := range ada.log.lines(t) {
		require.NotEqual(t, "ERROR", line["level"], line)
	}
	require.NotContains(t, ada.log.String(), secret)
}

func TestTurnsAreRecordedUnderTheModelThatWasToAnswer(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, "METRICS_ADDR=127.0.0.1:0", "MODEL_ALLOW=echo,openai/small,anthropic/*")
	requireAsked := func(turn, provider, model string) {
		t.Helper()
		kept := ada.llmTurn(t, turn)
		require.Equal(t, []any{provider, model}, []any{kept["provider"], kept["model"]}, kept["error"])
	}
	refused := ada.say(t, ada.threadWith(t, map[string]any{"model": "openai/large"}), "Hi")
	requireCode(t, refused, http.StatusUnprocessableEntity, "MODEL_NOT_ALLOWED")
	requireAsked(refused.text("details.turn_id"), "openai", "large")
	unknown := ada.say(t, ada.threadWith(t, map[string]any{"model": "gpt-4o"}), "Hi")
	requireCode(t, unknown, http.StatusUnprocessableEntity, "MODEL_NOT_FOUND")
	requireAsked(unknown.text("details.turn_id"), "unknown", "gpt-4o")

	s.Then(modeltest.Script{Pieces: []string{"Hel"}, Stalls: true})
	thread := "/v1/conversations/threads/" + ada.threadWith(t, map[string]any{"model": "anthropic/claude"})
	stream := ada.open(t, http.MethodPost, thread+"/turn", says("Hi"))
	turn, _ := stream.until("turn.created").data["turn_id"].(string)
	stream.until("message.delta")
	requireAsked(turn, "anthropic", "claude") // while it runs
	require.Equal(t, http.StatusOK, ada.post(t, thread+"/turns/"+turn+"/cancel", nil).Status)
	requireAsked(turn, "anthropic", "claude")

	require.Equal(t, http.StatusOK, ada.put(t, "/v1/model-settings", map[string]any{"default_model": "openai/small"}).Status)
	s.Then(modeltest.Script{Status: 500}, modeltest.Script{Status: 500})
	failed := ada.say(t, ada.threadWith(t, map[string]any{}), "Hi")
	requireCode(t, failed, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	requireAsked(failed.text("details.turn_id"), "openai", "small")

	thread = "/v1/conversations/threads/" + ada.threadWith(t, map[string]any{"model": "anthropic/claude"})
	s.Then(modeltest.Script{Stalls: true})
	stream = ada.open(t, http.MethodPost, thread+"/turn", says("Hi"))
	turn, _ = stream.until("turn.created").data["turn_id"].(string)
	_, err := pg.Superuser(t, ada.database).Exec(t.Context(), `UPDATE llm_turns SET lease_until = now() - interval '1 minute', attempt = 3 WHERE status = 'running'`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, ada.post(t, thread+"/turn", says("next")).Status)
	requireAsked(turn, "anthropic", "claude") // whose process was lost

	text := ada.metrics(t)
	for _, line := range []string{
		`parley_turns_total{key="operator",outcome="refused",provider="openai"} 1`, `parley_turns_total{key="operator",outcome="refused",provider="unknown"} 1`,
		`parley_turns_total{key="operator",outcome="cancelled",provider="anthropic"} 1`, `parley_turns_total{key="operator",outcome="failed",provider="openai"} 1`,
		`parley_turns_total{key="operator",outcome="failed",provider="anthropic"} 1`, `parley_turns_total{key="operator",outcome="failed",provider="echo"} 0`,
	} {
		require.Contains(t, text, line)
	}
}

func TestAMessageThatIsRefusedForGoodHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t)
	target := newReceiver(t)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"model": "openai/m"}}).text("id")
	chat := ada.newEndpoint(t, bot)
	ada.subscribe(t, target.URL, "turn.failed", "dead_letter.created")
	first := chat.says(t, "c", "#filter").text("event_id")
	second, third := chat.says(t, "c", "Hi").text("event_id"), chat.says(t, "c", "And?").text("event_id")

	ada.waitUntil(t, "/v1/webhook-events/"+first, "status", "failed")
	thread := ada.answered(t, second)
	require.Equal(t, thread, ada.answered(t, third))
	require.EqualValues(t, 3, s.asked.Load(), "it was asked again")
	letter := ada.get(t, "/v1/dead-letters").items()[0]
	require.Equal(t, 1.0, letter["failures"]) //nolint:testifylint // a whole number
	require.Contains(t, letter["last_error"], "CONTENT_FILTERED")
	require.Equal(t, 0, ada.number(t, "SELECT coalesce(sum(failures), 0) FROM job_queue WHERE kind = 'webhook.answer'"), "those behind have used up attempts of theirs")

	var kinds []string
	for _, d := range target.waitFor(t, 2) {
		kinds = append(kinds, d.Event.Type)
		if d.Event.Type != "turn.failed" {
			continue
		}
		failure, _ := d.Event.Data["error"].(map[string]any)
		details, _ := failure["details"].(map[string]any)
		require.Equal(t, []any{"CONTENT_FILTERED", "openai", "m", "filtered"}, []any{failure["code"], details["provider"], details["model"], details["provider_message"]})
		require.Equal(t, map[string]any{"endpoint_id": chat.id, "conversation_id": "c"}, d.Event.Data["channel"])
	}
	require.ElementsMatch(t, []string{"turn.failed", "dead_letter.created"}, kinds)
	require.Contains(t, ada.metrics(t), `parley_dead_letters_total{concerns="operator"} 0`)
	require.Contains(t, ada.metrics(t), `parley_dead_letters_total{concerns="tenant"} 1`)
}

func TestAMessageThatMayBeAnsweredLaterUsesUpNoAttemptsOfThoseBehind(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"model": "openai/m"}}).text("id")
	chat := ada.newEndpoint(t, bot)
	first, second := chat.says(t, "c", "#busy").text("event_id"), chat.says(t, "c", "Hi").text("event_id")
	failures := "SELECT coalesce(sum(j.failures), 0) FROM job_queue j JOIN webhook_events e ON e.operation_id::text = j.key WHERE e.id = "
	require.Eventually(t, func() bool { return ada.number(t, failures+"'"+first+"'") >= 2 }, patience, tick)
	require.Equal(t, 0, ada.number(t, failures+"'"+second+"'"))
	require.Equal(t, "received", ada.get(t, "/v1/webhook-events/"+second).text("status"), "in the order in which they came")
	require.Positive(t, s.asked.Load())

	super := pg.Superuser(t, ada.database)
	for event, change := range map[string]string{second: "run_at = now() + interval '1 hour'", first: "max_attempts = failures + 1, run_at = now()"} {
		_, err := super.Exec(t.Context(), "UPDATE job_queue j SET "+change+" FROM webhook_events e WHERE e.operation_id::text = j.key AND e.id = $1", event)
		require.NoError(t, err)
	}
	ada.answered(t, second) // as the end of the first wakes it
	ada.waitUntil(t, "/v1/webhook-events/"+first, "status", "failed")
	require.Contains(t, ada.metrics(t), `parley_dead_letters_total{concerns="operator"} 1`)
}

func TestATurnThatIsTakenUpAgainAndRefusedIsNoTroubleOfTheRecovery(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t, "UPKEEP_INTERVAL=100ms")
	thread := "/v1/conversations/threads/" + ada.threadWith(t, map[string]any{"model": "openai/m"})
	turn := ada.post(t, thread+"/turn", says("Hi")).text("turn_id")
	s.Then(modeltest.Script{Status: http.StatusUnauthorized, Code: "invalid_api_key"})
	for _, sql := range []string{ // as of a process that is lost
		`DELETE FROM messages WHERE role = 'assistant'`,
		`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() - interval '1 second'`,
	} {
		_, err := pg.Superuser(t, ada.database).Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	record := ada.waitUntil(t, thread+"/turns/"+turn, "status", "failed")
	require.Equal(t, []any{"MODEL_CREDENTIALS", "openai", 2.0}, []any{record.text("error.code"), record.text("error.details.provider"), record.at("attempt")})
	require.NotContains(t, ada.log.String(), "background task failed")
}

func TestAThreadThatHasOutgrownItsModelIsAskedOnceMoreWithHalf(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.threadWith(t, map[string]any{"model": "openai/tiny"})
	for i := range 4 {
		require.Equal(t, http.StatusOK, ada.say(t, thread, fmt.Sprint("question ", i)).Status)
	}
	s.Then(modeltest.Script{Status: 400, Code: "context_length_exceeded"})
	a := ada.say(t, thread, "and now?")
	require.Equal(t, http.StatusOK, a.Status, a)
	calls := s.Calls()
	require.Len(t, calls, 6)
	require.Len(t, calls[4].Messages(), 1+8+1)
	require.Equal(t, []string{"system: Be kind.", "user: question 2", "assistant: Hello there", "user: question 3", "assistant: Hello there", "user: and now?"}, calls[5].Messages())
	require.Equal(t, http.StatusOK, ada.say(t, thread, "and then?").Status)
	require.Less(t, len(s.Calls()[6].Messages()), 10, "cut right at once")
	require.Len(t, s.Calls(), 7)
}
