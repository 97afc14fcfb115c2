package ports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of calls on turns.
var (
	ErrTurnNotFound  = fail.New(fail.NotFound, "NOT_FOUND", "there is no such turn in this thread")
	ErrTurnEnded     = fail.New(fail.Conflict, "CONFLICT", "this turn has ended: there is nothing to cancel")
	ErrTurnCancelled = fail.New(fail.Conflict, "CONFLICT", "this turn was cancelled: send the message as a new operation")
	ErrNotRetryable  = fail.New(fail.Conflict, "CONFLICT", "only a turn that failed and is the last of the current branch of its thread can be tried again")
)

// ErrCancel is the cause of the end of the context of an attempt that is cancelled.
var ErrCancel = errors.New("conversations: the turn is cancelled")

// ErrCut is the cause of the end of the context of an attempt that is stopped because its process stops or was presumed
// dead. Another attempt resumes the turn.
var ErrCut = errors.New("conversations: the attempt is cut short and another goes on with the turn")

// ErrOvertaken means that an attempt no longer runs: its turn has ended, or another attempt has begun.
var ErrOvertaken = errors.New("conversations: the attempt does not run any more")

// TurnViews reads turns.
type TurnViews interface {
	// Get returns ErrTurnNotFound where the thread has no such turn.
	Get(ctx context.Context, thread, turn uuid.UUID) (domain.TurnView, error)
	// List returns the turns of a branch of a thread, newest first, without texts except the partial answers of cancelled turns;
	// ErrThreadNotFound where there is no such thread, ErrNoBranch where it has no such turn.
	List(ctx context.Context, thread uuid.UUID, branch domain.Branch, before *MessagePosition, limit int) ([]domain.TurnView, error)
	// OfOperation returns the turn of the caller's operation; the zero id where it has none.
	OfOperation(ctx context.Context) (uuid.UUID, error)
}

// Readers knows which turns are read, in all processes.
type Readers interface {
	// Read says that the running turn of the caller's operation is read for some time from now on.
	Read(ctx context.Context, d time.Duration) error
	// Reader returns the running turn of the caller's operation, and whether it is read; the zero ReadTurn where none runs.
	Reader(ctx context.Context) (ReadTurn, error)
	// Attendance returns the running turn of the caller's operation where its thread expires, and who reads it; the zero Attendance where no
	// such turn runs.
	Attendance(ctx context.Context) (Attendance, error)
	// Canceller returns the cancelled turn of the caller's operation and the operation that has cancelled it; zero ids where it
	// is not cancelled.
	Canceller(ctx context.Context) (turn, operation uuid.UUID, err error)
}

// ReadTurn is a turn that runs.
type ReadTurn struct {
	Thread, Turn uuid.UUID
	Read         bool // somebody reads it
}

// Attendance says whether a turn that only its readers keep running has any.
type Attendance struct {
	ReadTurn
	Unread time.Duration // for which nobody has read it, where nobody does
}

// Cancels ends turns.
type Cancels interface {
	// Request asks the process of a running turn to cancel it. If the caller's operation is the first to ask, it is the
	// one that cancels the turn.
	Request(ctx context.Context, turn uuid.UUID) error
	// Requested reports whether a running attempt is to be cancelled.
	Requested(ctx context.Context, turn uuid.UUID, attempt int) (bool, error)
	// Cancel stores that an attempt was cancelled, with its usage and the text so far. Without text no message is
	// stored. ErrOvertaken rolls the transaction back.
	Cancel(ctx context.Context, t domain.Turn, partial domain.Message, reply domain.Reply) error
}

// Chunks stores the text of streamed attempts, in the chunks in which the model sent it.
type Chunks interface {
	// Append stores chunks, the first of which has number first, and notifies the processes that follow the turn. Within
	// a transaction it is part of that.
	Append(ctx context.Context, turn uuid.UUID, attempt, first int, chunks []string) error
	// List returns the stored chunks of an attempt, from the one with number after on or from a slightly earlier one.
	List(ctx context.Context, turn uuid.UUID, attempt, after int) (chunks []string, first int, err error)
	// Any reports whether an attempt of the turn was streamed.
	Any(ctx context.Context, turn uuid.UUID) (bool, error)
}

// Live holds the attempts that run in this process, and receives notifications about those of other processes.
type Live interface {
	// Begin registers an attempt. Its context ends with the cause ErrCancel when it is cancelled, and ErrCut when it is
	// stopped for another attempt.
	Begin(ctx context.Context, t domain.Turn, streamed bool) (context.Context, StreamWriter)
	// Streaming returns the log of a turn that this process streams; nil where it does not.
	Streaming(turn uuid.UUID) Log
	// StreamingUnder returns the turn that this process streams for the caller's operation; the zero id where there is none.
	StreamingUnder(ctx context.Context) uuid.UUID
	// Watch returns a channel that receives when a turn may have changed. Several changes may arrive as one.
	Watch(turn uuid.UUID) (changed <-chan struct{}, stop func())
	// Cancel cancels an attempt if it runs here.
	Cancel(turn uuid.UUID, attempt int)
}

// StreamWriter takes the text of one attempt while its model generates it.
type StreamWriter interface {
	// Write adds a chunk. It never blocks.
	Write(text string)
	// Text returns all chunks together.
	Text() string
	// Close ends the storing of chunks while the turn runs.
	Close()
	// Flush queues the chunks that are not stored yet, in the transaction of the context, after Close.
	Flush(ctx context.Context) error
	// End is called when the end of the attempt is committed.
	End()
}

// Log is the text of a running attempt so far.
type Log interface {
	Turn() domain.TurnView
	// From returns the chunks from the one with a number on.
	From(first int) []string
}

// ThreadQueue is where calls wait for a busy thread.
type ThreadQueue interface {
	// Enter queues the call for a thread of the caller's workspace, without checking that the thread exists: the caller reads it
	// before. ErrThreadBusy where too many calls wait.
	Enter(ctx context.Context, thread uuid.UUID) (QueuePlace, error)
}

// QueuePlace is the place of one call in the queue for a thread.
type QueuePlace interface {
	// Wait returns when the call should try: it is the first, and something may have changed.
	Wait(ctx context.Context) error
	Leave()
}
