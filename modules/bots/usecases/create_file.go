package usecases

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// CreateFile makes a file of bytes that ReceiveFile has stored.
type CreateFile struct{ Files ports.Files }

// Do makes the file.
func (u CreateFile) Do(ctx context.Context, f domain.File) (domain.File, error) {
	return f, u.Files.Create(ctx, f)
}
