package jobs_test

import (
	"testing"
	"time"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/parley/parley/platform/postgres"
)

var _ = postgres.Listen

func TestZZClaim(t *testing.T) {
	s := setup(t)
	_, err := s.su.Exec(t.Context(), "INSERT INTO workspaces SELECT gen_random_uuid(), 'x', now() FROM generate_series(1, 200)")
	require.NoError(t, err)
	_, err = s.su.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, run_at)
		SELECT $1, gen_random_uuid(), 'note', gen_random_uuid()::text, '{}', '', 1, now() - random() * interval '1 h' FROM generate_series(1, 100000)`, s.aID)
	require.NoError(t, err)
	for _, analyze := range []string{"SELECT 1", "ANALYZE job_queue", "other"} {
		if analyze == "other" {
			_, err = s.su.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, run_at)
			SELECT id, gen_random_uuid(), 'note', gen_random_uuid()::text, '{}', '', 1, now() + interval '1 h' FROM workspaces, generate_series(1, 50)`)
			require.NoError(t, err)
		} else {
			_, err = s.su.Exec(t.Context(), analyze)
			require.NoError(t, err)
		}
		began := time.Now()
		for range 50 {
			rows, err := s.su.Query(t.Context(), "SELECT id FROM app.claim_jobs(4, 30, NULL, NULL, $1)", uuid.Nil)
			require.NoError(t, err)
			_, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			require.NoError(t, err)
		}
		fmt.Println(analyze, time.Since(began)/50)
	}
	// wait beyond a silence
	ctx, cancel := context.WithTimeout(t.Context(), 33*time.Second)
	defer cancel()
	n := 0
	postgres.Listen(ctx, s.url, "parley_jobs", slog.New(slog.NewTextHandler(os.Stdout, nil)), func() { n++ })
	fmt.Println("wakes", n)
}
