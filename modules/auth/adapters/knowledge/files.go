// Package knowledge calls the knowledge module for auth.
package knowledge

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/knowledge"
)

var _ ports.EndUserFiles = Files{}

// Files are the files of end users.
type Files struct{ Face knowledge.OwnedFiles }

// Delete deletes the files of an end user.
func (f Files) Delete(ctx context.Context, endUser uuid.UUID) error {
	return f.Face.Delete(ctx, endUser)
}
