package app

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowDown has each row of a table take a minute to read, as if its filter fitted few of very many rows.
func (p *program) slowDown(t *testing.T, table string) {
	t.Helper()
	p.sql(t, `CREATE POLICY slow ON `+table+` AS RESTRICTIVE FOR SELECT TO parley_app USING (pg_sleep(60)::text IS NOT NULL)`)
}

// sleeping is how many connections read a table that was slowed down.
func (p *program) sleeping(t *testing.T) int {
	t.Helper()
	return p.number(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`)
}

func TestAListThatTakesTooLongSaysSoAndKeepsNoOtherTenantWaiting(t *testing.T) {
	t.Parallel()
	p := start(t, "DATABASE_MAX_CONNS=8", "UPKEEP_INTERVAL=1h", "WORKERS=0")
	ada, eve := p.register(t), p.register(t)
	eve.newBot(t)
	p.slowDown(t, "audit_log")
	requireCode(t, ada.get(t, "/v1/audit-log?action=user.register"), http.StatusUnprocessableEntity, "QUERY_TOO_BROAD")
	requireCode(t, ada.get(t, "/v1/audit-log/export?action=user.register"), http.StatusUnprocessableEntity, "QUERY_TOO_BROAD")

	var mu sync.Mutex
	codes := map[string]int{}
	var readers sync.WaitGroup
	for range 24 { // thrice as many as there are connections
		readers.Go(func() {
			a := ada.get(t, "/v1/audit-log?action=user.register")
			mu.Lock()
			defer mu.Unlock()
			codes[a.text("code")]++
			if a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		})
	}
	require.Eventually(t, func() bool { return p.sleeping(t) > 0 }, 20*time.Second, 10*time.Millisecond)
	for range 20 {
		require.Equal(t, http.StatusOK, eve.get(t, "/v1/bots").Status, "a list of another tenant")
		require.Equal(t, http.StatusOK, eve.get(t, "/v1/auth/me").Status)
		require.LessOrEqual(t, p.sleeping(t), 1, "who reads slowly has one connection")
	}
	readers.Wait()
	require.NotZero(t, codes["TOO_MANY_READS"], codes)
	require.Equal(t, 24, codes["TOO_MANY_READS"]+codes["QUERY_TOO_BROAD"], codes)
	p.sql(t, `DROP POLICY slow ON audit_log`)
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/audit-log?action=user.register").Status)
}
