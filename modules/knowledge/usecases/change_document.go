package usecases

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// ChangeDocument changes the title and the metadata of a document.
type ChangeDocument struct {
	Documents ports.Documents
	Now       func() time.Time
}

// DocumentChanges are the new values; what is nil stays as it is.
type DocumentChanges struct {
	Title    *string
	Metadata json.RawMessage
}

// Do returns the changed document.
func (u ChangeDocument) Do(ctx context.Context, base, id uuid.UUID, c DocumentChanges) (domain.Document, error) {
	d, err := u.Documents.Lock(ctx, base, id)
	if err != nil {
		return domain.Document{}, err
	}
	var wrong []domain.WrongField
	if c.Title != nil {
		if d.Title, err = domain.NewTitle(*c.Title); err != nil {
			wrong = append(wrong, domain.WrongField{Field: "title", Err: err})
		}
	}
	if c.Metadata != nil {
		if d.Metadata, err = domain.NewMetadata(c.Metadata); err != nil {
			wrong = append(wrong, domain.WrongField{Field: "metadata", Err: err})
		}
	}
	if len(wrong) > 0 {
		return domain.Document{}, invalid(wrong...)
	}
	d.UpdatedAt = u.Now()
	return d, u.Documents.Save(ctx, d)
}
