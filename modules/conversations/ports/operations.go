package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
)

// Operations runs what changes a turn, once for the operation id of the call in the context. Whoever sends the call again
// receives the stored answer. Errors are fail.ErrInProgress, fail.ErrExpired and fail.ErrReused, and those of the steps.
type Operations interface {
	// Run runs a turn in two transactions with its work between them: meanwhile neither a transaction nor a connection is held.
	// What follows Begin goes on to its end, also when the caller goes away.
	Run(ctx context.Context, o Operation) (Answer, error)
	// Recover resumes a turn whose process has not finished it. The call in the context is that of the turn's operation.
	Recover(ctx context.Context, o Operation) error
	// RunOnce runs a step in one transaction. The record goes into the audit log.
	RunOnce(ctx context.Context, record AuditRecord, step func(ctx context.Context) (domain.TurnView, error)) (Answer, error)
	// Find returns the stored answer of the caller's operation, if there is one.
	Find(ctx context.Context) (answer Answer, found bool, err error)
}

// AuditRecord is what the audit log says of a change to a turn.
type AuditRecord struct {
	Action       string // such as turn.create
	Thread, Turn uuid.UUID
}

// Operation is a turn as Operations.Run runs it: Begin or Resume in the first transaction, Work in none, Finish or Fail in
// the second.
type Operation struct {
	Audit AuditRecord
	// Streamed says that readers see what Work brings before its end: what Begin stores then outlives a crash of the
	// database server, and a repetition that finds the work running is refused at once.
	Streamed bool
	// Resumes says that Begin resumes a turn that is there, by more than one query.
	Resumes bool
	// NoWait says that the turn waits for no place among those that run at once.
	NoWait bool

	// Begin stores the turn by one query, its last statement, unless it Resumes.
	Begin func(ctx context.Context) error
	// Resume takes over the turn that an earlier call under this operation has begun and not finished. It returns
	// fail.ErrInProgress while that call may still run.
	Resume func(ctx context.Context) error
	// Work asks the model.
	Work func(ctx context.Context) error
	// Finish stores what Work brought. Where another attempt has finished the turn, the caller receives that one's answer.
	Finish func(ctx context.Context) (domain.CompletedTurn, error)
	// Fail stores that Work failed. The operation may be sent again.
	Fail func(ctx context.Context, cause error) error
	// Ended is called once the outcome is committed, or could not be.
	Ended func()
}

// Answer is the stored answer of an operation: every repetition receives the same bytes.
type Answer struct {
	TurnID   uuid.UUID // of an operation that took or retried a turn
	Body     []byte    // JSON
	Replayed bool      // an earlier call has brought it
}
