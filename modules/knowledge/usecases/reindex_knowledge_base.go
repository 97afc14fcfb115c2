package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// ReindexKnowledgeBase has the text of all documents of a base extracted and divided anew. They are found as they were
// until that is done.
type ReindexKnowledgeBase struct {
	Bases    ports.KnowledgeBases
	Schedule ports.Schedule
	Now      func() time.Time
}

// Do returns the base with its documents queued.
func (u ReindexKnowledgeBase) Do(ctx context.Context, id uuid.UUID) (domain.KnowledgeBase, error) {
	base, err := u.Bases.Lock(ctx, id)
	if err != nil {
		return domain.KnowledgeBase{}, err
	}
	if err := u.Schedule.BuildAll(ctx, id, domain.BuildOptions{Chunks: base.Chunks}, u.Now()); err != nil {
		return domain.KnowledgeBase{}, err
	}
	return u.Bases.Get(ctx, id)
}
