package turns

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/platform/ops/usage"
)

func TestATurnThatIsCancelledCostsWhatItHasUsed(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, `MODEL_PRICES={"*": {"input": 1000000, "output": 2000000}}`)
	words := modeltest.Script{Pieces: []string{strings.Repeat("word ", 12)}, Input: 1200}

	a := ada.CutOff(t, s, ada.ThreadWith(t, map[string]any{"model": "openai/small"}), words)
	input, output := a.At("usage.input_tokens").(float64), a.At("usage.output_tokens").(float64)
	require.Equal(t, true, a.At("usage.estimated"), "OpenAI tells at the end alone")
	require.Positive(t, input)
	require.InDelta(t, 20, output, 1, "three bytes a token")
	require.InDelta(t, input+2*output, a.At("usage.cost_micros"), 0)
	require.Equal(t, "openai", a.Text("provider"))
	total, tokens := a.At("usage.cost_micros").(float64), input+output

	a = ada.CutOff(t, s, ada.ThreadWith(t, map[string]any{"model": "anthropic/claude"}), words)
	require.InDelta(t, 1200, a.At("usage.input_tokens"), 0, "Anthropic tells of the input at the beginning")
	require.InDelta(t, 20, a.At("usage.output_tokens"), 1)
	require.Equal(t, true, a.At("usage.estimated"))
	total, tokens = total+a.At("usage.cost_micros").(float64), tokens+1200+a.At("usage.output_tokens").(float64)

	a = ada.CutOff(t, s, ada.ThreadWith(t, map[string]any{"model": "anthropic/claude"}), modeltest.Script{Pieces: []string{}, Input: 700})
	require.Equal(t, []any{700.0, 1.0, false, 702.0}, []any{a.At("usage.input_tokens"), a.At("usage.output_tokens"), a.At("usage.estimated"), a.At("usage.cost_micros")},
		"all of it as Anthropic reported")
	total, tokens = total+702, tokens+701
	require.InDelta(t, total, ada.Used(t, usage.Cost)["used"], 0)
	require.InDelta(t, tokens, ada.Used(t, usage.Tokens)["used"], 0)

	a = ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "openai/small"}), "Hi")
	require.Equal(t, false, a.At("usage_estimated"), a)
	s.Then(modeltest.Script{Mute: true})
	a = ada.Say(t, ada.ThreadWith(t, map[string]any{"model": "openai/small"}), "Hi")
	require.Equal(t, true, a.At("usage_estimated"), "of a server that tells nothing: %s", a)
	require.Positive(t, a.At("cost_micros"))
}

func TestCancellingDoesNotGetRoundTheLimitOfTokens(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, "LIMIT_TOKENS_MONTH=40")
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small"})
	ada.CutOff(t, s, thread, modeltest.Script{Pieces: []string{strings.Repeat("word ", 12)}})
	refused := ada.Say(t, thread, "Hi")
	harness.RequireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "tokens", refused.Text("details.metric"))
}

func TestATurnThatFailsCostsWhatItHasUsedAndItsNextAttemptToo(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, `MODEL_PRICES={"*": {"input": 1000000, "output": 1000000}}`)
	thread := ada.ThreadWith(t, map[string]any{"model": "anthropic/claude"})
	op := harness.Operation(uuid.NewString())
	s.Then(modeltest.Script{Pieces: []string{"Hel"}, Breaks: true, Input: 300}, modeltest.Script{Input: 310, Output: 20})
	failed := ada.Say(t, thread, "Hi", op)
	harness.RequireCode(t, failed, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	turn := ada.Get(t, "/v1/conversations/threads/"+thread+"/turns/"+failed.Text("details.turn_id"))
	require.Equal(t, []any{"failed", 300.0, 1.0, 301.0, "anthropic"},
		[]any{turn.Text("status"), turn.At("usage.input_tokens"), turn.At("usage.output_tokens"), turn.At("usage.cost_micros"), turn.Text("provider")})
	a := ada.Say(t, thread, "Hi", op)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.InDelta(t, 330, a.At("cost_micros"), 0, "of the attempt that answered")
	require.InDelta(t, 301+330, ada.Used(t, usage.Cost)["used"], 0)
	require.InDelta(t, 301+330, ada.Used(t, usage.Tokens)["used"], 0)

	s.Then(modeltest.Script{Status: 500}, modeltest.Script{Status: 500})
	harness.RequireCode(t, ada.Say(t, thread, "Hi"), http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
	require.InDelta(t, 301+330, ada.Used(t, usage.Cost)["used"], 0, "what was refused is free")
}

func TestTheLimitOfCostsIsHeldBeforeAModelIsAsked(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, `MODEL_PRICES={"*": {"input": 1000000, "output": 1000000}}`, "LIMIT_COST_MONTH=1000")
	eve := ada.Register(t)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small", "max_output_tokens": 900})
	s.Then(modeltest.Script{Input: 100, Output: 100})
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "Hi").Status)
	require.Equal(t, map[string]any{
		"metric": "cost_micros", "used": 200.0, "limit": 1000.0, "remaining": 800.0, "resets_at": usage.Month(time.Now()).AddDate(0, 1, 0).Format(time.RFC3339),
	}, ada.Used(t, usage.Cost))

	asked := len(s.Calls())
	refused := ada.Say(t, thread, "Hi")
	harness.RequireCode(t, refused, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, []any{"cost_micros", 1000.0, 200.0, 0.0}, []any{
		refused.At("details.metric"), refused.At("details.limit"), refused.At("details.used"), refused.At("details.reserved"),
	})
	require.Greater(t, refused.At("details.needed"), 900.0)
	require.Empty(t, refused.Header.Get("Retry-After"))
	require.Len(t, s.Calls(), asked, "the model was asked")
	require.Equal(t, "failed", ada.LlmTurn(t, refused.Text("details.turn_id"))["status"])
	require.Equal(t, http.StatusOK, eve.Say(t, eve.ThreadWith(t, map[string]any{"model": "openai/small", "max_output_tokens": 900}), "Hi").Status, "another workspace")

	small := ada.ThreadWith(t, map[string]any{"model": "openai/small", "max_output_tokens": 300})
	s.Then(modeltest.Script{Input: 400, Output: 400})
	require.Equal(t, http.StatusOK, ada.Say(t, small, "Hi").Status, "what may cost less has room")
	rows := ada.Number(t, "SELECT count(*) FROM llm_turns")
	harness.RequireCode(t, ada.Say(t, small, "Hi"), http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, rows, ada.Number(t, "SELECT count(*) FROM llm_turns"), "where nothing is left nothing is stored")
	require.NotContains(t, ada.Log.String(), `"level":"ERROR"`)

	ada.Limit(t, usage.Cost, 5000)
	require.Equal(t, http.StatusOK, ada.Say(t, small, "Hi").Status)
	ada.Limit(t, usage.Cost, 1000)
	harness.RequireCode(t, ada.Say(t, small, "Hi"), http.StatusForbidden, "LIMIT_REACHED")
	own := modeltest.New(t)
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-very-own-4321", "base_url": own.URL + "/v1"}).Status)
	require.Equal(t, http.StatusOK, ada.Say(t, small, "Hi").Status, "with a key of its own")
	require.Len(t, own.Calls(), 1)
}

// Many turns at once never pass the limit together.
func TestTurnsAtOnceDoNotPassTheLimitOfCosts(t *testing.T) {
	t.Parallel()
	const fits = 3
	ada, s := withModels(t, `MODEL_PRICES={"*": {"input": 0, "output": 1000000}}`, "LIMIT_COST_MONTH="+strconv.Itoa(fits*1000))
	threads := make([]string, 12)
	for i := range threads {
		threads[i] = ada.ThreadWith(t, map[string]any{"model": "openai/small", "max_output_tokens": 1000})
		s.Then(modeltest.Script{Output: 1000})
	}
	next := make(chan string, len(threads))
	for _, thread := range threads {
		next <- thread
	}
	answered := 0
	for _, a := range harness.AtOnce(len(threads), func() harness.Answer { return ada.Say(t, <-next, "Hi") }) {
		if a.Status == http.StatusOK {
			answered++
			continue
		}
		harness.RequireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
	}
	require.Equal(t, fits, answered)
	require.InDelta(t, fits*1000, ada.Used(t, usage.Cost)["used"], 0)
}

func TestAMessageOfAChannelWaitsForTheLimitOfCosts(t *testing.T) {
	t.Parallel()
	ada, _ := withModels(t, slices.Concat(harness.FastJobs, []string{`MODEL_PRICES={"*": {"input": 0, "output": 1000000}}`, "LIMIT_COST_MONTH=100", "MODEL_DEFAULT=openai/small"})...)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	event := chat.Says(t, "c", "Hi").Text("event_id")
	waiting := `SELECT count(*) FROM job_queue WHERE kind = 'webhook.answer' AND status = 'queued' AND failures = 0 AND attempt > 0 AND run_at > now() + interval '9 minutes'`
	require.Eventually(t, func() bool { return ada.Number(t, waiting) == 1 }, time.Minute, 20*time.Millisecond)
	ada.Limit(t, usage.Cost, 0)
	ada.SQL(t, "UPDATE job_queue SET run_at = now() WHERE kind = 'webhook.answer'")
	ada.WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
}

func TestTheOperatorsKeysServeTheModelsThatMayBeUsed(t *testing.T) {
	t.Parallel()
	production := []string{"APP_ENV=production", "SIGN_UP=open", "JWT_SECRET=" + strings.Repeat("s", 32), "SECRET_KEY=" + strings.Repeat("k", 32)}
	for name, test := range map[string]struct {
		settings []string
		serves   map[string]bool
	}{
		"in production those with prices": {production, map[string]bool{"openai/small": true, "openai/large": false, "anthropic/x": false, "echo": true}},
		"in production those listed and those with prices": {
			append([]string{"MODEL_ALLOW=openai/large*, anthropic/x", "MODEL_DEFAULT=openai/other"}, production...),
			map[string]bool{"openai/small": true, "openai/large-2": true, "openai/other": true, "openai/others": false, "anthropic/x": true, "anthropic/xy": false, "echo": false},
		},
		"those listed":               {[]string{"MODEL_ALLOW=openai/l*"}, map[string]bool{"openai/large": true, "openai/mine": false, "anthropic/x": false}},
		"outside of production all":  {nil, map[string]bool{"openai/large": true, "anthropic/x": true, "echo": true}},
		"all where all have a price": {append([]string{`MODEL_PRICES={"*": {"input": 1, "output": 1}}`}, production...), map[string]bool{"openai/large": true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada, s := withModels(t, test.settings...)
			for model, served := range test.serves {
				asked := len(s.Calls())
				a := ada.Say(t, ada.ThreadWith(t, map[string]any{"model": model}), "Hi")
				if served {
					require.Equal(t, http.StatusOK, a.Status, "%s: %s", model, a)
					continue
				}
				harness.RequireCode(t, a, http.StatusUnprocessableEntity, "MODEL_NOT_ALLOWED")
				require.Equal(t, model, a.Text("details.model"))
				require.Contains(t, a.Text("message"), "settings.model")
				require.Contains(t, a.Text("message"), "MODEL_ALLOW")
				require.Len(t, s.Calls(), asked, "%s was asked", model)
				require.Equal(t, "MODEL_NOT_ALLOWED", ada.LlmTurn(t, a.Text("details.turn_id"))["error_code"])
			}
		})
	}
}

func TestABotWhoseModelMayNotBeUsedStaysUsable(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, slices.Concat(harness.FastJobs, []string{"MODEL_ALLOW=openai/small", "METRICS_ADDR=127.0.0.1:0"})...)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "settings": map[string]any{"model": "openai/large"}})
	require.Equal(t, http.StatusCreated, bot.Status, "saved all the same: %s", bot)
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot.Text("id")}).Text("id")
	stream := ada.Open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", harness.Says("Hi"))
	require.Equal(t, "MODEL_NOT_ALLOWED", stream.Until("turn.failed").Data["error"].(map[string]any)["code"])

	chat := ada.NewEndpoint(t, bot.Text("id"))
	chat.Says(t, "c", "Hi")
	require.Eventually(t, func() bool { return len(ada.Get(t, "/v1/dead-letters").Items()) == 1 }, time.Minute, 20*time.Millisecond,
		"a message for it is not asked about again and again")
	require.Empty(t, s.Calls())
	require.Contains(t, ada.Metrics(t), `parley_turns_total{key="operator",outcome="refused",provider="openai"} 2`, "of the one that was to answer, and no trouble of a model")

	own := modeltest.New(t)
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-very-own-4321", "base_url": own.URL + "/v1"}).Status)
	require.Equal(t, "large", ada.Say(t, thread, "Hi").Text("model"), "a workspace's own key serves all")
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, "/v1/model-keys/openai", nil).Status)
	a := ada.Put(t, "/v1/bots/"+bot.Text("id")+"/instruction", map[string]any{"instruction": "Be kind.", "settings": map[string]any{"model": "openai/small"}})
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "small", ada.Say(t, thread, "Hi").Text("model"))
}
