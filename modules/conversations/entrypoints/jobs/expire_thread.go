package jobs

import (
	"context"
	"fmt"

	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/work/jobs"
)

// ExpireThread deletes threads that were opened for a time.
type ExpireThread struct{ Thread usecases.ExpireThread }

// Register registers ExpireThread as the handler of jobs of a kind.
func (e ExpireThread) Register(registry *jobs.Registry, kind string) error {
	return jobs.Register(registry, kind, jobs.KindOptions{}, e.Do)
}

// Do deletes one thread.
func (e ExpireThread) Do(ctx context.Context, job jobs.Job[Deleted]) error {
	if err := e.Thread.Do(ctx, job.Payload.ThreadID); err != nil {
		return fmt.Errorf("delete the thread %s: %w", job.Payload.ThreadID, err)
	}
	return nil
}
