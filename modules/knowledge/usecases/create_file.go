// Package usecases has the use cases of files, one file each.
package usecases

import (
	"context"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// CreateFile creates a file of bytes that ReceiveFile has stored.
type CreateFile struct{ Files ports.Files }

// Do creates the file.
func (u CreateFile) Do(ctx context.Context, f domain.File) (domain.File, error) {
	return f, u.Files.Create(ctx, f)
}
