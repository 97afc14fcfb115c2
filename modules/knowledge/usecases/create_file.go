// Package usecases has what can be done with files, a use case a file.
package usecases

import (
	"context"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// CreateFile makes a file of bytes that ReceiveFile has stored.
type CreateFile struct{ Files ports.Files }

// Do makes the file.
func (u CreateFile) Do(ctx context.Context, f domain.File) (domain.File, error) {
	return f, u.Files.Create(ctx, f)
}
