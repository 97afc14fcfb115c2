package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/postgres"
)

// Errors of changes to a job by an operator.
var (
	ErrNoJob     = fail.New(fail.NotFound, "NOT_FOUND", "there is no such job in this workspace; one that was given up is a dead letter")
	ErrNotQueued = fail.New(fail.Conflict, "CONFLICT", "the job does not wait: it runs or is done")
)

// errCancelled is why a job that was cancelled is a dead letter.
var errCancelled = errors.New("an operator has cancelled the job")

// Hurry makes a waiting job run now, in the transaction of the context, and returns its kind. The errors are ErrNoJob
// and ErrNotQueued.
func (q *Queue) Hurry(ctx context.Context, id uuid.UUID) (kind string, err error) {
	row, err := platformdb.New(q.db.In(ctx)).HurryJob(ctx, platformdb.HurryJobParams{WorkspaceID: call.From(ctx).Principal.WorkspaceID, ID: id})
	if err != nil {
		return "", q.notQueued(ctx, id, err, "hurry the job")
	}
	return row.Kind, nil
}

// Cancel moves a waiting job to the dead letters, in the transaction of the context. The dead letter can be retried.
// The errors are ErrNoJob and ErrNotQueued. The caller must do what RunnerOptions.OnDeadLetter does for a dead letter.
func (q *Queue) Cancel(ctx context.Context, id uuid.UUID) (WholeLetter, error) {
	line, err := entry(0, time.Now(), errCancelled)
	if err != nil {
		return WholeLetter{}, err
	}
	row, err := platformdb.New(q.db.In(ctx)).CancelJob(ctx, platformdb.CancelJobParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, ID: id, LetterID: uuid.Must(uuid.NewV7()), Error: line,
	})
	if err != nil {
		return WholeLetter{}, q.notQueued(ctx, id, err, "cancel the job")
	}
	return WholeLetter{Payload: row.Payload, Letter: Letter{
		ID: row.ID, JobID: row.JobID, Kind: row.Kind, Key: row.Key, Attempts: int(row.Attempts), Failures: int(row.Failures),
		OperationID: row.OperationID, TraceID: row.TraceID, LastError: errCancelled.Error(), CreatedAt: row.CreatedAt,
	}}, nil
}

// notQueued explains why a statement about a job that waits has found none.
func (q *Queue) notQueued(ctx context.Context, id uuid.UUID, err error, what string) error {
	if !postgres.IsMissing(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	_, err = platformdb.New(q.db.In(ctx)).FindJob(ctx, platformdb.FindJobParams{WorkspaceID: call.From(ctx).Principal.WorkspaceID, ID: id})
	switch {
	case err == nil:
		return ErrNotQueued
	case postgres.IsMissing(err):
		return ErrNoJob
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
