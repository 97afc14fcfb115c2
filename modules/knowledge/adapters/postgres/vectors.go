package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// Embeddings stores what belongs to the vectors of chunks, except these. Its methods run in the transaction of the context,
// or in one of their own.
type Embeddings struct {
	DB     *postgres.DB
	Quota  *usage.Quota
	Prices map[string]int64 // of models, in millionths of the currency for a million tokens
}

var (
	_ ports.VectorRecords     = Embeddings{}
	_ ports.EmbeddingProgress = Embeddings{}
	_ ports.EmbeddingCosts    = Embeddings{}
	_ ports.EmbeddingCache    = EmbeddingCache{}
	_ ports.CurrentChunks     = Search{}
)

func (e Embeddings) queries(ctx context.Context) (*knowledgedb.Queries, uuid.UUID) {
	return knowledgedb.New(e.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (e Embeddings) Record(ctx context.Context, s ports.VectorSet, now time.Time) (there ports.VectorSpace, err error) {
	err = e.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := e.queries(ctx)
		row, err := q.RecordVectors(ctx, knowledgedb.RecordVectorsParams{
			WorkspaceID: workspace, DocumentID: s.DocumentID, Generation: int32(s.Generation), BaseID: s.BaseID, Model: s.Model,
			Dimensions: int32(s.Dimensions), CreatedAt: now,
		})
		there = ports.VectorSpace{Model: row.Model, Dimensions: int(row.Dimensions)}
		return err
	})
	return there, err
}

func (e Embeddings) Unrecord(ctx context.Context, s ports.VectorSet) error {
	q, workspace := e.queries(ctx)
	return q.UnrecordVectors(ctx, knowledgedb.UnrecordVectorsParams{WorkspaceID: workspace, DocumentID: s.DocumentID, Generation: int32(s.Generation)})
}

func (e Embeddings) Of(ctx context.Context, document uuid.UUID) ([]ports.VectorSet, error) {
	q, workspace := e.queries(ctx)
	rows, err := q.ListDocumentVectors(ctx, knowledgedb.ListDocumentVectorsParams{WorkspaceID: workspace, DocumentID: document})
	if err != nil {
		return nil, fmt.Errorf("list the vectors of the document: %w", err)
	}
	list := make([]ports.VectorSet, len(rows))
	for i, row := range rows {
		list[i] = ports.VectorSet{
			VectorSpace: ports.VectorSpace{Model: row.Model, Dimensions: int(row.Dimensions)},
			DocumentID:  row.DocumentID, Generation: int(row.Generation), BaseID: row.BaseID, RemovedAt: row.RemovedAt,
		}
	}
	return list, nil
}

func (e Embeddings) Spaces(ctx context.Context, bases []uuid.UUID) ([]ports.VectorSpace, error) {
	q, workspace := e.queries(ctx)
	rows, err := q.ListVectorSpaces(ctx, knowledgedb.ListVectorSpacesParams{WorkspaceID: workspace, Bases: bases})
	if err != nil {
		return nil, fmt.Errorf("list the models of the vectors: %w", err)
	}
	list := make([]ports.VectorSpace, len(rows))
	for i, row := range rows {
		list[i] = ports.VectorSpace{Model: row.Model, Dimensions: int(row.Dimensions)}
	}
	return list, nil
}

func (e Embeddings) MarkRemoved(ctx context.Context, s ports.VectorSet, now, forgetBefore time.Time) error {
	return e.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := e.queries(ctx)
		generations := []int32{int32(s.Generation)}
		if err := q.ForgetVectors(ctx, knowledgedb.ForgetVectorsParams{
			WorkspaceID: workspace, DocumentID: s.DocumentID, Generations: generations, Before: &forgetBefore,
		}); err != nil {
			return err
		}
		return q.MarkVectorsRemoved(ctx, knowledgedb.MarkVectorsRemovedParams{
			WorkspaceID: workspace, DocumentID: s.DocumentID, Generations: generations, RemovedAt: &now,
		})
	})
}

// Limits of the search for vectors that are not needed any more.
const (
	oldVectorsAge   = 10 * time.Minute
	oldVectorsBatch = 500
)

func (e Embeddings) LocateOld(ctx context.Context) ([]ports.UnfinishedWork, error) {
	rows, err := knowledgedb.New(e.DB.In(ctx)).LocateOldVectors(ctx, knowledgedb.LocateOldVectorsParams{
		OlderSeconds: oldVectorsAge.Seconds(), MaxRows: oldVectorsBatch,
	})
	if err != nil {
		return nil, err
	}
	list := make([]ports.UnfinishedWork, len(rows))
	for i, row := range rows {
		list[i] = ports.UnfinishedWork{WorkspaceID: row.WorkspaceID, DocumentID: row.DocumentID}
	}
	return list, nil
}

func (e Embeddings) SetEmbedded(ctx context.Context, document uuid.UUID, done int, now time.Time) error {
	q, workspace := e.queries(ctx)
	return q.SetEmbedded(ctx, knowledgedb.SetEmbeddedParams{WorkspaceID: workspace, ID: document, ChunksDone: int32(done), UpdatedAt: now})
}

func (e Embeddings) SetWaiting(ctx context.Context, document uuid.UUID, generation int, why domain.BuildError, now time.Time) error {
	return e.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := e.queries(ctx)
		return q.SetWaiting(ctx, knowledgedb.SetWaitingParams{
			WorkspaceID: workspace, ID: document, Generation: int32(generation), ErrorCode: why.Code, ErrorMessage: why.Message, UpdatedAt: now,
		})
	})
}

func (e Embeddings) ChunksOf(ctx context.Context, document uuid.UUID, generation, from, limit int) ([]ports.StoredChunk, error) {
	d := domain.Document{ID: document, Generation: generation}
	return Documents{DB: e.DB}.Chunks(ctx, d, &ports.ChunkPosition{Ordinal: from - 1}, limit)
}

func (e Embeddings) Check(ctx context.Context, model ports.EmbeddingModel, tokens int64) error {
	cost := e.cost(model, tokens)
	if cost == 0 {
		return nil
	}
	return e.Quota.Check(ctx, usage.Cost, cost)
}

func (e Embeddings) Count(ctx context.Context, model ports.EmbeddingModel, u ports.EmbeddingUsage) error {
	cost := e.cost(model, u.Tokens)
	if cost == 0 {
		return nil
	}
	return e.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := e.queries(ctx)
		return q.UseEmbeddingCost(ctx, knowledgedb.UseEmbeddingCostParams{WorkspaceID: workspace, Moment: e.Quota.Now(), Micros: cost, Limits: e.Quota.Limits.JSON()})
	})
}

const million = 1_000_000

// cost returns what so many tokens cost the operator, in millionths of the currency, rounded up.
func (e Embeddings) cost(model ports.EmbeddingModel, tokens int64) int64 {
	if model.Own {
		return 0
	}
	price := e.Prices[model.Name]
	return (tokens*price + million - 1) / million
}

// EmbeddingCache keeps vectors in a table.
type EmbeddingCache struct{ DB *postgres.DB }

// keptEmbeddings is how many vectors of a workspace are kept.
const keptEmbeddings = 20_000

func (c EmbeddingCache) Find(ctx context.Context, hashes []ports.TextHash) (map[ports.TextHash][]float32, error) {
	p := knowledgedb.FindEmbeddingsParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID}
	for _, h := range hashes {
		p.Hashes = append(p.Hashes, h[:])
	}
	rows, err := knowledgedb.New(c.DB.In(ctx)).FindEmbeddings(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("look up embeddings: %w", err)
	}
	found := make(map[ports.TextHash][]float32, len(rows))
	for _, row := range rows {
		found[ports.TextHash(row.Hash)] = row.Embedding
	}
	return found, nil
}

func (c EmbeddingCache) Keep(ctx context.Context, vectors map[ports.TextHash][]float32, now time.Time) error {
	if len(vectors) == 0 {
		return nil
	}
	workspace := callctx.From(ctx).Principal.WorkspaceID
	p := knowledgedb.KeepEmbeddingsParams{WorkspaceID: workspace, CreatedAt: now}
	for _, h := range slices.SortedFunc(maps.Keys(vectors), func(a, b ports.TextHash) int { return slices.Compare(a[:], b[:]) }) {
		p.Hashes, p.Embeddings = append(p.Hashes, h[:]), append(p.Embeddings, arrayText(vectors[h]))
	}
	q := knowledgedb.New(c.DB.In(ctx))
	if err := q.KeepEmbeddings(ctx, p); err != nil {
		return fmt.Errorf("keep embeddings: %w", err)
	}
	return q.ExpireEmbeddings(ctx, knowledgedb.ExpireEmbeddingsParams{WorkspaceID: workspace, Kept: keptEmbeddings})
}

// arrayText returns a vector as Postgres reads an array, exactly.
func arrayText(v []float32) string {
	b := []byte{'{'}
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	return string(append(b, '}'))
}

// Current returns the chunks that may be shown.
func (s Search) Current(ctx context.Context, ids, bases []uuid.UUID, f domain.Filter) (found map[uuid.UUID]domain.Candidate, gone []uuid.UUID, err error) {
	rows, err := knowledgedb.New(s.DB.In(ctx)).CurrentChunks(ctx, knowledgedb.CurrentChunksParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Ids: ids, Bases: bases, Filter: f.JSON(),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the chunks that are near: %w", err)
	}
	found, current := make(map[uuid.UUID]domain.Candidate, len(rows)), make(map[uuid.UUID]bool, len(rows))
	for _, row := range rows {
		if current[row.ID] = true; !row.Matches {
			continue
		}
		found[row.ID] = domain.Candidate{ChunkID: row.ID, DocumentID: row.DocumentID, BaseID: row.BaseID, Ordinal: int(row.Ordinal), Title: row.Title}
	}
	return found, slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return current[id] }), nil
}
