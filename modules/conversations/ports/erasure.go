package ports

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Erasures removes threads and messages of the caller's workspace, and everything that was kept of them, for good. All methods but
// EraseSome are part of the transaction of the context.
type Erasures interface {
	// Lock keeps turns from beginning in a thread until the end of the transaction. It returns the turn that runs there, which is locked too
	// and whose process is asked to stop it at the commit; the zero id where none runs. ErrThreadNotFound where there is no such thread.
	Lock(ctx context.Context, thread uuid.UUID) (running uuid.UUID, err error)
	// ThreadOf returns the thread of a message; ErrMessageNotFound where there is no such message.
	ThreadOf(ctx context.Context, message uuid.UUID) (uuid.UUID, error)
	// DeleteMessage erases a message of a locked thread in which no turn runs. With a user's message its answer is erased.
	DeleteMessage(ctx context.Context, message uuid.UUID) error
	// DeleteThread hides a locked thread in which no turn runs, and erases it: a short one at once, of a long one the rest by a job.
	DeleteThread(ctx context.Context, thread uuid.UUID) error
	// EraseSome erases some turns of a deleted thread, in a transaction of its own, and reports whether there are more.
	EraseSome(ctx context.Context, thread uuid.UUID) (more bool, err error)
}

// RunningTurn is a turn that runs, and its thread.
type RunningTurn struct{ TurnID, ThreadID uuid.UUID }

// BotThreads finds what a bot has to do with threads of the caller's workspace.
type BotThreads interface {
	// LockTurns returns the turns of the bot that run. They are locked until the end of the transaction of the context, and their
	// processes are asked to stop them at the commit.
	LockTurns(ctx context.Context, bot uuid.UUID) ([]RunningTurn, error)
	// Next returns some threads of the bot, limit at most.
	Next(ctx context.Context, bot uuid.UUID, limit int) ([]uuid.UUID, error)
	// InTransaction calls a step in a transaction of its own.
	InTransaction(ctx context.Context, step func(ctx context.Context) error) error
}

// OwnedThreads are the threads of an end user of the caller's workspace.
type OwnedThreads interface {
	// Lock returns the threads of an end user and the turns that run in them. Both are locked until the end of the transaction of the context,
	// and the processes of the turns are asked to stop them at the commit.
	Lock(ctx context.Context, owner uuid.UUID) (threads []uuid.UUID, running []RunningTurn, err error)
	// Delete makes locked threads unavailable, and erases them: of many the most by jobs that begin after the commit.
	Delete(ctx context.Context, threads []uuid.UUID) error
}

// OldThreads finds threads of the caller's workspace in which nothing was said for long.
type OldThreads interface {
	// Next looks at some threads that were made before a time, the oldest first and after another one, and returns those in which nothing was
	// said since. Last is the last one that it looked at; the zero value where there are no more.
	Next(ctx context.Context, before time.Time, after ThreadPosition) (old []uuid.UUID, last ThreadPosition, err error)
	// IsOld keeps turns from beginning in a thread until the end of the transaction of the context, and reports whether none runs there and
	// nothing was said since a time. ErrThreadNotFound where there is no such thread.
	IsOld(ctx context.Context, thread uuid.UUID, before time.Time) (bool, error)
	// InTransaction calls a step in a transaction of its own.
	InTransaction(ctx context.Context, step func(ctx context.Context) error) error
}

// DeletedThread is a thread whose erasure is not finished.
type DeletedThread struct{ WorkspaceID, ThreadID uuid.UUID }

// UnfinishedErasures finds deleted threads whose job is missing.
type UnfinishedErasures interface {
	// Locate returns such threads of all workspaces, and whether there may be more.
	Locate(ctx context.Context) (list []DeletedThread, more bool, err error)
	// Resume queues the job of a thread, in a transaction of its own.
	Resume(ctx context.Context, thread uuid.UUID) error
}
