// Package ports says what the use cases of conversations need from outside.
package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures that adapters and use cases answer.
var (
	ErrThreadNotFound = fail.New(fail.NotFound, "THREAD_NOT_FOUND", "there is no such thread in this workspace")
	ErrBotNotFound    = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
	ErrThreadBusy     = fail.New(fail.Conflict, "THREAD_BUSY", "another turn is running in this thread: wait for it, then send yours").After(time.Second)
	ErrTurnMovedOn    = fail.New(fail.Conflict, "CONFLICT", "this turn failed and the thread has moved on: send the message as a new operation")
	ErrModel          = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the model did not answer: send the same call again").After(time.Second)
)

// Threads keeps the threads of the caller's workspace.
type Threads interface {
	Create(ctx context.Context, t domain.Thread) error
	Get(ctx context.Context, id uuid.UUID) (domain.Thread, error)
	// List leafs through threads, newest first.
	List(ctx context.Context, after *ThreadPosition, limit int) ([]domain.Thread, error)
	// Messages leafs through a thread, oldest first; ErrThreadNotFound where there is none.
	Messages(ctx context.Context, thread uuid.UUID, after *MessagePosition, limit int) ([]domain.Message, error)
}

// ThreadPosition is a place in the list of threads.
type ThreadPosition struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// MessagePosition is a place in a thread.
type MessagePosition struct {
	Seq int64 `json:"s"`
}

// Turns keeps turns.
type Turns interface {
	// Start stores a turn with its user message, numbers it and pins the bot's version: one statement, which may be the
	// last of a transaction. ErrThreadNotFound or ErrThreadBusy undo it whole.
	Start(ctx context.Context, t *domain.Turn) error
	// Resume takes the next attempt of an operation's turn: one that failed, or whose lease has run out. One that another
	// operation has completed is given with its answer (Done).
	Resume(ctx context.Context, actor, operation uuid.UUID, lease time.Time) (*domain.Turn, error)
	// Complete stores the answer, if this attempt still holds the turn.
	Complete(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error
	// Fail stores that the attempt failed, why, and what callers are told of it; the user message stays.
	Fail(ctx context.Context, t domain.Turn, why string, told domain.Failure, at time.Time) error
}

// Leases is about turns that hold their thread, and about those that do so no longer.
type Leases interface {
	// Busy names the turn that runs in a thread; the zero id where none does any more.
	Busy(ctx context.Context, thread uuid.UUID) (uuid.UUID, error)
	// Free gives up a thread's turn if its lease has run out; it says whether it did.
	Free(ctx context.Context, thread uuid.UUID, why string) (bool, error)
	// Abandoned finds turns, in all workspaces, whose lease has run out.
	Abandoned(ctx context.Context, most int) ([]Abandoned, error)
}

// Abandoned is a turn whose lease has run out.
type Abandoned struct {
	WorkspaceID, ThreadID, ActorID, OperationID uuid.UUID
	Attempt                                     int
}

// Events tells the outside, in the transaction of the context, what has become of turns.
type Events interface {
	TurnCompleted(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error
	TurnFailed(ctx context.Context, t domain.Turn, why *fail.Error) error
}

// Bots is what threads need to know of bots.
type Bots interface {
	Exists(ctx context.Context, bot uuid.UUID) (bool, error)
}

// Model answers. It is given all that it may know; it keeps nothing.
type Model interface {
	// Name says who answers, for the record: provider and model.
	Name() (provider, model string)
	// Reply answers a prompt. It tells each piece of the answer's text as it comes, by say, one after the other and never
	// after it has returned; together they are the reply's Content. What was said before a failure is lost to Reply's
	// caller, who may have kept it.
	Reply(ctx context.Context, p Prompt, say func(text string)) (domain.Reply, error)
}

// Prompt is what a model is asked.
type Prompt struct {
	Pinned  *domain.Pinned // nil: no bot
	Content string
}
