package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of changes to a job by an operator.
var (
	errNoJob     = fail.New(fail.NotFound, "NOT_FOUND", "there is no such job in this workspace; one that was given up is a dead letter")
	errNotQueued = fail.New(fail.Conflict, "CONFLICT", "the job does not wait: it runs or is done")
)

// errCancelled is why a job that was cancelled is a dead letter.
var errCancelled = errors.New("an operator has cancelled the job")

// Hurry makes a waiting job run now, in the transaction of the context, and returns its kind. The errors are errNoJob
// and errNotQueued.
func (q *Queue) Hurry(ctx context.Context, id uuid.UUID) (kind string, err error) {
	row, err := platformdb.New(q.db.In(ctx)).HurryJob(ctx, platformdb.HurryJobParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
	if err != nil {
		return "", q.notQueued(ctx, id, err, "hurry the job")
	}
	return row.Kind, nil
}

// Cancel moves a waiting job to the dead letters, in the transaction of the context. The dead letter can be retried.
// The errors are errNoJob and errNotQueued. The caller must do what RunnerOptions.OnDeadLetter does for a dead letter.
func (q *Queue) Cancel(ctx context.Context, id uuid.UUID) (DeadLetterDetail, error) {
	line, err := entry(0, time.Now(), errCancelled)
	if err != nil {
		return DeadLetterDetail{}, err
	}
	row, err := platformdb.New(q.db.In(ctx)).CancelJob(ctx, platformdb.CancelJobParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id, DeadLetterID: uuid.Must(uuid.NewV7()), Error: line,
	})
	if err != nil {
		return DeadLetterDetail{}, q.notQueued(ctx, id, err, "cancel the job")
	}
	return DeadLetterDetail{Payload: row.Payload, DeadLetter: DeadLetter{
		ID: row.ID, JobID: row.JobID, Kind: row.Kind, Key: row.Key, Attempts: int(row.Attempts), Failures: int(row.Failures),
		OperationID: row.OperationID, TraceID: row.TraceID, LastError: errCancelled.Error(), CreatedAt: row.CreatedAt,
	}}, nil
}

// notQueued explains why a statement about a job that waits has found none.
func (q *Queue) notQueued(ctx context.Context, id uuid.UUID, err error, what string) error {
	if !postgres.IsMissing(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	_, err = platformdb.New(q.db.In(ctx)).FindJob(ctx, platformdb.FindJobParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
	switch {
	case err == nil:
		return errNotQueued
	case postgres.IsMissing(err):
		return errNoJob
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
