package activity

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestOperatorsSeeWhatIsAskedAndWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "METRICS_ADDR=127.0.0.1:0", "RATE_LIMIT_MAX=20", "UPKEEP_INTERVAL=100ms")
	ada, id := p.Register(t), harness.Operation(uuid.NewString())
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	for range 2 {
		require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "Hi"}, id).Status)
	}
	require.Equal(t, http.StatusUnprocessableEntity, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, id).Status)
	require.Equal(t, http.StatusNotFound, ada.Call(t, "BREW", "/coffee", nil).Status)
	require.Equal(t, http.StatusMethodNotAllowed, ada.Call(t, "BREW", "/v1/bots", nil).Status)
	for range 20 {
		ada.Get(t, "/v1/bots")
	}
	require.Eventually(t, func() bool { return p.Sealer(t) }, time.Minute, 20*time.Millisecond)
	text := p.Metrics(t)
	for _, line := range []string{
		`parley_http_requests_total{method="POST",route="/v1/conversations/threads/:thread_id/turn",status="200"} 2`,
		`parley_http_request_duration_seconds_count{method="POST",route="/v1/conversations/threads/:thread_id/turn"} 2`,
		`parley_http_requests_total{method="any",route="none",status="404"} 1`,
		`parley_operations_total{outcome="replayed"} 1`, `parley_operations_total{outcome="reused"} 1`, `parley_operations_total{outcome="done"} 2`,
		`parley_turns_total{key="operator",outcome="completed",provider="echo"} 1`, `parley_turn_duration_seconds_count{provider="echo"} 1`,
		`parley_sessions_total{action="user.register"} 1`, `parley_database_connections{state="most"} 8`, `parley_analytics_outbox_rows`, `parley_table_bytes{table="messages"} `, `parley_workspaces_to_purge 0`,
		`parley_background_task_failures_total{task="seal the audit log"} 0`, `parley_background_task_age_seconds{task="seal the audit log"} `, `parley_long_answers 0`,
	} {
		require.Contains(t, text, line)
	}
	require.Regexp(t, `parley_rate_limit_refusals_total\{limit="principal"\} [1-9]`, text)
	for _, line := range []string{ // before the first event, so that an alert on growth sees that too
		`parley_turns_total{key="operator",outcome="failed",provider="openai"} 0`, `parley_dead_letters_total{concerns="operator"} 0`,
		`parley_turn_failures_total{code="MODEL_CREDENTIALS",key="operator",provider="openai"} 0`, `parley_operations_total{outcome="expired"} 0`,
		`parley_sessions_total{action="session.revoke_stolen"} 0`,
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, thread)
	require.NotContains(t, text, "BREW", "whoever is outside makes as many numbers as there are words")
}

func TestProfilesAreServedUnlessInProduction(t *testing.T) {
	t.Parallel()
	status := func(settings ...string) int {
		p := harness.Start(t, append(settings, "METRICS_ADDR=127.0.0.1:0")...)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(p.MetricsAddress(t), "/metrics", "/debug/pprof/heap", 1), nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		return res.StatusCode
	}
	secret := "JWT_SECRET=" + strings.Repeat("s", 32)
	require.Equal(t, http.StatusOK, status())
	require.Equal(t, http.StatusNotFound, status("PPROF=false"))
	require.Equal(t, http.StatusNotFound, status("APP_ENV=production", secret))
	require.Equal(t, http.StatusOK, status("APP_ENV=production", secret, "PPROF=true"))
}

func TestABreakerThatIsOpenIsSeenByOperators(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "METRICS_ADDR=127.0.0.1:0", "JOB_POLL_INTERVAL=20ms", "WEBHOOK_ALLOW_PRIVATE=true", "BREAKER_OPEN_FOR=1h")
	ada, target := p.Register(t), harness.NewReceiver(t)
	target.Answers(http.StatusInternalServerError)
	sub := ada.Subscribe(t, target.URL, "bot.updated")
	ready := func() harness.Answer { return ada.Get(t, "/readyz") }
	require.Equal(t, "ok", ready().Text("checks.webhook.status"))
	for range 5 {
		require.Equal(t, http.StatusAccepted, ada.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil).Status)
	}
	require.Eventually(t, func() bool { return ready().Text("checks.webhook.status") == "degraded" }, time.Minute, 20*time.Millisecond)
	require.Equal(t, http.StatusOK, ready().Status, "no reason to send people elsewhere")
	require.EqualValues(t, 1, ready().At("checks.webhook.open_breakers"))
	require.Len(t, target.WaitFor(t, 5), 5)

	ping := ada.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil)
	var text string
	require.Eventually(t, func() bool {
		text = p.Metrics(t)
		return strings.Contains(text, `parley_downstream_calls_total{group="webhook",outcome="refused"} 1`) &&
			strings.Contains(text, `parley_jobs{state="queued"} 1`) // it has been put off
	}, time.Minute, 20*time.Millisecond)
	require.Len(t, target.All(), 5, "it is not asked")
	require.EqualValues(t, 0, ada.Get(t, "/v1/webhook-deliveries/"+ping.Text("id")).At("attempts"), "which is no attempt")
	for _, line := range []string{
		`parley_breakers{group="webhook",state="open"} 1`, `parley_downstream_calls_total{group="webhook",outcome="failed"} 5`,
		`parley_jobs{state="dead"} 0`, `parley_jobs_oldest_seconds 0`,
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, sub.ID, "no tenant's name is a label")
	require.Regexp(t, `(?m)^go_goroutines \d+$`, text)
	require.Equal(t, http.StatusNotFound, ada.Get(t, "/metrics").Status, "not where the API is")
}

func TestTheWorkspaceThatFloodsIsNamedInTheMetricsAndNoOther(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "METRICS_ADDR=127.0.0.1:0", "METRICS_WORKSPACES=1", "RATE_LIMIT_MAX=40", "SLOW_STATEMENT=1ms")
	ada, bob := p.Register(t), p.Register(t)
	thread := ada.OpenThread(t)
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says("Hi")).Status)
	bob.Get(t, "/v1/bots")
	for range 45 {
		ada.Get(t, "/v1/bots")
	}
	for range 3 { // a workspace that the caller is not in appears in no metric
		require.Equal(t, http.StatusForbidden, bob.Get(t, "/v1/bots", harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}).Status)
	}
	text := p.Metrics(t)
	require.Regexp(t, `parley_workspace_calls\{workspace="`+ada.Workspace+`"\} 47\n`, text)
	require.Regexp(t, `parley_workspace_calls\{workspace="other"\} 4\n`, text)
	require.Regexp(t, `parley_workspace_calls_limited\{workspace="`+ada.Workspace+`"\} [1-9]`, text)
	require.Regexp(t, `parley_workspace_call_seconds\{workspace="`+ada.Workspace+`"\} 0\.[0-9]*[1-9]`, text)
	require.NotContains(t, text, bob.Workspace)
	require.NotContains(t, text, "parley_workspace_calls_failed{", "what did not happen has no series")
	require.NotContains(t, text, "parley_workspace_turns{")
	require.Regexp(t, `parley_database_statements_total\{query="ListBots"\} [1-9]`, text)
	require.Regexp(t, `parley_database_statement_seconds_total\{query="ListBots"\} 0\.`, text)
	require.Regexp(t, `parley_database_bytes [1-9]`, text)
}
