package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// DeleteFile removes a file with the documents that were made of it, and later its bytes.
type DeleteFile struct {
	Files    ports.Files
	Schedule ports.Schedule
	Now      func() time.Time
}

// Do returns the deleted file.
func (u DeleteFile) Do(ctx context.Context, id uuid.UUID) (domain.File, error) {
	if err := u.Schedule.DeleteOfFile(ctx, id, u.Now()); err != nil {
		return domain.File{}, err
	}
	return u.Files.Delete(ctx, id)
}
