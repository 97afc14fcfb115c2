package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// ReindexDocument has the text of a document extracted and divided anew. It is found as it was until that is done.
type ReindexDocument struct {
	Bases     ports.KnowledgeBases
	Documents ports.Documents
	Schedule  ports.Schedule
	Now       func() time.Time
}

// Do returns the queued document.
func (u ReindexDocument) Do(ctx context.Context, base, id uuid.UUID) (domain.Document, error) {
	b, err := u.Bases.Get(ctx, base)
	if err != nil {
		return domain.Document{}, err
	}
	if _, err := u.Documents.Lock(ctx, base, id); err != nil {
		return domain.Document{}, err
	}
	return u.Schedule.Build(ctx, id, domain.BuildOptions{Chunks: b.Chunks}, u.Now())
}
