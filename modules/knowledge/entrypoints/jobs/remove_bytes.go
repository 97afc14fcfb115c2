// Package jobs has the background work of knowledge.
package jobs

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/work/jobs"
)

// RemoveBytes removes the bytes of files that were deleted.
type RemoveBytes struct{ Bytes ports.Bytes }

// Deleted is the payload of its jobs.
type Deleted struct {
	FileID uuid.UUID `json:"file_id"`
}

// Register registers RemoveBytes as the handler of jobs of a kind.
func (r RemoveBytes) Register(registry *jobs.Registry, kind string) error {
	return jobs.Register(registry, kind, jobs.KindOptions{}, r.Do)
}

// Do makes one attempt.
func (r RemoveBytes) Do(ctx context.Context, job jobs.Job[Deleted]) error {
	if err := r.Bytes.Remove(ctx, ports.BytesKey{WorkspaceID: job.WorkspaceID, FileID: job.Payload.FileID}); err != nil {
		return fmt.Errorf("remove the bytes of a deleted file: %w", err)
	}
	return nil
}
