package postgres_test

import (
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/channels/adapters/postgres"
	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/testing/pgtest"
	"github.com/parley/parley/platform/work/jobs"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func TestAnEventIsCountedOnceForEachOfTheSendersIDs(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	db, su := pg.Open(t, url), pg.Superuser(t, url)
	workspace, bot, endpoint := uuid.New(), uuid.New(), uuid.New()
	for _, row := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO workspaces VALUES ($1, 'Acme', now())", []any{workspace}},
		{`WITH b AS (INSERT INTO bots VALUES ($1, $2, 'Ada', 'draft', 1, $2, now(), now())),
			v AS (INSERT INTO bot_versions VALUES ($1, $2, 1, 'one', '{}', $2, now()))
			INSERT INTO webhook_endpoints VALUES ($1, $3, 'Chat', $2, 'active', '[]', $3, now())`, []any{workspace, bot, endpoint}},
	} {
		_, err := su.Exec(t.Context(), row.sql, row.args...)
		require.NoError(t, err)
	}
	inbox := postgres.Inbox{DB: db, Queue: jobs.NewQueue(db, jobs.NewRegistry()), Audit: audit.NewLog(db)}
	for n := range 2 {
		event, err := domain.NewInboundEvent(endpoint, "msg_1", []byte(`{"type":"note","data":{}}`))
		require.NoError(t, err)
		_, fresh, err := inbox.Take(callctx.For(t.Context(), workspace, endpoint, event.OperationID), event)
		require.NoError(t, err)
		require.Equal(t, n == 0, fresh)
	}
	var kind string
	var count, rows int
	var of uuid.UUID
	require.NoError(t, su.QueryRow(t.Context(), "SELECT kind, count, bot_id, count(*) OVER () FROM analytics_outbox").Scan(&kind, &count, &of, &rows))
	require.Equal(t, "webhook_event", kind)
	require.Equal(t, [2]int{1, 1}, [2]int{count, rows})
	require.Equal(t, bot, of)
}
