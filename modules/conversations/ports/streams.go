package ports

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures of calls on turns.
var (
	ErrTurnNotFound  = fail.New(fail.NotFound, "NOT_FOUND", "there is no such turn in this thread")
	ErrTurnEnded     = fail.New(fail.Conflict, "CONFLICT", "this turn has ended: there is nothing to cancel")
	ErrTurnCancelled = fail.New(fail.Conflict, "CONFLICT", "this turn was cancelled: send the message as a new operation")
	ErrNotRetryable  = fail.New(fail.Conflict, "CONFLICT", "only a turn that failed and is the last of its thread can be tried again")
)

// ErrCancel is the cause of the end of the context of an attempt that is cancelled.
var ErrCancel = errors.New("conversations: the turn is cancelled")

// ErrCut is the cause of the end of the context of an attempt that is cut short because its process stops, or was taken for dead:
// the turn goes on with another attempt.
var ErrCut = errors.New("conversations: the attempt is cut short and another goes on with the turn")

// ErrOvertaken says that an attempt does not run any more: its turn has ended, or another attempt has begun.
var ErrOvertaken = errors.New("conversations: the attempt does not run any more")

// Records reads turns.
type Records interface {
	// Get answers ErrTurnNotFound where the thread has no such turn.
	Get(ctx context.Context, thread, turn uuid.UUID) (domain.Record, error)
	// List leafs through a thread, newest first, without what was said but for the partial answers of cancelled turns;
	// ErrThreadNotFound where there is none.
	List(ctx context.Context, thread uuid.UUID, before *MessagePosition, limit int) ([]domain.Record, error)
	// OfOperation names the turn of the caller's operation; the zero id where it has none.
	OfOperation(ctx context.Context) (uuid.UUID, error)
}

// Cancels ends turns.
type Cancels interface {
	// Request asks the process of a running turn to cancel it. The caller's operation has cancelled the turn if it was the
	// first to ask.
	Request(ctx context.Context, turn uuid.UUID) error
	// Requested tells whether an attempt that runs is wanted to be cancelled.
	Requested(ctx context.Context, turn uuid.UUID, attempt int) (bool, error)
	// Cancel stores that an attempt was cancelled, with what it has used and the text so far; without text no message is kept.
	// ErrOvertaken undoes the transaction.
	Cancel(ctx context.Context, t domain.Turn, partial domain.Message, reply domain.Reply) error
}

// Pieces keeps what streamed attempts say, in the pieces in which they say it.
type Pieces interface {
	// Append keeps pieces, the first of which has a number, and tells the processes that follow the turn. Within a
	// transaction it is part of that.
	Append(ctx context.Context, turn uuid.UUID, attempt, first int, pieces []string) error
	// List gives what is kept of an attempt, from the piece with number after on or a little before it.
	List(ctx context.Context, turn uuid.UUID, attempt, after int) (pieces []string, first int, err error)
	// Any tells whether an attempt of the turn was streamed.
	Any(ctx context.Context, turn uuid.UUID) (bool, error)
}

// Live knows the attempts that run in this process, and hears of the turns of others.
type Live interface {
	// Begin registers an attempt. Its context ends with the cause ErrCancel when it is cancelled, and ErrCut when it is cut short.
	Begin(ctx context.Context, t domain.Turn, streamed bool) (context.Context, Voice)
	// Streaming gives what a turn has said that is streamed by this process; nil where it is not.
	Streaming(turn uuid.UUID) Log
	// StreamingUnder names the turn that this process streams for the caller's operation; the zero id where it does not.
	StreamingUnder(ctx context.Context) uuid.UUID
	// Watch is told of what may have changed in a turn. Several changes may be told as one.
	Watch(turn uuid.UUID) (changed <-chan struct{}, stop func())
	// Cancel cancels an attempt if it runs here.
	Cancel(turn uuid.UUID, attempt int)
}

// Voice is an attempt's, to say what its model says.
type Voice interface {
	// Say never waits.
	Say(text string)
	// Said gives all that was said.
	Said() string
	// Close ends the keeping of pieces beside the turn.
	Close()
	// Rest queues what is not kept yet, in the transaction of the context, once closed.
	Rest(ctx context.Context) error
	// End is for when the attempt's end is committed.
	End()
}

// Log is what a running attempt has said so far.
type Log interface {
	Turn() domain.Record
	// From gives the pieces from the one with a number on.
	From(first int) []string
}

// Room is where calls wait for a busy thread.
type Room interface {
	// Enter queues up for a thread of the caller's workspace. It does not look whether there is such a thread: that is to be
	// read before. ErrThreadBusy where too many wait.
	Enter(ctx context.Context, thread uuid.UUID) (Place, error)
}

// Place is one in the queue for a thread.
type Place interface {
	// Wait returns when it is worthwhile to try: this place is the first, and something may have changed.
	Wait(ctx context.Context) error
	Leave()
}
