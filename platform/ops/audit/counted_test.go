package audit_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestEveryEntryIsCountedOnceWhoeverSealsIt(t *testing.T) {
	t.Parallel()
	l, ada, eve := newLedger(t), uuid.New(), uuid.New()
	l.record(t, ada, 1500) // more than one seal has
	l.record(t, eve, 3)
	l.do(t, "UPDATE audit_log SET created_at = created_at - interval '1 day' WHERE id = (SELECT min(id::text)::uuid FROM audit_log WHERE workspace_id = $1)", eve)
	var sealers sync.WaitGroup
	for range 4 {
		sealers.Go(func() { _ = l.sealer.Seal(t.Context()) }) // who comes second in a workspace fails
	}
	sealers.Wait()
	l.do(t, "UPDATE audit_seal_progress SET sealed_at = 'epoch'") // look back all the way
	require.Eventually(t, func() bool {
		require.NoError(t, l.sealer.Seal(t.Context()))
		return l.verify(t, ada).Unsealed == 0 && l.verify(t, eve).Unsealed == 0
	}, 30*time.Second, 10*time.Millisecond)
	for workspace, want := range map[uuid.UUID][]int{ada: {1500, 1}, eve: {3, 2}} {
		var entries, days int
		require.NoError(t, l.super.QueryRow(t.Context(), `SELECT sum(count), count(DISTINCT (at AT TIME ZONE 'UTC')::date)
			FROM analytics_outbox WHERE workspace_id = $1 AND kind = 'audit'`, workspace).Scan(&entries, &days))
		require.Equal(t, want, []int{entries, days})
	}
}
