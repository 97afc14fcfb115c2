package activity

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/clickhousetest"
)

// quickUpkeep has what happens counted without keeping a test waiting.
var quickUpkeep = append([]string{"UPKEEP_INTERVAL=100ms"}, harness.FastJobs...)

func TestUsageIsCountedInPostgres(t *testing.T) {
	t.Parallel()
	usageIsCounted(t, harness.Start(t, quickUpkeep...))
}

func TestUsageIsCountedInClickHouse(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	usageIsCounted(t, harness.Start(t, append([]string{"CLICKHOUSE_HOST=" + strings.TrimPrefix(address, "http://"), "CLICKHOUSE_DATABASE=" + database}, quickUpkeep...)...))
}

// usageIsCounted walks U13.
func usageIsCounted(t *testing.T, p *harness.Program) {
	t.Helper()
	began := time.Now()
	ada, eve := p.Register(t), p.Register(t)
	bot := ada.NewBot(t)
	thread, bare := ada.Thread(t, bot), ada.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	for range 2 {
		require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "hello there"}).Status)
	}
	op := harness.Operation(uuid.NewString())
	for range 2 { // the same call again is the same turn
		require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+bare+"/turn", map[string]any{"content": "hello"}, op).Status)
	}
	ada.NewEndpoint(t, bot).Says(t, "chat", "over a channel") // one event, and the turn that answers it

	usage := ada.WaitForUsage(t, "/v1/analytics/usage", 4)
	require.Equal(t, "day", usage.Text("granularity"))
	require.Len(t, usage.Items(), 30)
	require.Equal(t, usage.Text("from"), usage.Items()[0]["period"])
	require.Equal(t, []any{8.0, 1.0, 0.0}, []any{usage.At("totals.messages"), usage.At("totals.webhook_events"), usage.At("totals.cost_micros")})
	require.Eventually(t, func() bool { // register, log-in, bot, threads, turns, endpoint, event
		return ada.Get(t, "/v1/analytics/usage").At("totals.audit_entries").(float64) >= 9
	}, time.Minute, 50*time.Millisecond)
	asOf, err := time.Parse(time.RFC3339, usage.Text("as_of"))
	require.NoError(t, err)
	require.True(t, asOf.After(began.Add(-time.Second)), "%s", asOf)

	turns := ada.Get(t, "/v1/analytics/turns?granularity=month&bot_id="+bot)
	require.Equal(t, http.StatusOK, turns.Status, turns)
	require.Equal(t, []any{3.0, 3.0, 0.0, 0.0}, []any{turns.At("totals.turns"), turns.At("totals.completed"), turns.At("totals.failed"), turns.At("totals.error_rate")})
	require.NotNil(t, turns.At("totals.latency_ms.p99"))
	require.Equal(t, "month", turns.Text("granularity"))
	require.Zero(t, ada.Get(t, "/v1/analytics/usage?bot_id="+bot).At("totals.audit_entries"))

	for _, path := range []string{"/v1/analytics/usage", "/v1/analytics/turns"} {
		require.Zero(t, ada.Get(t, path+"?from=2020-01-01&to=2020-02-01").At("totals.turns"), "long before")
		require.Zero(t, eve.Get(t, path).At("totals.turns"), "of another workspace")
		foreign, never := eve.Get(t, path+"?bot_id="+bot), eve.Get(t, path+"?bot_id="+uuid.NewString())
		require.Zero(t, foreign.At("totals.turns"))
		delete(foreign.Body, "as_of")
		delete(never.Body, "as_of")
		require.Equal(t, never.Body, foreign.Body, "a bot of another workspace is like one that never was")
	}
	require.Nil(t, eve.Get(t, "/v1/analytics/turns").At("totals.latency_ms.p50"))
}

func TestWrongDaysOfAReportAreNamed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for query, fields := range map[string]string{
		"from=yesterday":                           "from",
		"from=2026-02-30":                          "from",
		"to=2026-11-01T00:00:00Z":                  "to",
		"from=x&to=y&granularity=hour&bot_id=mine": "bot_id from granularity to",
		"from=":                         "from",
		"granularity=":                  "granularity",
		"from=2026-01-02&to=2026-01-02": "to",
		"from=2026-01-02&to=2026-01-01": "to",
		"from=2025-01-01&to=2026-01-03": "to",
		"from=1999-12-31&to=2000-01-02": "from",
		"from=0001-01-01&to=9999-12-31": "from to",
		"from=2099-01-01":               "from",
		"from=2001-01-01":               "from",
		"tz=Mars/Olympus":               "tz",
		"tz=Local":                      "tz",
		"tz=..%2F..%2Fetc%2Fpasswd":     "tz",
	} {
		for _, path := range []string{"/v1/analytics/usage?", "/v1/analytics/turns?"} {
			a := ada.Get(t, path+query)
			harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
			var named []string
			for _, e := range a.At("details.errors").([]any) {
				named = append(named, e.(map[string]any)["field"].(string))
			}
			require.ElementsMatch(t, strings.Fields(fields), named, "%s: %s", query, a)
		}
	}
	harness.RequireCode(t, p.Anonymous().Get(t, "/v1/analytics/usage"), http.StatusUnauthorized, "UNAUTHORIZED")
	year := ada.Get(t, "/v1/analytics/usage?from=2026-01-01&to=2027-01-02")
	require.Len(t, year.Items(), 366, year)
	east, west := ada.Get(t, "/v1/analytics/usage?tz=Pacific/Kiritimati"), ada.Get(t, "/v1/analytics/turns?tz=Pacific/Niue")
	require.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{east.Status, west.Status})
	require.NotEqual(t, east.Text("to"), west.Text("to"), "25 hours apart, it is never the same day in both")
}

func TestAClickHouseThatIsAwayDelaysCountsAndNothingElse(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	proxy := clickhousetest.NewProxy(t, address)
	proxy.Away(true)
	p := harness.Start(t, append([]string{"CLICKHOUSE_HOST=" + proxy.URL, "CLICKHOUSE_DATABASE=" + database}, quickUpkeep...)...)
	ada := p.Register(t)
	thread := ada.Thread(t, ada.NewBot(t))
	for n := range 5 {
		a := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": fmt.Sprint(n)})
		require.Equal(t, http.StatusOK, a.Status, a)
		a = ada.Get(t, "/v1/analytics/usage")
		harness.RequireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
	ready := p.Anonymous().Get(t, "/readyz")
	require.Equal(t, http.StatusOK, ready.Status, ready)
	require.Equal(t, "failed", ready.Text("checks.clickhouse.status"), ready)
	proxy.Away(false)
	ada.WaitForUsage(t, "/v1/analytics/turns", 5)
	require.Equal(t, "ok", p.Anonymous().Get(t, "/readyz").Text("checks.clickhouse.status"))
}

func TestAnEndedSessionReadsNoReportFromClickHouse(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	p := harness.Start(t, "CLICKHOUSE_HOST="+address, "CLICKHOUSE_DATABASE="+database)
	ada := p.Register(t)
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/analytics/usage").Status)
	require.Less(t, ada.Post(t, "/v1/auth/logout", nil).Status, 300)
	harness.RequireCode(t, ada.Get(t, "/v1/analytics/usage"), http.StatusUnauthorized, "UNAUTHORIZED")
}
