package db_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestUsageFromBeforeItWasCountedIsCountedAtTheUpgrade(t *testing.T) {
	t.Parallel()
	url := pg.EmptyURL(t)
	m, conn := migrator(url), pg.Superuser(t, url)
	require.NoError(t, m.Up(t.Context()))
	for gone := false; !gone; {
		require.NoError(t, m.Down(t.Context(), 1))
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_regclass('usage_counters') IS NULL").Scan(&gone))
	}
	used, unused := uuid.New(), uuid.New()
	for _, sql := range []string{
		`SET session_replication_role = replica`, // nothing of this needs what it refers to
		`INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'used', now()), ($2, 'unused', now())`,
		`INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, provider, model, status, user_seq, lease_until, input_tokens, output_tokens, created_at, finished_at)
		 SELECT $1, gen_random_uuid(), gen_random_uuid(), $2, gen_random_uuid(), 'p', 'm', 'completed', 1, now(), 7, 2, at, at FROM unnest(ARRAY[now(), now(), now() - interval '40 days']) at`,
		`INSERT INTO messages (workspace_id, id, thread_id, seq, role, content, created_at)
		 SELECT $1, gen_random_uuid(), $2, n, 'user', 'x', CASE n WHEN 1 THEN now() - interval '40 days' ELSE now() END FROM generate_series(1, 5) n`,
		`INSERT INTO webhook_events (workspace_id, id, endpoint_id, webhook_id, kind, payload, operation_id) VALUES ($1, gen_random_uuid(), $2, 'msg', 'note', '{}', $1)`,
		`INSERT INTO files (workspace_id, id, name, content_type, size, sha256, created_by, created_at) VALUES ($1, gen_random_uuid(), 'a', 't', 1000, sha256(''), $2, now())`,
	} {
		_, err := conn.Exec(t.Context(), strings.NewReplacer("$1", "'"+used.String()+"'", "$2", "'"+unused.String()+"'").Replace(sql))
		require.NoError(t, err, sql)
	}
	require.NoError(t, m.Up(t.Context()))
	usage := func(workspace uuid.UUID) (line string) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT format('%s turns, %s tokens, %s messages, %s events, %s bytes',
			sum(turns), sum(tokens), sum(messages), sum(webhook_events), sum(storage_bytes)) FROM usage_counters WHERE workspace_id = $1`, workspace).Scan(&line))
		return line
	}
	require.Equal(t, "2 turns, 18 tokens, 4 messages, 1 events, 1000 bytes", usage(used))
	require.Equal(t, "0 turns, 0 tokens, 0 messages, 0 events, 0 bytes", usage(unused))
}
