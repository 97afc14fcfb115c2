package app

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	conversations "github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/resilience"
)

// metrics reads what a Prometheus would.
func (p *program) metrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.metricsAddress(t), nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	return string(body)
}

// metricsAddress is where the metrics are.
func (p *program) metricsAddress(t *testing.T) (address string) {
	t.Helper()
	for _, line := range p.log.lines(t) {
		if line["msg"] == "metrics" {
			address = line["address"].(string)
		}
	}
	require.NotEmpty(t, address)
	return address
}

func TestWhatDashboardsAndAlertsAskForIsMeasured(t *testing.T) {
	t.Parallel()
	p := &platform{metrics: newMeters()}
	p.addGauges()
	names := p.metrics.Names()
	for _, file := range []string{"dashboard.json", "alerts.yaml"} {
		text, err := os.ReadFile("../../platform/telemetry/grafana/" + file)
		require.NoError(t, err)
		asked := regexp.MustCompile(`parley_[a-z_]+`).FindAllString(string(text), -1)
		require.NotEmpty(t, asked)
		for _, name := range asked {
			require.Contains(t, names, regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, ""), file)
		}
	}
	dashboard, err := os.ReadFile("../../platform/telemetry/grafana/dashboard.json")
	require.NoError(t, err)
	require.True(t, json.Valid(dashboard))
}

func TestOperatorsSeeWhatIsAskedAndWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	p := start(t, "METRICS_ADDR=127.0.0.1:0", "RATE_LIMIT_MAX=20", "UPKEEP_INTERVAL=100ms")
	ada, id := p.register(t), operation(uuid.NewString())
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{}).text("id")
	for range 2 {
		require.Equal(t, http.StatusOK, ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "Hi"}, id).Status)
	}
	require.Equal(t, http.StatusUnprocessableEntity, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, id).Status)
	require.Equal(t, http.StatusNotFound, ada.call(t, "BREW", "/coffee", nil).Status)
	require.Equal(t, http.StatusMethodNotAllowed, ada.call(t, "BREW", "/v1/bots", nil).Status)
	for range 20 {
		ada.get(t, "/v1/bots")
	}
	require.Eventually(t, func() bool { return p.sealer(t) }, 10*time.Second, 20*time.Millisecond)
	text := p.metrics(t)
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

// sealer tells whether the sealer has run.
func (p *program) sealer(t *testing.T) bool {
	t.Helper()
	return regexp.MustCompile(`(?m)^parley_audit_sealer_lag_seconds [0-9.]*[1-9]`).MatchString(p.metrics(t))
}

func TestTheTimeOfModelsIsNoTimeOfOurOwn(t *testing.T) {
	t.Parallel()
	m := newMeters()
	m.request(t.Context(), http.MethodPost, "/v1/x", http.StatusOK, 9*time.Second, 8999*time.Millisecond)
	p := &platform{metrics: m}
	c := &call.Call{Outside: new(atomic.Int64)}
	require.NoError(t, p.aroundCall(call.With(t.Context(), c), "model", "x", func(context.Context) error { return nil }))
	require.Positive(t, c.Outside.Load())
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(t, page.Body.String(), `parley_http_request_duration_seconds_sum{method="POST",route="/v1/x"} 9`)
	require.Contains(t, page.Body.String(), `parley_http_request_own_seconds_sum{method="POST",route="/v1/x"} 0.001`)
}

func TestAJobThatPanicsIsMeasured(t *testing.T) {
	t.Parallel()
	p := &platform{metrics: newMeters()}
	require.Panics(t, func() {
		_ = p.aroundJob(t.Context(), "note", func(context.Context) error { panic("at the disco") })
	})
	page := httptest.NewRecorder()
	p.metrics.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(t, page.Body.String(), `parley_job_duration_seconds_count{kind="note",outcome="failed"} 1`)
}

func TestProfilesAreServedUnlessInProduction(t *testing.T) {
	t.Parallel()
	status := func(settings ...string) int {
		p := start(t, append(settings, "METRICS_ADDR=127.0.0.1:0")...)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(p.metricsAddress(t), "/metrics", "/debug/pprof/heap", 1), nil)
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
	p := start(t, "METRICS_ADDR=127.0.0.1:0", "JOB_POLL_INTERVAL=20ms", "WEBHOOK_ALLOW_PRIVATE=true", "BREAKER_OPEN_FOR=1h")
	ada, target := p.register(t), newReceiver(t)
	target.answers(http.StatusInternalServerError)
	sub := ada.subscribe(t, target.URL, "bot.updated")
	ready := func() answer { return ada.get(t, "/readyz") }
	require.Equal(t, "ok", ready().text("checks.webhook.status"))
	for range 5 {
		require.Equal(t, http.StatusAccepted, ada.post(t, "/v1/webhook-subscriptions/"+sub.id+"/ping", nil).Status)
	}
	require.Eventually(t, func() bool { return ready().text("checks.webhook.status") == "degraded" }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, http.StatusOK, ready().Status, "no reason to send people elsewhere")
	require.EqualValues(t, 1, ready().at("checks.webhook.open_breakers"))
	require.Len(t, target.waitFor(t, 5), 5)

	ping := ada.post(t, "/v1/webhook-subscriptions/"+sub.id+"/ping", nil)
	var text string
	require.Eventually(t, func() bool {
		text = p.metrics(t)
		return strings.Contains(text, `parley_downstream_calls_total{group="webhook",outcome="refused"} 1`) &&
			strings.Contains(text, `parley_jobs{state="queued"} 1`) // it has been put off
	}, 10*time.Second, 20*time.Millisecond)
	require.Len(t, target.all(), 5, "it is not asked")
	require.EqualValues(t, 0, ada.get(t, "/v1/webhook-deliveries/"+ping.text("id")).at("attempts"), "which is no attempt")
	for _, line := range []string{
		`parley_breakers{group="webhook",state="open"} 1`, `parley_downstream_calls_total{group="webhook",outcome="failed"} 5`,
		`parley_jobs{state="dead"} 0`, `parley_jobs_oldest_seconds 0`,
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, sub.id, "no tenant's name is a label")
	require.Regexp(t, `(?m)^go_goroutines \d+$`, text)
	require.Equal(t, http.StatusNotFound, ada.get(t, "/metrics").Status, "not where the API is")
}

func TestTheWorkspaceThatFloodsIsNamedInTheMetricsAndNoOther(t *testing.T) {
	t.Parallel()
	p := start(t, "METRICS_ADDR=127.0.0.1:0", "METRICS_WORKSPACES=1", "RATE_LIMIT_MAX=40", "SLOW_STATEMENT=1ms")
	ada, bob := p.register(t), p.register(t)
	thread := ada.openThread(t)
	require.Equal(t, http.StatusOK, ada.post(t, thread+"/turn", says("Hi")).Status)
	bob.get(t, "/v1/bots")
	for range 45 {
		ada.get(t, "/v1/bots")
	}
	for range 3 { // a workspace that the caller is not in gets nothing said of it
		require.Equal(t, http.StatusForbidden, bob.get(t, "/v1/bots", header{"X-Workspace-Id", ada.workspace}).Status)
	}
	text := p.metrics(t)
	require.Regexp(t, `parley_workspace_calls\{workspace="`+ada.workspace+`"\} 47\n`, text)
	require.Regexp(t, `parley_workspace_calls\{workspace="other"\} 4\n`, text)
	require.Regexp(t, `parley_workspace_calls_limited\{workspace="`+ada.workspace+`"\} [1-9]`, text)
	require.Regexp(t, `parley_workspace_call_seconds\{workspace="`+ada.workspace+`"\} 0\.[0-9]*[1-9]`, text)
	require.NotContains(t, text, bob.workspace)
	require.NotContains(t, text, "parley_workspace_calls_failed{", "what did not happen has no series")
	require.NotContains(t, text, "parley_workspace_turns{")
	require.Regexp(t, `parley_database_statements_total\{query="ListBots"\} [1-9]`, text)
	require.Regexp(t, `parley_database_statement_seconds_total\{query="ListBots"\} 0\.`, text)
	require.Regexp(t, `parley_database_bytes [1-9]`, text)
}

// quietEvents are told and do nothing.
type quietEvents struct{ conversations.Events }

func (quietEvents) TurnCompleted(context.Context, domain.Turn, domain.Message, domain.Reply) error {
	return nil
}

func TestTokensAndJobsAreCountedForTheirWorkspace(t *testing.T) {
	t.Parallel()
	workspace := uuid.New()
	p := &platform{metrics: newMeters(), cfg: &config.Config{TopWorkspaces: 10}, turns: resilience.NewSlots(2)}
	ctx := call.With(t.Context(), &call.Call{Principal: call.Principal{WorkspaceID: workspace}})
	reply := domain.Reply{Usage: domain.Usage{InputTokens: new(100), OutputTokens: new(20), CachedTokens: new(50)}}
	require.NoError(t, countedTurns{Events: quietEvents{}, meters: p.metrics}.TurnCompleted(ctx, domain.Turn{}, domain.Message{}, reply))
	require.NoError(t, p.aroundJob(ctx, "note", func(context.Context) error { return nil }))
	require.Error(t, p.aroundJob(ctx, "note", func(context.Context) error { return errPanic }))
	_, ok := p.turns.Try(workspace, uuid.New())
	require.True(t, ok)
	p.addTopWorkspaces()
	page := httptest.NewRecorder()
	p.metrics.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line, value := range map[string]string{"turn_tokens": "120", "jobs": "2", "jobs_failed": "1", "turns": "1"} {
		require.Contains(t, page.Body.String(), `parley_workspace_`+line+`{workspace="`+workspace.String()+`"} `+value+"\n")
	}
}
