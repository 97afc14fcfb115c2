package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// KnowledgeBases stores knowledge bases. Its methods run in the transaction of the context, or in one of their own.
type KnowledgeBases struct {
	DB    *postgres.DB
	Quota *usage.Quota
}

var (
	_ ports.KnowledgeBases = KnowledgeBases{}
	_ ports.BaseUses       = KnowledgeBases{}
)

func (k KnowledgeBases) queries(ctx context.Context) (*knowledgedb.Queries, uuid.UUID) {
	return knowledgedb.New(k.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (k KnowledgeBases) Create(ctx context.Context, b domain.KnowledgeBase) error {
	q, workspace := k.queries(ctx)
	if err := k.Quota.Reserve(ctx, usage.KnowledgeBases); err != nil {
		return err
	}
	err := q.CreateKnowledgeBase(ctx, knowledgedb.CreateKnowledgeBaseParams{
		WorkspaceID: workspace, ID: b.ID, Name: b.Name, Description: b.Description, Language: b.Language, EmbeddingModel: b.EmbeddingModel,
		ChunkSize: int32(b.Chunks.Size), ChunkOverlap: int32(b.Chunks.Overlap), CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt, UpdatedAt: b.UpdatedAt,
	})
	if err != nil {
		return fmt.Errorf("create the knowledge base: %w", err)
	}
	return nil
}

func (k KnowledgeBases) Get(ctx context.Context, id uuid.UUID) (domain.KnowledgeBase, error) {
	q, workspace := k.queries(ctx)
	row, err := q.GetKnowledgeBase(ctx, knowledgedb.GetKnowledgeBaseParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return domain.KnowledgeBase{}, baseError(err)
	}
	return toCounted(row.KnowledgeBase, row.Counts, row.Chunks)
}

func (k KnowledgeBases) List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.KnowledgeBase, error) {
	q, workspace := k.queries(ctx)
	rows, err := q.ListKnowledgeBases(ctx, knowledgedb.ListKnowledgeBasesParams{WorkspaceID: workspace, Before: before, Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the knowledge bases: %w", err)
	}
	list := make([]domain.KnowledgeBase, len(rows))
	for i, row := range rows {
		if list[i], err = toCounted(row.KnowledgeBase, row.Counts, row.Chunks); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (k KnowledgeBases) Lock(ctx context.Context, id uuid.UUID) (domain.KnowledgeBase, error) {
	q, workspace := k.queries(ctx)
	row, err := q.LockKnowledgeBase(ctx, knowledgedb.LockKnowledgeBaseParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return domain.KnowledgeBase{}, baseError(err)
	}
	return toBase(row), nil
}

func (k KnowledgeBases) Save(ctx context.Context, b domain.KnowledgeBase) error {
	q, workspace := k.queries(ctx)
	err := q.SaveKnowledgeBase(ctx, knowledgedb.SaveKnowledgeBaseParams{
		WorkspaceID: workspace, ID: b.ID, Name: b.Name, Description: b.Description, EmbeddingModel: b.EmbeddingModel, ChunkSize: int32(b.Chunks.Size),
		ChunkOverlap: int32(b.Chunks.Overlap), UpdatedAt: b.UpdatedAt,
	})
	if err != nil {
		return fmt.Errorf("save the knowledge base: %w", err)
	}
	return nil
}

func (k KnowledgeBases) Bots(ctx context.Context, base uuid.UUID, limit int) (first []domain.UsingBot, total int64, err error) {
	q, workspace := k.queries(ctx)
	rows, err := q.ListBotsOfKnowledgeBase(ctx, knowledgedb.ListBotsOfKnowledgeBaseParams{WorkspaceID: workspace, BaseID: base, Count: int32(limit)})
	if err != nil {
		return nil, 0, fmt.Errorf("list the bots that use the knowledge base: %w", err)
	}
	for _, row := range rows {
		first, total = append(first, domain.UsingBot{ID: row.BotID, Name: row.Name}), row.Total
	}
	return first, total, nil
}

func baseError(err error) error {
	if postgres.IsMissing(err) {
		return ports.ErrBaseNotFound
	}
	return fmt.Errorf("read the knowledge base: %w", err)
}

func toCounted(row knowledgedb.KnowledgeBase, counts json.RawMessage, chunks int64) (domain.KnowledgeBase, error) {
	b := toBase(row)
	b.ChunkCount = chunks
	if err := json.Unmarshal(counts, &b.Counts); err != nil {
		return b, fmt.Errorf("read the counts of the knowledge base: %w", err)
	}
	return b, nil
}

// toBase returns a base without its counts.
func toBase(row knowledgedb.KnowledgeBase) domain.KnowledgeBase {
	return domain.KnowledgeBase{
		ID: row.ID, WorkspaceID: row.WorkspaceID, Name: row.Name, Description: row.Description, Language: row.Language,
		EmbeddingModel: row.EmbeddingModel, Chunks: domain.ChunkOptions{Size: int(row.ChunkSize), Overlap: int(row.ChunkOverlap)},
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
}
