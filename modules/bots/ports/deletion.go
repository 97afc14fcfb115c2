package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/request/fail"
)

// ErrBotHasEndpoints is the error where a bot cannot be deleted, as it answers messages of webhook endpoints.
var ErrBotHasEndpoints = fail.New(fail.Conflict, "CONFLICT", "the bot answers messages of webhook endpoints: delete them, or give them another bot, first")

// Deletions deletes bots of the caller's workspace for good.
type Deletions interface {
	// HasEndpoints reports whether there are webhook endpoints whose messages the bot answers.
	HasEndpoints(ctx context.Context, bot uuid.UUID) (bool, error)
	// Delete deletes a locked bot and erases the texts of its versions, in the transaction of the context. With threads its threads are
	// erased by a job; without, they stay readable.
	Delete(ctx context.Context, bot uuid.UUID, threads bool) error
	// ThreadsErased stores that a deleted bot has no threads any more, in a transaction of its own.
	ThreadsErased(ctx context.Context, bot uuid.UUID) error
}

// Threads are the threads of bots.
type Threads interface {
	// StopTurns ends the turns of a bot that run, in the transaction of the context.
	StopTurns(ctx context.Context, bot uuid.UUID) error
	// DeleteSome deletes some threads of a bot, and reports whether there are more.
	DeleteSome(ctx context.Context, bot uuid.UUID) (more bool, err error)
}

// DeletedBot is a bot whose threads are not all erased.
type DeletedBot struct{ WorkspaceID, BotID uuid.UUID }

// UnfinishedDeletions finds deleted bots whose job is missing.
type UnfinishedDeletions interface {
	// Locate returns such bots of all workspaces, and whether there may be more.
	Locate(ctx context.Context) (list []DeletedBot, more bool, err error)
	// Resume queues the job of a bot, in a transaction of its own.
	Resume(ctx context.Context, bot uuid.UUID) error
}
