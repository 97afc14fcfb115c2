package usecases

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// RemoveOldVectors removes vectors that nothing is found by any more and no job removes: those of deleted documents and of
// former generations that were stored by a worker which was late, or while the vector store was away.
type RemoveOldVectors struct {
	Records ports.VectorRecords
	Builds  ports.Builds
	Embed   EmbedDocument
	// In returns a context for work in a workspace.
	In func(ctx context.Context, workspace uuid.UUID) context.Context
}

// Do checks all workspaces once.
func (u RemoveOldVectors) Do(ctx context.Context) error {
	list, err := u.Records.LocateOld(ctx)
	if err != nil {
		return fmt.Errorf("look for old vectors: %w", err)
	}
	for _, x := range list {
		if err := u.remove(u.In(ctx, x.WorkspaceID), x.DocumentID); err != nil {
			return fmt.Errorf("remove the vectors of the document %s: %w", x.DocumentID, err)
		}
	}
	return nil
}

func (u RemoveOldVectors) remove(ctx context.Context, document uuid.UUID) error {
	b, err := u.Builds.Get(ctx, document)
	switch {
	case errors.Is(err, ports.ErrDocumentNotFound), err == nil && b.Status == domain.Deleting:
		return u.Embed.Remove(ctx, document, math.MaxInt32, 0)
	case err != nil:
		return err
	}
	return u.Embed.Remove(ctx, document, max(b.Generation, b.Building), b.Generation)
}
