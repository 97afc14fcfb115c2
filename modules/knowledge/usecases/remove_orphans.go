package usecases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
)

// RemoveOrphans removes bytes that belong to no file. They are of uploads that were interrupted after the bytes were
// stored.
type RemoveOrphans struct {
	Files ports.Files
	Bytes ports.Bytes
	// In returns a context for work in a workspace, in which only the files of that workspace are read.
	In  func(ctx context.Context, workspace uuid.UUID) context.Context
	Now func() time.Time
}

// orphanAge is much longer than the time from the last byte of an upload to its file, even if clocks differ.
const orphanAge = time.Hour

// Do checks all stored bytes.
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
