package postgres_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

func TestVectorsOfWhatIsGoneAreFoundAndForgottenWhenTheyWereRemovedTwice(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	su, db := pg.Superuser(t, url), pg.Open(t, url)
	e := postgres.Embeddings{DB: db, Quota: &usage.Quota{DB: db, Now: time.Now}}
	ctx := callctx.As(t.Context(), uuid.New(), uuid.New())
	workspace, base := callctx.From(ctx).Principal.WorkspaceID, uuid.New()
	_, err := su.Exec(ctx, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", workspace)
	require.NoError(t, err)
	_, err = su.Exec(ctx, `INSERT INTO knowledge_bases (workspace_id, id, name, description, language, chunk_size, chunk_overlap, created_by, created_at, updated_at)
		VALUES ($1, $2, 'Manuals', '', 'simple', 1600, 200, $1, now(), now())`, workspace, base)
	require.NoError(t, err)
	document := func(status string, generation int, building any) uuid.UUID {
		id := uuid.New()
		_, err := su.Exec(ctx, `INSERT INTO documents (workspace_id, id, base_id, title, metadata, content_type, content_hash, size, status, generation, building, build_size, build_overlap, created_by, created_at, updated_at)
			VALUES ($1, $2, $3, 'Kettle', '{}', 'text/plain', sha256(''), 1, $4, $5, $6, 1600, 200, $1, now(), now())`, workspace, id, base, status, generation, building)
		require.NoError(t, err)
		return id
	}
	ready, building, deleting, gone := document("ready", 2, nil), document("embedding", 1, 2), document("deleting", 1, nil), uuid.New()
	long := now.Add(-time.Hour)
	record := func(s ports.VectorSet, at time.Time) ports.VectorSpace {
		there, err := e.Record(ctx, s, at)
		require.NoError(t, err)
		return there
	}
	for _, s := range []ports.VectorSet{
		{DocumentID: ready, Generation: 2}, {DocumentID: building, Generation: 1}, {DocumentID: building, Generation: 2},
		{DocumentID: deleting, Generation: 1}, {DocumentID: gone, Generation: 1},
	} {
		s.VectorSpace, s.BaseID = ports.VectorSpace{Model: "m", Dimensions: 3}, base
		record(s, long)
		other := s
		other.VectorSpace = ports.VectorSpace{Model: "other", Dimensions: 4}
		require.Equal(t, s.VectorSpace, record(other, now), "the first one decides")
	}
	old := func() (ids []uuid.UUID) {
		list, err := e.LocateOld(context.Background())
		require.NoError(t, err)
		for _, x := range list {
			require.Equal(t, workspace, x.WorkspaceID)
			ids = append(ids, x.DocumentID)
		}
		return ids
	}
	require.ElementsMatch(t, []uuid.UUID{deleting, gone}, old(), "not of what is current, nor of what is built")
	record(ports.VectorSet{DocumentID: ready, Generation: 1, BaseID: base, VectorSpace: ports.VectorSpace{Model: "m", Dimensions: 3}}, long)
	require.ElementsMatch(t, []uuid.UUID{deleting, gone, ready}, old())

	sets, err := e.Of(ctx, gone)
	require.NoError(t, err)
	require.Len(t, sets, 1)
	require.NoError(t, e.MarkRemoved(ctx, sets[0], now, now.Add(-10*time.Minute)))
	require.ElementsMatch(t, []uuid.UUID{deleting, ready}, old(), "a late worker gets its time")
	_, err = su.Exec(ctx, "UPDATE document_vectors SET removed_at = now() - interval '11 minutes' WHERE document_id = $1", gone)
	require.NoError(t, err)
	require.Contains(t, old(), gone)
	require.NoError(t, e.MarkRemoved(ctx, sets[0], now, now.Add(-10*time.Minute)))
	sets, err = e.Of(ctx, gone)
	require.NoError(t, err)
	require.Empty(t, sets)

	spaces, err := e.Spaces(ctx, []uuid.UUID{base})
	require.NoError(t, err)
	require.Equal(t, []ports.VectorSpace{{Model: "m", Dimensions: 3}}, spaces)
	spaces, err = e.Spaces(callctx.As(t.Context(), uuid.New(), uuid.New()), []uuid.UUID{base})
	require.NoError(t, err)
	require.Empty(t, spaces, "another workspace's")
}

func TestAVectorIsKeptForItsWorkspaceAlone(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	su, db := pg.Superuser(t, url), pg.Open(t, url)
	c := postgres.EmbeddingCache{DB: db}
	me, them := callctx.As(t.Context(), uuid.New(), uuid.New()), callctx.As(t.Context(), uuid.New(), uuid.New())
	for _, ctx := range []context.Context{me, them} {
		_, err := su.Exec(ctx, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", callctx.From(ctx).Principal.WorkspaceID)
		require.NoError(t, err)
	}
	one, two := ports.TextHash(sha256.Sum256([]byte("one"))), ports.TextHash(sha256.Sum256([]byte("two")))
	keep := map[ports.TextHash][]float32{one: {0.1, -2.5e-8, 3}, two: {1, 0, 0}}
	for range 2 {
		require.NoError(t, db.Write(me, func(ctx context.Context) error { return c.Keep(ctx, keep, now) }))
	}
	found, err := c.Find(me, []ports.TextHash{one, two, {9}})
	require.NoError(t, err)
	require.Equal(t, keep, found)
	found, err = c.Find(them, []ports.TextHash{one, two})
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestEmbeddingsCountTowardsTheCostOfAWorkspace(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	su, db := pg.Superuser(t, url), pg.Open(t, url)
	quota := &usage.Quota{DB: db, Now: time.Now}
	e := postgres.Embeddings{DB: db, Quota: quota, Prices: map[string]int64{"m": 20_000}}
	ctx := callctx.As(t.Context(), uuid.New(), uuid.New())
	_, err := su.Exec(ctx, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", callctx.From(ctx).Principal.WorkspaceID)
	require.NoError(t, err)
	m := ports.EmbeddingModel{Name: "m"}
	for _, model := range []ports.EmbeddingModel{m, {Name: "free"}, {Name: "m", Own: true}} {
		require.NoError(t, db.Write(ctx, func(ctx context.Context) error { return e.Count(ctx, model, ports.EmbeddingUsage{Tokens: 1_000_001}) }))
	}
	var cost int64
	require.NoError(t, su.QueryRow(ctx, "SELECT sum(cost_micros) FROM usage_counters").Scan(&cost))
	require.EqualValues(t, 20_001, cost)
	require.NoError(t, e.Check(ctx, m, 1_000_000))
	_, err = su.Exec(ctx, "INSERT INTO workspace_limits (workspace_id, metric, most) VALUES ($1, 'cost_micros', 30000)", callctx.From(ctx).Principal.WorkspaceID)
	require.NoError(t, err)
	require.NoError(t, e.Check(ctx, m, 100_000))
	require.ErrorContains(t, e.Check(ctx, m, 1_000_000), "LIMIT_REACHED")
}
