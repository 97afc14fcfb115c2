package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/clickhousetest"
)

// quickUpkeep has what happens counted without keeping a test waiting.
var quickUpkeep = append([]string{"UPKEEP_INTERVAL=100ms"}, fastJobs...)

func TestUsageIsCountedInPostgres(t *testing.T) {
	t.Parallel()
	usageIsCounted(t, start(t, quickUpkeep...))
}

func TestUsageIsCountedInClickHouse(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	usageIsCounted(t, start(t, append([]string{"CLICKHOUSE_HOST=" + strings.TrimPrefix(address, "http://"), "CLICKHOUSE_DATABASE=" + database}, quickUpkeep...)...))
}

// usageIsCounted walks U13.
func usageIsCounted(t *testing.T, p *program) {
	t.Helper()
	began := time.Now()
	ada, eve := p.register(t), p.register(t)
	bot := ada.newBot(t)
	thread, bare := ada.thread(t, bot), ada.post(t, "/v1/conversations/threads", map[string]any{}).text("id")
	for range 2 {
		require.Equal(t, http.StatusOK, ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "hello there"}).Status)
	}
	op := operation(uuid.NewString())
	for range 2 { // the same call again is the same turn
		require.Equal(t, http.StatusOK, ada.post(t, "/v1/conversations/threads/"+bare+"/turn", map[string]any{"content": "hello"}, op).Status)
	}
	ada.newEndpoint(t, bot).says(t, "chat", "over a channel") // one event, and the turn that answers it

	usage := ada.waitForUsage(t, "/v1/analytics/usage", 4)
	require.Equal(t, "day", usage.text("granularity"))
	require.Len(t, usage.items(), 30)
	require.Equal(t, usage.text("from"), usage.items()[0]["period"])
	require.Equal(t, []any{8.0, 1.0, 0.0}, []any{usage.at("totals.messages"), usage.at("totals.webhook_events"), usage.at("totals.cost_micros")})
	require.Eventually(t, func() bool { // register, log-in, bot, threads, turns, endpoint, event
		return ada.get(t, "/v1/analytics/usage").at("totals.audit_entries").(float64) >= 9
	}, 20*time.Second, 50*time.Millisecond)
	asOf, err := time.Parse(time.RFC3339, usage.text("as_of"))
	require.NoError(t, err)
	require.True(t, asOf.After(began.Add(-time.Second)), "%s", asOf)

	turns := ada.get(t, "/v1/analytics/turns?granularity=month&bot_id="+bot)
	require.Equal(t, http.StatusOK, turns.Status, turns)
	require.Equal(t, []any{3.0, 3.0, 0.0, 0.0}, []any{turns.at("totals.turns"), turns.at("totals.completed"), turns.at("totals.failed"), turns.at("totals.error_rate")})
	require.NotNil(t, turns.at("totals.latency_ms.p99"))
	require.Equal(t, "month", turns.text("granularity"))
	require.Zero(t, ada.get(t, "/v1/analytics/usage?bot_id="+bot).at("totals.audit_entries"))

	for _, path := range []string{"/v1/analytics/usage", "/v1/analytics/turns"} {
		require.Zero(t, ada.get(t, path+"?from=2020-01-01&to=2020-02-01").at("totals.turns"), "long before")
		require.Zero(t, eve.get(t, path).at("totals.turns"), "of another workspace")
		foreign, never := eve.get(t, path+"?bot_id="+bot), eve.get(t, path+"?bot_id="+uuid.NewString())
		require.Zero(t, foreign.at("totals.turns"))
		delete(foreign.Body, "as_of")
		delete(never.Body, "as_of")
		require.Equal(t, never.Body, foreign.Body, "a bot of another workspace is like one that never was")
	}
	require.Nil(t, eve.get(t, "/v1/analytics/turns").at("totals.latency_ms.p50"))
}

// waitForUsage waits until so many turns are counted, and that no more are.
func (c *caller) waitForUsage(t *testing.T, path string, turns int) (a answer) {
	t.Helper()
	require.Eventually(t, func() bool {
		a = c.get(t, path)
		return a.at("totals.turns") == float64(turns)
	}, 30*time.Second, 50*time.Millisecond)
	return a
}

func TestWrongDaysOfAReportAreNamed(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
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
			a := ada.get(t, path+query)
			requireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
			var named []string
			for _, e := range a.at("details.errors").([]any) {
				named = append(named, e.(map[string]any)["field"].(string))
			}
			require.ElementsMatch(t, strings.Fields(fields), named, "%s: %s", query, a)
		}
	}
	requireCode(t, p.anonymous().get(t, "/v1/analytics/usage"), http.StatusUnauthorized, "UNAUTHORIZED")
	year := ada.get(t, "/v1/analytics/usage?from=2026-01-01&to=2027-01-02")
	require.Len(t, year.items(), 366, year)
	east, west := ada.get(t, "/v1/analytics/usage?tz=Pacific/Kiritimati"), ada.get(t, "/v1/analytics/turns?tz=Pacific/Niue")
	require.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{east.Status, west.Status})
	require.NotEqual(t, east.text("to"), west.text("to"), "25 hours apart, it is never the same day in both")
}

func TestAClickHouseThatIsAwayDelaysCountsAndNothingElse(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	proxy := clickhousetest.NewProxy(t, address)
	proxy.Away(true)
	p := start(t, append([]string{"CLICKHOUSE_HOST=" + proxy.URL, "CLICKHOUSE_DATABASE=" + database}, quickUpkeep...)...)
	ada := p.register(t)
	thread := ada.thread(t, ada.newBot(t))
	for n := range 5 {
		a := ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": fmt.Sprint(n)})
		require.Equal(t, http.StatusOK, a.Status, a)
		a = ada.get(t, "/v1/analytics/usage")
		requireCode(t, a, http.StatusServiceUnavailable, "DOWNSTREAM_UNAVAILABLE")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
	ready := p.anonymous().get(t, "/readyz")
	require.Equal(t, http.StatusOK, ready.Status, ready)
	require.Equal(t, "failed", ready.text("checks.clickhouse.status"), ready)
	proxy.Away(false)
	ada.waitForUsage(t, "/v1/analytics/turns", 5)
	require.Equal(t, "ok", p.anonymous().get(t, "/readyz").text("checks.clickhouse.status"))
}

func TestAnEndedSessionReadsNoReportFromClickHouse(t *testing.T) {
	t.Parallel()
	address, database := clickhousetest.Server(t)
	p := start(t, "CLICKHOUSE_HOST="+address, "CLICKHOUSE_DATABASE="+database)
	ada := p.register(t)
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/analytics/usage").Status)
	require.Less(t, ada.post(t, "/v1/auth/logout", nil).Status, 300)
	requireCode(t, ada.get(t, "/v1/analytics/usage"), http.StatusUnauthorized, "UNAUTHORIZED")
}
