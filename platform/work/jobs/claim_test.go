package jobs_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The planner once read the whole table for a claim, as soon as it had statistics of a long queue.
func TestAClaimReadsFewRowsHoweverLongTheQueue(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, sql := range []string{
		`INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, run_at)
		 SELECT (SELECT id FROM workspaces LIMIT 1), gen_random_uuid(), 'note', n::text, '{}', '', 1, now() - n * interval '1 s' FROM generate_series(1, 20000) n`,
		"VACUUM ANALYZE job_queue",
	} {
		_, err := s.su.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	const read = `SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0)::bigint FROM pg_stat_xact_user_tables WHERE relname = 'job_queue'`
	tx, err := s.su.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	var before, after int
	require.NoError(t, tx.QueryRow(t.Context(), read).Scan(&before))
	rows, err := tx.Query(t.Context(), `SELECT id FROM app.take_jobs(30, NULL, NULL, NULL, 4, ARRAY[0], ARRAY[2], ARRAY[4], ARRAY[4], ARRAY[0], NULL, NULL, NULL, NULL, $1, '', '', -32768)`, uuid.Nil)
	require.NoError(t, err)
	claimed, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	require.Len(t, claimed, 4)
	require.NoError(t, tx.QueryRow(t.Context(), read).Scan(&after))
	require.Greater(t, after, before, "nothing is measured")
	require.Less(t, after-before, 200)
}
