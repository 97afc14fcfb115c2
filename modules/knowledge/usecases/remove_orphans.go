package usecases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
)

// RemoveOrphans removes bytes that belong to no file: of uploads that were cut short between their bytes and their file.
type RemoveOrphans struct {
	Files ports.Files
	Bytes ports.Bytes
	// In gives a context for work in a workspace: of each only its own files are asked for.
	In  func(ctx context.Context, workspace uuid.UUID) context.Context
	Now func() time.Time
}

// orphanAge is far beyond the time from the last byte of an upload to its file, whatever the clocks say.
const orphanAge = time.Hour

// Do goes through all bytes there are.
func (u RemoveOrphans) Do(ctx context.Context) error {
	for after := ""; ; {
		page, next, err := u.Bytes.Stored(ctx, after)
		if err != nil {
			return fmt.Errorf("list stored bytes: %w", err)
		}
		old := map[uuid.UUID][]uuid.UUID{} // by workspace
		for _, b := range page {
			if u.Now().Sub(b.At) > orphanAge {
				old[b.WorkspaceID] = append(old[b.WorkspaceID], b.FileID)
			}
		}
		for workspace, ids := range old {
			if err := u.removeUnknown(ctx, workspace, ids); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

func (u RemoveOrphans) removeUnknown(ctx context.Context, workspace uuid.UUID, ids []uuid.UUID) error {
	known, err := u.Files.Known(u.In(ctx, workspace), ids)
	if err != nil {
		return fmt.Errorf("ask which files are there: %w", err)
	}
	for _, id := range ids {
		if slices.Contains(known, id) {
			continue
		}
		if err := u.Bytes.Remove(ctx, ports.BytesKey{WorkspaceID: workspace, FileID: id}); err != nil {
			return fmt.Errorf("remove bytes without a file: %w", err)
		}
	}
	return nil
}
