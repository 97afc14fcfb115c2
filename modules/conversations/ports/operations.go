package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
)

// Operations runs the changes of a turn, once for the operation id of the call in the context. A repetition of the call
// receives the stored answer. Errors are fail.ErrInProgress, fail.ErrExpired and fail.ErrReused, and those of the
// steps.
type Operations interface {
	// Run runs a turn in two transactions with its work between them. During the work neither a transaction nor a
	// connection is held. The steps after Begin run to their end, even if the caller disconnects.
	Run(ctx context.Context, o Operation) (Answer, error)
	// Recover resumes a turn whose process has not finished it. The call in the context is that of the turn's operation.
	Recover(ctx context.Context, o Operation) error
	// RunOnce runs a step in one transaction. The record goes into the audit log.
	RunOnce(ctx context.Context, record AuditRecord, step func(ctx context.Context) (domain.TurnView, error)) (Answer, error)
	// Find returns the stored answer of the caller's operation, if there is one.
	Find(ctx context.Context) (answer Answer, found bool, err error)
}

// AuditRecord is the entry of the audit log about a change to a turn.
type AuditRecord struct {
	Action       string // such as turn.create
	Thread, Turn uuid.UUID
}

// Operation is a turn as Operations.Run runs it: Begin or Resume in the first transaction, Work in none, Finish or Fail in
// the second.
type Operation struct {
	Audit AuditRecord
	// Streamed says that readers see results of Work before its end. Then the changes of Begin survive a crash of the
	// database server, and a repetition that finds the work running is refused at once.
	Streamed bool
	// Wide says that Begin makes more than one query, as to resume an existing turn.
	Wide bool
	// NoWait says that the turn does not wait for a slot among the turns that run at once.
	NoWait bool

	// Begin stores the turn by one query, its last statement, unless it is Wide.
	Begin func(ctx context.Context) error
	// Resume takes over the turn that an earlier call under this operation has begun and not finished. It returns
	// fail.ErrInProgress while that call may still run.
	Resume func(ctx context.Context) error
	// Work calls the model.
	Work func(ctx context.Context) error
	// Finish stores the result of Work. Where another attempt has finished the turn, the caller receives the answer of
	// that attempt.
	Finish func(ctx context.Context) (domain.CompletedTurn, error)
	// Fail stores that Work failed. The operation may be repeated.
	Fail func(ctx context.Context, cause error) error
	// Ended is called after the outcome is committed, or could not be committed.
	Ended func()
}

// Answer is the stored answer of an operation: every repetition receives the same bytes.
type Answer struct {
	TurnID   uuid.UUID // of an operation that took or retried a turn
	Body     []byte    // JSON
	Replayed bool      // it is the answer of an earlier call
}
