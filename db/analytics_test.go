package db_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestWhatWasThereBeforeAnalyticsIsCounted(t *testing.T) {
	t.Parallel()
	url := pg.EmptyURL(t)
	m, conn := migrator(url), pg.Superuser(t, url)
	require.NoError(t, m.Up(t.Context()))
	for {
		require.NoError(t, m.Down(t.Context(), 1))
		var gone bool
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_regclass('analytics_outbox') IS NULL").Scan(&gone))
		if gone {
			break
		}
	}
	workspace, bot, endpoint, entry := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	for _, sql := range []string{
		`SET session_replication_role = replica`, // nothing of this needs what it points at
		`INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, bot_id, bot_version, provider, model, status, user_seq, lease_until, input_tokens, latency_ms, created_at, finished_at)
		 SELECT $1, gen_random_uuid(), gen_random_uuid(), $1, gen_random_uuid(), $2, 1, 'p', 'm', s, 1, now(), 7, 30, now(), CASE WHEN s <> 'running' THEN now() END
		   FROM unnest(ARRAY['completed', 'completed', 'failed', 'running']) s`,
		`INSERT INTO webhook_endpoints VALUES ($1, $3, 'Chat', $2, 'active', '[]', $1, now())`,
		`INSERT INTO webhook_events (workspace_id, id, endpoint_id, webhook_id, kind, payload, operation_id) VALUES ($1, gen_random_uuid(), $3, 'msg', 'note', '{}', $1)`,
		`INSERT INTO audit_log (workspace_id, id, trace_id, action, resource_type, changes, user_agent, created_at)
		 SELECT $1, id, 't', 'bot.create', 'bot', '{}', '', at FROM (VALUES ($4::uuid, timestamptz '2026-11-10 23:00Z'), (gen_random_uuid(), timestamptz '2026-11-11 01:00Z')) v(id, at)`,
		`INSERT INTO audit_seals SELECT $1, 1, ARRAY[$4::uuid], now(), sha256('')`, // the other is in no seal yet: it will be counted with one
	} {
		for i, id := range []uuid.UUID{workspace, bot, endpoint, entry} {
			sql = strings.ReplaceAll(sql, "$"+strconv.Itoa(i+1), "'"+id.String()+"'")
		}
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	require.NoError(t, m.Up(t.Context()))
	rows, err := conn.Query(t.Context(), `SELECT format('%s %s messages=%s tokens=%s ms=%s bot=%s', kind, sum(count), sum(messages), sum(input_tokens), max(latency_ms), bool_and(bot_id = $1))
		FROM analytics_outbox WHERE workspace_id = $2 GROUP BY kind ORDER BY kind`, bot, workspace)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{
		"audit 1 messages=0 tokens=0 ms= bot=", "completed 2 messages=4 tokens=14 ms=30 bot=t",
		"failed 1 messages=1 tokens=7 ms= bot=t", "webhook_event 1 messages=0 tokens=0 ms= bot=t",
	}, lines)
}
