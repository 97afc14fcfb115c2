package postgres_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// Another process embeds the document: one that believes it to be at an earlier stage changes nothing.
func TestALateWorkerDoesNotGoOnAtAStageThatIsOver(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	su, db := pg.Superuser(t, url), pg.Open(t, url)
	builds, progress := postgres.Builds{DB: db}, postgres.Embeddings{DB: db}
	ctx := callctx.As(t.Context(), uuid.New(), uuid.New())
	workspace, id := callctx.From(ctx).Principal.WorkspaceID, uuid.New()
	for _, sql := range []string{
		`INSERT INTO workspaces VALUES ($1, 'Acme', now())`,
		`INSERT INTO knowledge_bases (workspace_id, id, name, description, language, chunk_size, chunk_overlap, created_by, created_at, updated_at)
			VALUES ($1, $1, 'Manuals', '', 'simple', 1600, 200, $1, now(), now())`,
	} {
		_, err := su.Exec(ctx, sql, workspace)
		require.NoError(t, err)
	}
	_, err := su.Exec(ctx, `INSERT INTO documents (workspace_id, id, base_id, title, metadata, content_type, content_hash, size, status, stage, building, chunks_done, chunks_total, build_size, build_overlap, created_by, created_at, updated_at)
		VALUES ($1, $2, $1, 'Kettle', '{}', 'text/plain', sha256(''), 1, 'embedding', 'embed', 1, 80, 100, 1600, 200, $1, now(), now())`, workspace, id)
	require.NoError(t, err)
	lock := func(generation int, at ...domain.Stage) (done int, current bool) {
		require.NoError(t, db.Write(ctx, func(inTransaction context.Context) (err error) {
			done, current, err = builds.Lock(inTransaction, id, generation, at...)
			return err
		}))
		return done, current
	}
	for _, at := range [][]domain.Stage{{domain.StageChunk}, {domain.StageNone, domain.StageExtract}} {
		_, current := lock(1, at...)
		require.False(t, current, at)
	}
	_, current := lock(2, domain.StageEmbed)
	require.False(t, current, "another generation")
	done, current := lock(1, domain.StageEmbed)
	require.Equal(t, []any{80, true}, []any{done, current})

	require.NoError(t, db.Write(ctx, func(inTransaction context.Context) error { return progress.SetEmbedded(inTransaction, id, 40, now) }))
	done, _ = lock(1, domain.StageEmbed)
	require.Equal(t, 80, done, "a late worker has set it back")
	finish := func() (finished bool) {
		require.NoError(t, db.Write(ctx, func(inTransaction context.Context) (err error) {
			_, finished, err = builds.Finish(inTransaction, id, 1, ports.Built{At: now})
			return err
		}))
		return finished
	}
	require.False(t, finish(), "it is switched to before it is whole")
	require.NoError(t, db.Write(ctx, func(inTransaction context.Context) error { return progress.SetEmbedded(inTransaction, id, 100, now) }))
	require.True(t, finish())
}
