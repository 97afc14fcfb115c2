package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// metrics reads what a Prometheus would.
func (p *program) metrics(t *testing.T) string {
	t.Helper()
	var address string
	for _, line := range p.log.lines(t) {
		if line["msg"] == "metrics" {
			address = line["address"].(string)
		}
	}
	require.NotEmpty(t, address)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	return string(body)
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
