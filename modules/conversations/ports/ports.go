// Package ports says what the use cases of conversations need from outside.
package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures that adapters and use cases answer.
var (
	ErrThreadNotFound  = fail.New(fail.NotFound, "THREAD_NOT_FOUND", "there is no such thread in this workspace")
	ErrMessageNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such message in this workspace")
	ErrNoAnswer        = fail.Fields(fail.Field{Field: "message_id", Code: "NOT_ALLOWED", Message: "must be of an assistant's message"})
	ErrBotNotFound     = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
	ErrThreadBusy      = fail.New(fail.Conflict, "THREAD_BUSY", "another turn is running in this thread: wait for it, then send yours").After(time.Second)
	ErrThreadArchived  = fail.New(fail.Conflict, "CONFLICT", "the thread is archived: make it active first")
	ErrBotArchived     = fail.New(fail.Conflict, "CONFLICT", "the thread's bot is archived: make it active first")
	ErrTurnMovedOn     = fail.New(fail.Conflict, "CONFLICT", "this turn failed and the thread has moved on: send the message as a new operation")
	ErrTooManyTurns    = fail.New(fail.TooMany, "TOO_MANY_TURNS", "as many turns as may run at once are running: send the same call again shortly").After(time.Second)
	ErrModel           = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the model did not answer: send the same call again").After(time.Second)
)

// Threads keeps the threads of the caller's workspace.
type Threads interface {
	Create(ctx context.Context, t domain.Thread) error
	Get(ctx context.Context, id uuid.UUID) (domain.Thread, error)
	// Change changes what is not nil; ErrThreadNotFound where there is no such thread.
	Change(ctx context.Context, id uuid.UUID, c ThreadChanges) (domain.Thread, error)
	// List leafs through threads, newest first.
	List(ctx context.Context, f ThreadFilter, after *ThreadPosition, limit int) ([]domain.Thread, error)
	// Messages leafs through a thread; ErrThreadNotFound where there is none.
	Messages(ctx context.Context, thread uuid.UUID, from Reading, limit int) ([]domain.Message, error)
}

// ThreadChanges is what is to be changed in a thread; what is nil stays.
type ThreadChanges struct {
	Title    *string
	Metadata json.RawMessage
	Status   *domain.ThreadStatus
}

// ThreadFilter narrows the list of threads; what is nil does not.
type ThreadFilter struct {
	BotID  *uuid.UUID           `json:"b,omitempty"`
	Status *domain.ThreadStatus `json:"s,omitempty"`
}

// Reading says from where a thread is read, and in which direction.
type Reading struct {
	After     *MessagePosition // nil: from the end that comes first
	Backwards bool             // newest first
}

// Opinions keeps what users think of answers.
type Opinions interface {
	// Rate stores an opinion in place of the user's earlier one and gives the message with it. ErrMessageNotFound where
	// there is no such message, ErrNoAnswer where it is nobody's answer.
	Rate(ctx context.Context, o domain.Opinion) (domain.Message, error)
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
	// Fail stores that the attempt failed, why, what it has used, and what callers receive of it; the user message stays.
	Fail(ctx context.Context, t domain.Turn, reply domain.Reply, why string, told domain.Failure, at time.Time) error
	// Cut gives the lease of an attempt back that was cut short and counts what it has used, so that the next attempt may begin
	// at once, in any process. Nothing changes where another attempt has begun or the turn has ended.
	Cut(ctx context.Context, t domain.Turn, reply domain.Reply, at time.Time) error
}

// Leases is about turns that hold their thread, and about those that do so no longer.
type Leases interface {
	// Busy names the turn that runs in a thread; the zero id where none does any more.
	Busy(ctx context.Context, thread uuid.UUID) (uuid.UUID, error)
	// Free gives up a thread's turn if its lease has run out so long ago; it says whether it did.
	Free(ctx context.Context, thread uuid.UUID, ago time.Duration, why string) (bool, error)
	// Abandoned finds turns, in all workspaces, whose lease has run out: first the oldest of each workspace.
	Abandoned(ctx context.Context, limit int) ([]Abandoned, error)
}

// Abandoned is a turn whose lease has run out.
type Abandoned struct {
	WorkspaceID, ThreadID, ActorID, OperationID uuid.UUID
	Attempt                                     int
}

// Events tells the outside, in the transaction of the context, what has become of turns.
type Events interface {
	TurnCompleted(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error
	// TurnFailed tells that an attempt has failed; the reply names whom it was asked of, where that is known.
	TurnFailed(ctx context.Context, t domain.Turn, reply domain.Reply, why *fail.Error) error
}

// Bots is what threads need to know of bots.
type Bots interface {
	// Exists tells whether there is such a bot that threads may be opened with; of an archived one the error says so.
	Exists(ctx context.Context, bot uuid.UUID) (bool, error)
}
