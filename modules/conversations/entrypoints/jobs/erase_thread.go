package jobs

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/work/jobs"
)

// EraseThread removes what is left of deleted threads.
type EraseThread struct{ Thread usecases.EraseThread }

// Deleted is the payload of its jobs.
type Deleted struct {
	ThreadID uuid.UUID `json:"thread_id"`
}

// Register registers EraseThread as the handler of jobs of a kind.
func (e EraseThread) Register(registry *jobs.Registry, kind string) error {
	return jobs.Register(registry, kind, jobs.KindOptions{}, e.Do)
}

// eraseSteps is how many steps an attempt makes: then other jobs have their turn.
const eraseSteps = 20

// Do makes one attempt, which goes on where the one before has ended.
func (e EraseThread) Do(ctx context.Context, job jobs.Job[Deleted]) error {
	for range eraseSteps {
		done, err := e.Thread.Do(ctx, job.Payload.ThreadID)
		if err != nil {
			return fmt.Errorf("erase the thread %s: %w", job.Payload.ThreadID, err)
		}
		if done {
			return nil
		}
	}
	return jobs.NotYet("the thread has more turns", 0)
}
