package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// DeleteFile removes a file, and later its bytes.
type DeleteFile struct{ Files ports.Files }

// Do returns the deleted file.
func (u DeleteFile) Do(ctx context.Context, id uuid.UUID) (domain.File, error) {
	return u.Files.Delete(ctx, id)
}
