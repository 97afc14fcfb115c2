package usecases

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// DeleteBot deletes a bot with all its versions. Turns of it that run are stopped.
type DeleteBot struct {
	Bots      ports.Bots
	Deletions ports.Deletions
	Threads   ports.Threads
}

// Do deletes a bot in the transaction of the context, and returns it as it was. With threads its threads are erased too; without, they stay
// readable and take no turns. Errors are ports.ErrBotNotFound, and ports.ErrBotHasEndpoints while it answers messages of webhook endpoints.
func (u DeleteBot) Do(ctx context.Context, id uuid.UUID, threads bool) (domain.Bot, error) {
	bot, err := u.Bots.Lock(ctx, id)
	if err != nil {
		return bot, err
	}
	used, err := u.Deletions.HasEndpoints(ctx, id)
	if err != nil {
		return bot, err
	}
	if used {
		return bot, ports.ErrBotHasEndpoints
	}
	if err := u.Threads.StopTurns(ctx, id); err != nil {
		return bot, err
	}
	return bot, u.Deletions.Delete(ctx, id, threads)
}

// EraseBotThreads erases the threads of deleted bots.
type EraseBotThreads struct {
	Threads   ports.Threads
	Deletions ports.Deletions
	// Reach is called at the named points between steps, for tests of crashes.
	Reach func(point string)
}

// Do erases some threads. Done is false where it is to be called again; it goes on where the call before has ended.
func (u EraseBotThreads) Do(ctx context.Context, bot uuid.UUID) (done bool, err error) {
	more, err := u.Threads.DeleteSome(ctx, bot)
	if err != nil {
		return false, err
	}
	u.Reach("threads-erased")
	if more {
		return false, nil
	}
	return true, u.Deletions.ThreadsErased(ctx, bot)
}

// FindUnfinishedDeletions queues the jobs of deleted bots that wait for one which is not there.
type FindUnfinishedDeletions struct {
	Unfinished ports.UnfinishedDeletions
	// In returns a context for work in a workspace.
	In func(ctx context.Context, workspace uuid.UUID) context.Context
}

// Do checks all workspaces.
func (u FindUnfinishedDeletions) Do(ctx context.Context) error {
	for {
		list, more, err := u.Unfinished.Locate(ctx)
		if err != nil {
			return fmt.Errorf("look for deleted bots: %w", err)
		}
		for _, x := range list {
			if err := u.Unfinished.Resume(u.In(ctx, x.WorkspaceID), x.BotID); err != nil {
				return fmt.Errorf("queue the erasure of a bot's threads: %w", err)
			}
		}
		if !more {
			return nil
		}
	}
}
