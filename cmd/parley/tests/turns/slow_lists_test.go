package turns

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAListThatTakesTooLongSaysSoAndKeepsNoOtherTenantWaiting(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "DATABASE_MAX_CONNS=8", "UPKEEP_INTERVAL=100ms", "WORKERS=0")
	ada, eve := p.Register(t), p.Register(t)
	p.SlowDown(t, "audit_log")
	eve.NewBot(t) // an entry that is to be sealed: who seals reads the log too, beside the lists
	harness.RequireCode(t, ada.Get(t, "/v1/audit-log?action=user.register"), http.StatusUnprocessableEntity, "QUERY_TOO_BROAD")
	harness.RequireCode(t, ada.Get(t, "/v1/audit-log/export?action=user.register"), http.StatusUnprocessableEntity, "QUERY_TOO_BROAD")

	var mu sync.Mutex
	codes := map[string]int{}
	var readers sync.WaitGroup
	for range 24 { // thrice as many as there are connections
		readers.Go(func() {
			a := ada.Get(t, "/v1/audit-log?action=user.register")
			mu.Lock()
			defer mu.Unlock()
			codes[a.Text("code")]++
			if a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		})
	}
	require.Eventually(t, func() bool { return p.Sleeping(t, "ListAudit") > 0 }, time.Minute, 10*time.Millisecond)
	for range 20 {
		require.Equal(t, http.StatusOK, eve.Get(t, "/v1/bots").Status, "a list of another tenant")
		require.Equal(t, http.StatusOK, eve.Get(t, "/v1/auth/me").Status)
		require.LessOrEqual(t, p.Sleeping(t, "ListAudit"), 1, "who reads slowly has one connection")
	}
	readers.Wait()
	require.NotZero(t, codes["TOO_MANY_READS"], codes)
	require.Equal(t, 24, codes["TOO_MANY_READS"]+codes["QUERY_TOO_BROAD"], codes)
	p.SQL(t, `DO $$ BEGIN
		PERFORM pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep';
		DROP POLICY slow ON audit_log;
	END $$`)
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/audit-log?action=user.register").Status)
}
