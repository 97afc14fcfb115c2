// Package jobs has the job of bots that erases the threads of deleted bots.
package jobs

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/work/jobs"
)

// EraseThreads erases the threads of deleted bots.
type EraseThreads struct{ Bots usecases.EraseBotThreads }

// Deleted is the payload of its jobs.
type Deleted struct {
	BotID uuid.UUID `json:"bot_id"`
}

// Register registers EraseThreads as the handler of jobs of a kind.
func (e EraseThreads) Register(registry *jobs.Registry, kind string) error {
	return jobs.Register(registry, kind, jobs.KindOptions{}, e.Do)
}

// Do makes one attempt, which goes on where the one before has ended.
func (e EraseThreads) Do(ctx context.Context, job jobs.Job[Deleted]) error {
	done, err := e.Bots.Do(ctx, job.Payload.BotID)
	if err != nil {
		return fmt.Errorf("erase the threads of the bot %s: %w", job.Payload.BotID, err)
	}
	if !done {
		return jobs.NotYet("the bot has more threads", 0)
	}
	return nil
}
