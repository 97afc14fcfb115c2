package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// EmbeddingKeys stores workspaces' own servers of embedding models. The box seals each key for its workspace.
type EmbeddingKeys struct {
	DB  *postgres.DB
	Box *secret.Box
}

var _ ports.EmbeddingKeys = EmbeddingKeys{}

func (e EmbeddingKeys) queries(ctx context.Context) (*knowledgedb.Queries, uuid.UUID) {
	return knowledgedb.New(e.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (e EmbeddingKeys) row(ctx context.Context) (knowledgedb.EmbeddingKey, error) {
	q, workspace := e.queries(ctx)
	row, err := q.GetEmbeddingKey(ctx, workspace)
	switch {
	case postgres.IsMissing(err):
		return row, ports.ErrEmbeddingKeyNotFound
	case err != nil:
		return row, fmt.Errorf("read the workspace's embedding model: %w", err)
	}
	return row, nil
}

func (e EmbeddingKeys) Get(ctx context.Context) (domain.EmbeddingKey, error) {
	row, err := e.row(ctx)
	return toEmbeddingKey(row, ""), err
}

func (e EmbeddingKeys) Open(ctx context.Context) (domain.EmbeddingKey, error) {
	row, err := e.row(ctx)
	if err != nil {
		return domain.EmbeddingKey{}, err
	}
	key, err := e.Box.Open(row.Sealed, embeddingSealedFor(row.WorkspaceID))
	if err != nil {
		return domain.EmbeddingKey{}, fmt.Errorf("open the workspace's key for embeddings (ENCRYPTION_KEY, or else SECRET_KEY, opens it): %w", err)
	}
	return toEmbeddingKey(row, string(key)), nil
}

func (e EmbeddingKeys) Lock(ctx context.Context) error {
	q, workspace := e.queries(ctx)
	return q.LockEmbeddingKeys(ctx, workspace)
}

func (e EmbeddingKeys) Put(ctx context.Context, k domain.EmbeddingKey) error {
	q, workspace := e.queries(ctx)
	p := knowledgedb.PutEmbeddingKeyParams{
		WorkspaceID: workspace, Sealed: e.Box.Seal([]byte(k.Secret()), embeddingSealedFor(workspace)), LastFour: k.LastFour(), Model: k.Model,
		BaseURL: k.BaseURL, CreatedBy: callctx.From(ctx).Principal.UserID, CreatedAt: k.CreatedAt,
	}
	if k.Dimensions > 0 {
		p.Dimensions = new(int32(k.Dimensions))
	}
	if err := q.PutEmbeddingKey(ctx, p); err != nil {
		return fmt.Errorf("store the workspace's embedding model: %w", err)
	}
	return nil
}

func (e EmbeddingKeys) Delete(ctx context.Context) error {
	q, workspace := e.queries(ctx)
	return q.DeleteEmbeddingKey(ctx, workspace)
}

// Reseal is a secret.Resealer of workspaces' own keys for embeddings.
func (e EmbeddingKeys) Reseal(ctx context.Context, _ string, _ int) (done secret.Batch, err error) {
	err = e.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := e.queries(ctx)
		rows, err := q.EmbeddingKeysToReseal(ctx, knowledgedb.EmbeddingKeysToResealParams{WorkspaceID: workspace, Mark: e.Box.Mark().Bytes})
		if err != nil {
			return err
		}
		for _, sealed := range rows {
			again, err := e.Box.Reseal(sealed, embeddingSealedFor(workspace))
			if !done.Count(again, err) {
				continue
			}
			if err := q.ResealEmbeddingKey(ctx, knowledgedb.ResealEmbeddingKeyParams{WorkspaceID: workspace, Sealed: again}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return done, fmt.Errorf("seal the keys for embeddings anew: %w", err)
	}
	return done, nil
}

// embeddingSealedFor returns the additional data of a sealed key: a key that is moved to another row cannot be opened there.
func embeddingSealedFor(workspace uuid.UUID) []byte { return append(workspace[:], "embedding"...) }

func toEmbeddingKey(row knowledgedb.EmbeddingKey, key string) domain.EmbeddingKey {
	k := domain.EmbeddingKey{Model: row.Model, BaseURL: row.BaseURL, CreatedAt: row.CreatedAt}
	if row.Dimensions != nil {
		k.Dimensions = int(*row.Dimensions)
	}
	return domain.RestoreEmbeddingKey(k, key, row.LastFour)
}

// LockOfModels returns bases without their counts.
func (k KnowledgeBases) LockOfModels(ctx context.Context, models []string) ([]domain.KnowledgeBase, error) {
	q, workspace := k.queries(ctx)
	rows, err := q.ListBasesOfModels(ctx, knowledgedb.ListBasesOfModelsParams{WorkspaceID: workspace, Models: models})
	if err != nil {
		return nil, fmt.Errorf("list the knowledge bases of the models: %w", err)
	}
	list := make([]domain.KnowledgeBase, len(rows))
	for i, row := range rows {
		list[i] = toBase(row)
	}
	return list, nil
}
