// Package ports has the interfaces that the use cases of conversations need, and the errors that callers receive.
package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of threads and turns.
var (
	ErrThreadNotFound  = fail.New(fail.NotFound, "THREAD_NOT_FOUND", "there is no such thread in this workspace")
	ErrMessageNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such message in this workspace")
	ErrNoAnswer        = fail.Fields(fail.Field{Field: "message_id", Code: "NOT_ALLOWED", Message: "must be of an assistant's message"})
	ErrBotNotFound     = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
	ErrVersionNotFound = fail.New(fail.NotFound, "NOT_FOUND", "the bot has no such version")
	ErrNoTrial         = fail.Fields(fail.Field{Field: "thread_id", Code: "NOT_ALLOWED", Message: "must be the thread of an earlier try of this bot"})
	ErrThreadBusy      = fail.New(fail.Conflict, "THREAD_BUSY", "another turn is running in this thread: wait for it, then send yours").After(time.Second)
	ErrThreadArchived  = fail.New(fail.Conflict, "CONFLICT", "the thread is archived: make it active first")
	ErrBotArchived     = fail.New(fail.Conflict, "CONFLICT", "the thread's bot is archived: make it active first")
	ErrTurnMovedOn     = fail.New(fail.Conflict, "CONFLICT", "this turn failed and the thread has moved on: send the message as a new operation")
	ErrNoParent        = fail.Fields(fail.Field{Field: "parent_turn_id", Code: "NOT_FOUND", Message: "must be a turn of this thread, or null"})
	ErrNotOfThread     = fail.Fields(fail.Field{Field: "current_turn_id", Code: "NOT_FOUND", Message: "must be a turn of this thread"})
	ErrNoBranch        = fail.Fields(fail.Field{Field: "branch", Code: "NOT_FOUND", Message: "must be the id of a turn of this thread, or all"})
	ErrBranches        = fail.New(fail.Conflict, "CONFLICT", "this branch has been changed or switched to too often: go on with another one, or begin a new thread")
	ErrTooManyTurns    = fail.New(fail.TooMany, "TOO_MANY_TURNS", "as many turns as may run at once are running: send the same call again shortly").After(time.Second)
	ErrModel           = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the model did not answer: send the same call again").After(time.Second)
)

// UnknownVariable returns the error for a value of a turn that its bot has no variable for.
func UnknownVariable(name string) error {
	return fail.Fields(fail.Field{Field: "variables." + name, Code: "UNKNOWN", Message: "is no variable that settings.variables of the bot declare"})
}

// Threads stores the threads of the caller's workspace.
type Threads interface {
	// Create stores a thread; ErrBotNotFound or ErrBotArchived where its bot is not in the workspace or is archived. A thread with
	// a bot that exists already stays as it is.
	Create(ctx context.Context, t domain.Thread) error
	Get(ctx context.Context, id uuid.UUID) (domain.Thread, error)
	// Change changes the fields that are not nil; ErrThreadNotFound where there is no such thread. The current branch is changed while no turn
	// runs, else the error is ErrThreadBusy; other errors are ErrNotOfThread and ErrBranches.
	Change(ctx context.Context, id uuid.UUID, c ThreadChanges) (domain.Thread, error)
	// List lists threads, newest first.
	List(ctx context.Context, f ThreadFilter, after *ThreadPosition, limit int) ([]domain.Thread, error)
	// OpenChannel returns the thread of a conversation in an outside system, ready for its next message, in a transaction of
	// its own. The first call opens the thread, with the bot of the endpoint. An archived thread is made active again or
	// replaced by a new one, as the endpoint's rule says.
	OpenChannel(ctx context.Context, c domain.Channel, now time.Time) (uuid.UUID, error)
}

// Expiries deletes threads at a time.
type Expiries interface {
	// Schedule schedules the deletion of a thread, in the transaction of the context.
	Schedule(ctx context.Context, thread uuid.UUID, at time.Time) error
}

// Messages reads the messages of threads, and stores the feedback of users on them.
type Messages interface {
	// Messages lists the messages of a branch of a thread; ErrThreadNotFound where there is no such thread, ErrNoBranch where it has no such turn.
	Messages(ctx context.Context, thread uuid.UUID, from Reading, limit int) ([]domain.Message, error)
	// Rate stores an opinion, replaces the user's earlier one, and returns the message with it. ErrMessageNotFound where
	// there is no such message, ErrNoAnswer where it is the message of a user.
	Rate(ctx context.Context, o domain.Opinion) (domain.Message, error)
}

// ThreadChanges are the changes of a thread; nil leaves a field as it is.
type ThreadChanges struct {
	Title    *string
	Metadata json.RawMessage
	Status   *domain.ThreadStatus
	Current  *uuid.UUID // the last turn of the branch that becomes the current one

	Variables domain.Variables // all of them
}

// ThreadFilter narrows the list of threads; nil does not.
type ThreadFilter struct {
	BotID  *uuid.UUID           `json:"b,omitempty"`
	Status *domain.ThreadStatus `json:"s,omitempty"`
	// Trial asks for trial threads, which the list leaves out otherwise.
	Trial bool `json:"t,omitempty"`
	// OwnerID is the end user whose threads are meant, or the API key with the role chat.
	OwnerID *uuid.UUID `json:"o,omitempty"`
	// EndpointID is the endpoint at which the messages came in.
	EndpointID *uuid.UUID `json:"e,omitempty"`
	// Rating asks for threads with an answer that somebody has rated so.
	Rating *domain.Rating `json:"r,omitempty"`
}

// Reading is the position and the direction in which a thread is read.
type Reading struct {
	After     *MessagePosition // nil: from the end that comes first
	Backwards bool             // newest first
	Branch    domain.Branch
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

// Turns stores turns.
type Turns interface {
	// Start stores a turn with its user message, numbers it and pins the bot's version, in one statement, which may be
	// the last of a transaction. ErrThreadNotFound, ErrThreadBusy, where another turn runs there, and ErrNoParent and ErrBranches, of a
	// turn with a named parent, roll the transaction back.
	Start(ctx context.Context, t *domain.Turn) error
	// Resume begins the next attempt at an operation's turn that failed, or whose lease has run out. A turn that another
	// operation has completed has its answer in Done.
	Resume(ctx context.Context, actor, operation uuid.UUID, lease time.Time) (*domain.Turn, error)
	// Complete stores the answer, if this attempt still holds the turn.
	Complete(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error
	// Fail stores that the attempt failed, the reason, its usage, and the failure that callers receive; the user message stays.
	Fail(ctx context.Context, t domain.Turn, reply domain.Reply, why string, failure domain.Failure, at time.Time) error
	// Cut ends the lease of an attempt that was stopped and counts its usage, so that the next attempt may begin at
	// once, in any process. Nothing changes where another attempt has begun or the turn has ended.
	Cut(ctx context.Context, t domain.Turn, reply domain.Reply, at time.Time) error
	// Wait ends the attempt of a turn whose calls of tools wait, and returns those calls. The turn goes on when they are decided, in any
	// process; at once where none waits any more.
	Wait(ctx context.Context, t domain.Turn) ([]domain.ToolCall, error)
}

// Leases finds the turns that hold their thread, and ends those whose process has died.
type Leases interface {
	// Busy returns the turn that runs in a thread, and whether it waits for calls of tools; the zero id where none runs.
	Busy(ctx context.Context, thread uuid.UUID) (turn uuid.UUID, waiting bool, err error)
	// Free ends the turn of a thread as failed if its lease ran out that long ago, and reports whether it did.
	Free(ctx context.Context, thread uuid.UUID, ago time.Duration, why string) (bool, error)
	// Abandoned returns turns of all workspaces whose lease has run out: the oldest of each workspace first.
	Abandoned(ctx context.Context, limit int) ([]Abandoned, error)
}

// Abandoned is a turn whose lease has run out.
type Abandoned struct {
	WorkspaceID, ThreadID, ActorID, OperationID uuid.UUID
	Attempt                                     int
}

// Events publishes the ends of turns, in the transaction of the context.
type Events interface {
	TurnCompleted(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error
	// TurnFailed publishes that an attempt has failed. The reply names the model, where one was chosen.
	TurnFailed(ctx context.Context, t domain.Turn, reply domain.Reply, why *fail.Error) error
	// ToolCallWaiting publishes that a turn waits for the decision about a call, or for its result.
	ToolCallWaiting(ctx context.Context, t domain.Turn, c domain.ToolCall) error
}
