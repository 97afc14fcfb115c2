package turns

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

	"github.com/parley/parley/cmd/parley/tests/harness"
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
func withProvider(t *testing.T, settings ...string) (*harness.Caller, *provider) {
	t.Helper()
	s := newProvider(t)
	return harness.Start(t, slices.Concat([]string{
		"OPENAI_BASE_URL=" + s.base + "/v1", "OPENAI_API_KEY=sk-operator", "ANTHROPIC_BASE_URL=" + s.base, "ANTHROPIC_API_KEY=sk-operator",
		"WEBHOOK_ALLOW_PRIVATE=true", "METRICS_ADDR=127.0.0.1:0",
	}, harness.FastJobs, settings)...).Register(t), s
}

func TestEveryFailureOfAModelSaysWhyAndWhatToChange(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t)
	for _, provider := range []string{"openai", "anthropic"} {
		thread := ada.ThreadWith(t, map[string]any{"model": provider + "/m"})
		for name, f := range failings() {
			status := http.StatusUnprocessableEntity
			if f.code == "DOWNSTREAM_UNAVAILABLE" {
				status = http.StatusServiceUnavailable
			}
			asked, op := s.asked.Load(), harness.Operation(uuid.NewString())
			a := ada.Say(t, thread, "#"+name, op)
			harness.RequireCode(t, a, status, f.code)
			require.Equal(t, []any{provider, "m"}, []any{a.At("details.provider"), a.At("details.model")}, a)
			require.Equal(t, status == http.StatusServiceUnavailable, a.Header.Get("Retry-After") != "", a)
			if status == http.StatusUnprocessableEntity && name != "long" { // which is asked with less of the history
				require.Equal(t, asked+1, s.asked.Load(), "%s was repeated", name)
			}
			if f.status != http.StatusOK && status == http.StatusUnprocessableEntity {
				require.InDelta(t, f.status, a.At("details.status"), 0)
			}
			account := f.code == "MODEL_CREDENTIALS" || f.code == "MODEL_QUOTA"
			require.Equal(t, account || f.code == "DOWNSTREAM_UNAVAILABLE", a.At("details.provider_message") == nil, "the operator's account is not for tenants: %s", a)

			record := ada.Get(t, "/v1/conversations/threads/"+thread+"/turns/"+a.Text("details.turn_id"))
			require.Equal(t, []any{"failed", f.code, a.Text("message"), provider, "m"}, []any{
				record.Text("status"), record.Text("error.code"), record.Text("error.message"), record.Text("provider"), record.Text("model"),
			})
			require.Equal(t, a.At("details"), record.At("error.details"))

			stream := ada.Open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", harness.Says("#"+name), harness.Operation(uuid.NewString()))
			failure, _ := stream.Until("turn.failed").Data["error"].(map[string]any)
			details, _ := failure["details"].(map[string]any)
			require.Equal(t, []any{f.code, a.At("message"), provider}, []any{failure["code"], failure["message"], details["provider"]})
		}
	}
	a := ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "openai/nine"}), "#model")
	require.Contains(t, a.Text("message"), "openai/nine")
	require.Contains(t, a.Text("message"), "settings.model")
	require.Equal(t, "model_not_found", a.Text("details.provider_code"))
	text := ada.Metrics(t)
	for _, line := range []string{
		`parley_turn_failures_total{code="MODEL_QUOTA",key="operator",provider="anthropic"} 2`,
		`parley_turn_failures_total{code="DOWNSTREAM_UNAVAILABLE",key="operator",provider="openai"} 2`,
		`parley_turns_total{key="operator",outcome="failed",provider="openai"} 2`, `parley_turns_total{key="operator",outcome="refused",provider="anthropic"} 14`,
		`parley_breakers{group="model",state="open"} 0`,
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, ada.Log.String(), "top_p is wrong", "the provider's words are for the workspace alone")
	require.Contains(t, ada.Log.String(), "a provider refused the operator's access")
}

func TestAWrongAddressOfTheOperatorIsSaidToBe(t *testing.T) {
	t.Parallel()
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	ada := harness.Start(t, "OPENAI_BASE_URL="+nothing.URL+"/v2", "METRICS_ADDR=127.0.0.1:0").Register(t)
	a := ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "openai/m"}), "Hi")
	harness.RequireCode(t, a, http.StatusUnprocessableEntity, "MODEL_NOT_FOUND")
	require.Contains(t, a.Text("details.hint"), "ask the operator")
	require.Contains(t, ada.Metrics(t), `parley_turn_failures_total{code="WRONG_ADDRESS",key="operator",provider="openai"} 1`)
}

func TestAnAnswerWithoutTextSaysSoAndKeepsWhatItHasUsed(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	for _, provider := range []string{"openai", "anthropic"} {
		thread := ada.ThreadWith(t, map[string]any{"model": provider + "/m"})
		reasons := map[string]string{"length": "EMPTY_ANSWER", "content_filter": "CONTENT_FILTERED"}
		if provider == "anthropic" {
			reasons = map[string]string{"max_tokens": "EMPTY_ANSWER", "refusal": "CONTENT_FILTERED"}
		}
		for finish, code := range reasons {
			s.Then(modeltest.Script{Pieces: []string{}, Finish: finish, Input: 1200, Output: 77})
			a := ada.Say(t, thread, "Hi")
			harness.RequireCode(t, a, http.StatusUnprocessableEntity, code)
			record := ada.Get(t, "/v1/conversations/threads/"+thread+"/turns/"+a.Text("details.turn_id"))
			require.Equal(t, []any{code, 1200.0, 77.0}, []any{record.Text("error.code"), record.At("usage.input_tokens"), record.At("usage.output_tokens")})
		}
	}
	a := ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "openai/m"}), "Hi")
	require.Equal(t, http.StatusOK, a.Status, a)
}

func TestATenantsOwnKeyAndServerAlertNoOperator(t *testing.T) {
	t.Parallel()
	ada, _ := withProvider(t, "BREAKER_OPEN_FOR=1h")
	own := newProvider(t)
	secret := "sk-very-own-key-4321"
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": secret, "base_url": own.base + "/v1"}).Status)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/m"})
	a := ada.Say(t, thread, "#key")
	harness.RequireCode(t, a, http.StatusUnprocessableEntity, "MODEL_CREDENTIALS")
	require.Equal(t, "Incorrect API key provided", a.Text("details.provider_message"), "it is the workspace's own")
	for range 6 {
		harness.RequireCode(t, ada.Say(t, thread, "#busy"), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	}
	text := ada.Metrics(t)
	for _, line := range []string{
		`parley_turn_failures_total{code="MODEL_CREDENTIALS",key="own",provider="openai"} 1`, `parley_turn_failures_total{code="MODEL_CREDENTIALS",key="operator",provider="openai"} 0`,
		`parley_turn_failures_total{code="DOWNSTREAM_UNAVAILABLE",key="operator",provider="openai"} 0`,
		`parley_breakers{group="model",state="open"} 0`, `parley_breakers{group="own_model",state="open"} 1`,
	} {
		require.Contains(t, text, line)
	}
	require.Equal(t, "ok", ada.Get(t, "/readyz").Text("checks.model.status"))
	for _, line := range ada.Log.Lines(t) {
		require.NotEqual(t, "ERROR", line["level"], line)
	}
	require.NotContains(t, ada.Log.String(), secret)
}

func TestTurnsAreRecordedUnderTheModelThatWasToAnswer(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, "METRICS_ADDR=127.0.0.1:0", "MODEL_ALLOW=echo,openai/small,anthropic/*")
	requireAsked := func(turn, provider, model string) {
		t.Helper()
		kept := ada.LlmTurn(t, turn)
		require.Equal(t, []any{provider, model}, []any{kept["provider"], kept["model"]}, kept["error"])
	}
	refused := ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "openai/large"}), "Hi")
	harness.RequireCode(t, refused, http.StatusUnprocessableEntity, "MODEL_NOT_ALLOWED")
	requireAsked(refused.Text("details.turn_id"), "openai", "large")
	unknown := ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "gpt-4o"}), "Hi")
	harness.RequireCode(t, unknown, http.StatusUnprocessableEntity, "MODEL_NOT_FOUND")
	requireAsked(unknown.Text("details.turn_id"), "unknown", "gpt-4o")

	s.Then(modeltest.Script{Pieces: []string{"Hel"}, Stalls: true})
	thread := "/v1/conversations/threads/" + ada.ThreadWith(t, map[string]any{"model": "anthropic/claude"})
	stream := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("Hi"))
	turn, _ := stream.Until("turn.created").Data["turn_id"].(string)
	stream.Until("message.delta")
	requireAsked(turn, "anthropic", "claude") // while it runs
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turns/"+turn+"/cancel", nil).Status)
	requireAsked(turn, "anthropic", "claude")

	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-settings", map[string]any{"default_model": "openai/small"}).Status)
	s.Then(modeltest.Script{Status: 500}, modeltest.Script{Status: 500})
	failed := ada.Say(t, ada.ThreadWith(t, map[string]any{}), "Hi")
	harness.RequireCode(t, failed, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	requireAsked(failed.Text("details.turn_id"), "openai", "small")

	thread = "/v1/conversations/threads/" + ada.ThreadWith(t, map[string]any{"model": "anthropic/claude"})
	s.Then(modeltest.Script{Stalls: true})
	stream = ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("Hi"))
	turn, _ = stream.Until("turn.created").Data["turn_id"].(string)
	_, err := harness.Postgres.Superuser(t, ada.Database).Exec(t.Context(), `UPDATE llm_turns SET lease_until = now() - interval '1 minute', attempt = 3 WHERE status = 'running'`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says("next")).Status)
	requireAsked(turn, "anthropic", "claude") // whose process was lost

	text := ada.Metrics(t)
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
	target := harness.NewReceiver(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"model": "openai/m"}}).Text("id")
	chat := ada.NewEndpoint(t, bot)
	ada.Subscribe(t, target.URL, "turn.failed", "dead_letter.created")
	first := chat.Says(t, "c", "#filter").Text("event_id")
	second, third := chat.Says(t, "c", "Hi").Text("event_id"), chat.Says(t, "c", "And?").Text("event_id")

	ada.WaitUntil(t, "/v1/webhook-events/"+first, "status", "failed")
	thread := ada.Answered(t, second)
	require.Equal(t, thread, ada.Answered(t, third))
	require.EqualValues(t, 3, s.asked.Load(), "it was asked again")
	letter := ada.Get(t, "/v1/dead-letters").Items()[0]
	require.Equal(t, 1.0, letter["failures"]) //nolint:testifylint // a whole number
	last, _ := letter["last_error"].(string)
	require.Equal(t, 1, strings.Count(last, "CONTENT_FILTERED"), last)
	require.Equal(t, 0, ada.Number(t, "SELECT coalesce(sum(failures), 0) FROM job_queue WHERE kind = 'webhook.answer'"), "those behind have used up attempts of theirs")

	var kinds []string
	for _, d := range target.WaitFor(t, 2) {
		kinds = append(kinds, d.Event.Type)
		if d.Event.Type != "turn.failed" {
			continue
		}
		failure, _ := d.Event.Data["error"].(map[string]any)
		details, _ := failure["details"].(map[string]any)
		require.Equal(t, []any{"CONTENT_FILTERED", "openai", "m", "filtered"}, []any{failure["code"], details["provider"], details["model"], details["provider_message"]})
		require.Equal(t, map[string]any{"endpoint_id": chat.ID, "conversation_id": "c"}, d.Event.Data["channel"])
	}
	require.ElementsMatch(t, []string{"turn.failed", "dead_letter.created"}, kinds)
	require.Contains(t, ada.Metrics(t), `parley_dead_letters_total{concerns="operator"} 0`)
	require.Contains(t, ada.Metrics(t), `parley_dead_letters_total{concerns="tenant"} 1`)
}

func TestAMessageThatMayBeAnsweredLaterUsesUpNoAttemptsOfThoseBehind(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"model": "openai/m"}}).Text("id")
	chat := ada.NewEndpoint(t, bot)
	first, second := chat.Says(t, "c", "#busy").Text("event_id"), chat.Says(t, "c", "Hi").Text("event_id")
	failures := "SELECT coalesce(sum(j.failures), 0) FROM job_queue j JOIN webhook_events e ON e.operation_id::text = j.key WHERE e.id = "
	require.Eventually(t, func() bool { return ada.Number(t, failures+"'"+first+"'") >= 2 }, harness.Timeout, harness.Tick)
	require.Equal(t, 0, ada.Number(t, failures+"'"+second+"'"))
	require.Equal(t, "received", ada.Get(t, "/v1/webhook-events/"+second).Text("status"), "in the order in which they came")
	require.Positive(t, s.asked.Load())

	super := harness.Postgres.Superuser(t, ada.Database)
	for event, change := range map[string]string{second: "run_at = now() + interval '1 hour'", first: "max_attempts = failures + 1, run_at = now()"} {
		_, err := super.Exec(t.Context(), "UPDATE job_queue j SET "+change+" FROM webhook_events e WHERE e.operation_id::text = j.key AND e.id = $1", event)
		require.NoError(t, err)
	}
	ada.Answered(t, second) // as the end of the first wakes it
	ada.WaitUntil(t, "/v1/webhook-events/"+first, "status", "failed")
	require.Contains(t, ada.Metrics(t), `parley_dead_letters_total{concerns="operator"} 1`)
}

func TestATurnThatIsTakenUpAgainAndRefusedIsNoTroubleOfTheRecovery(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t, "UPKEEP_INTERVAL=100ms")
	thread := "/v1/conversations/threads/" + ada.ThreadWith(t, map[string]any{"model": "openai/m"})
	turn := ada.Post(t, thread+"/turn", harness.Says("Hi")).Text("turn_id")
	s.Then(modeltest.Script{Status: http.StatusUnauthorized, Code: "invalid_api_key"})
	for _, sql := range []string{ // as of a process that is lost
		`DELETE FROM messages WHERE role = 'assistant'`,
		`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() - interval '1 second'`,
	} {
		_, err := harness.Postgres.Superuser(t, ada.Database).Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	record := ada.WaitUntil(t, thread+"/turns/"+turn, "status", "failed")
	require.Equal(t, []any{"MODEL_CREDENTIALS", "openai", 2.0}, []any{record.Text("error.code"), record.Text("error.details.provider"), record.At("attempt")})
	require.NotContains(t, ada.Log.String(), "background task failed")
}

func TestAThreadThatHasOutgrownItsModelIsAskedOnceMoreWithHalf(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/tiny"})
	for i := range 4 {
		require.Equal(t, http.StatusOK, ada.Say(t, thread, fmt.Sprint("question ", i)).Status)
	}
	s.Then(modeltest.Script{Status: 400, Code: "context_length_exceeded"})
	a := ada.Say(t, thread, "and now?")
	require.Equal(t, http.StatusOK, a.Status, a)
	calls := s.Calls()
	require.Len(t, calls, 6)
	require.Len(t, calls[4].Messages(), 1+8+1)
	require.Equal(t, []string{"system: Be kind.", "user: question 2", "assistant: Hello there", "user: question 3", "assistant: Hello there", "user: and now?"}, calls[5].Messages())
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "and then?").Status)
	require.Less(t, len(s.Calls()[6].Messages()), 10, "cut right at once")
	require.Len(t, s.Calls(), 7)
}

func TestADeadLetterSaysTheCodeOfItsErrorOnce(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t, harness.FastJobs...).Register(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"model": "openai/m"}}).Text("id")
	event := ada.NewEndpoint(t, bot).Says(t, "c", "Hi").Text("event_id")
	ada.WaitUntil(t, "/v1/webhook-events/"+event, "status", "failed")
	last, _ := ada.Get(t, "/v1/dead-letters").Items()[0]["last_error"].(string)
	require.Equal(t, 1, strings.Count(last, "MODEL_NOT_FOUND"), last)
}
