package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/work/jobs"
)

// EraseFile removes what turns have kept of deleted files.
type EraseFile struct{ File usecases.EraseFile }

// Erased is the payload of its jobs.
type Erased struct {
	FileID    uuid.UUID `json:"file_id"`
	DeletedAt time.Time `json:"deleted_at"`
}

// Register registers EraseFile as the handler of jobs of a kind.
func (e EraseFile) Register(registry *jobs.Registry, kind string) error {
	return jobs.Register(registry, kind, jobs.KindOptions{}, e.Do)
}

// Do makes one attempt, which goes on where the one before has ended.
func (e EraseFile) Do(ctx context.Context, job jobs.Job[Erased]) error {
	done, wait, err := e.File.Do(ctx, job.Payload.FileID, job.Payload.DeletedAt)
	if err != nil {
		return fmt.Errorf("erase the file %s: %w", job.Payload.FileID, err)
	}
	if !done {
		return jobs.NotYet("there is more to do, or a turn runs that may quote the file", wait)
	}
	return nil
}
