package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// DeleteDocument deletes a document. It is not found from the commit on, and its text is gone; a job removes the chunks.
type DeleteDocument struct {
	Documents ports.Documents
	Schedule  ports.Schedule
	Now       func() time.Time
}

// Do returns the deleted document.
func (u DeleteDocument) Do(ctx context.Context, base, id uuid.UUID) (domain.Document, error) {
	d, err := u.Documents.Lock(ctx, base, id)
	if err != nil {
		return domain.Document{}, err
	}
	return d, u.Schedule.Delete(ctx, d, u.Now())
}
