package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

func TestDocumentsThatAreIndexedAtOnceGoBeyondNoLimitTogether(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	su, watch, db := pg.Superuser(t, url), pg.Superuser(t, url), pg.Open(t, url)
	builds := postgres.Builds{DB: db, Quota: &usage.Quota{DB: db, Limits: usage.Limits{usage.Chunks: 10, usage.KnowledgeBytes: 1000}, Now: time.Now}}
	ctx := callctx.As(t.Context(), uuid.New(), uuid.New())
	workspace, base := callctx.From(ctx).Principal.WorkspaceID, uuid.New()
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := su.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	exec("INSERT INTO workspaces VALUES ($1, 'Acme', now())", workspace)
	exec(`INSERT INTO knowledge_bases (workspace_id, id, name, description, language, chunk_size, chunk_overlap, created_by, created_at, updated_at)
		VALUES ($1, $2, 'Manuals', '', 'simple', 1600, 200, $1, now(), now())`, workspace, base)
	document := func(status string, chunks, bytes int) uuid.UUID {
		id := uuid.New()
		exec(`INSERT INTO documents (workspace_id, id, base_id, title, metadata, content_type, content_hash, size, status, generation, building, chunks, text_bytes,
			build_size, build_overlap, created_by, created_at, updated_at)
			VALUES ($1, $2, $3, 'Kettle', '{}', 'text/plain', sha256(''), 1, $4, 1, 2, $5, $6, 1600, 200, $1, now(), now())`, workspace, id, base, status, chunks, bytes)
		return id
	}
	reserve := func(ctx context.Context, id uuid.UUID, chunks int, bytes int64) error {
		if err := builds.StoreText(ctx, id, 2, domain.KeptText{Text: strings.Repeat("x", int(bytes))}, domain.Extracted{}); err != nil {
			return err
		}
		if err := builds.ReserveKnowledge(ctx, id, chunks, bytes); err != nil {
			return err
		}
		return builds.SetStage(ctx, id, domain.Chunking, domain.StageChunk, &chunks, now)
	}
	alone := func(id uuid.UUID, chunks int, bytes int64) error {
		return db.Write(ctx, func(ctx context.Context) error { return reserve(ctx, id, chunks, bytes) })
	}
	first, second := document("queued", 0, 0), document("queued", 2, 100)
	document("deleting", 50, 5000)

	done := make(chan error, 1)
	require.NoError(t, db.Write(ctx, func(ctx context.Context) error {
		if err := reserve(ctx, first, 6, 300); err != nil {
			return err
		}
		go func() { done <- alone(second, 5, 200) }()
		require.Eventually(t, func() bool {
			var waiting int
			require.NoError(t, watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting))
			return waiting == 1
		}, time.Minute, 10*time.Millisecond, "the second does not wait for the first")
		return nil
	}))
	refused := <-done
	require.ErrorIs(t, refused, ports.ErrKnowledgeLimit, "11 of 10 chunks")
	require.ErrorContains(t, alone(second, 3, 800), ports.ErrKnowledgeLimit.Message, "1,100 of 1,000 bytes")
	require.NoError(t, alone(second, 4, 700), "exactly as many as there may be")
	require.NoError(t, alone(first, 6, 300), "again, as after a crash")
	require.ErrorIs(t, alone(document("queued", 0, 0), 1, 1), ports.ErrKnowledgeLimit)
	exec(`INSERT INTO workspace_limits (workspace_id, metric, most) VALUES ($1, 'chunks', 3)`, workspace)
	ready := document("ready", 9, 900)
	require.NoError(t, alone(ready, 8, 800), "a document may have less than now")
	require.ErrorIs(t, alone(ready, 10, 800), ports.ErrKnowledgeLimit)
	exec(`UPDATE workspace_limits SET most = 0`)
	require.NoError(t, alone(ready, 1000, 900), "no limit")
}
