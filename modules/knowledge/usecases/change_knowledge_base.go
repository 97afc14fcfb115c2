package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// ChangeKnowledgeBase changes the fields of a base that may change.
type ChangeKnowledgeBase struct {
	Bases    ports.KnowledgeBases
	Schedule ports.Schedule
	Models   ports.EmbeddingModels
	Now      func() time.Time
}

// Do has all documents indexed anew where the size or the overlap of chunks changes, or the embedding model.
func (u ChangeKnowledgeBase) Do(ctx context.Context, id uuid.UUID, a domain.BaseAttributes) (domain.KnowledgeBase, error) {
	base, err := u.Bases.Lock(ctx, id)
	if err != nil {
		return domain.KnowledgeBase{}, err
	}
	rebuild, wrong := base.Change(a, u.Now())
	unserved, err := checkModel(ctx, u.Models, a.EmbeddingModel)
	if err != nil {
		return domain.KnowledgeBase{}, err
	}
	wrong = append(wrong, unserved...)
	if len(wrong) > 0 {
		return domain.KnowledgeBase{}, invalid(wrong...)
	}
	if err := u.Bases.Save(ctx, base); err != nil {
		return domain.KnowledgeBase{}, err
	}
	if rebuild {
		if err := u.Schedule.BuildAll(ctx, id, domain.BuildOptions{Chunks: base.Chunks, Reuse: true}, base.UpdatedAt); err != nil {
			return domain.KnowledgeBase{}, err
		}
	}
	return u.Bases.Get(ctx, id)
}
