package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// ErrNoDeadLetter is the error for a dead letter that does not exist in this workspace.
var ErrNoDeadLetter = fail.New(fail.NotFound, "NOT_FOUND", "there is no such dead letter in this workspace")

// Row is a job as shown to its workspace.
type Row struct {
	ID                             uuid.UUID
	Kind, Key, Status              string // status: queued, running or done
	Priority                       int
	Attempt, Failures, MaxAttempts int
	OperationID                    *uuid.UUID
	TraceID, LastError             string // LastError: "" where there is none
	RunAt, CreatedAt               time.Time
	StartedAt, FinishedAt          *time.Time
}

// Filter selects jobs; a nil field selects all.
type Filter struct{ Status, Kind *string }

// List returns the jobs of the caller's workspace, newest first, following the job with the id before, or from the start.
func (q *Queue) List(ctx context.Context, f Filter, before *uuid.UUID, limit int) ([]Row, error) {
	rows, err := platformdb.New(q.db.InList(ctx)).ListJobs(ctx, platformdb.ListJobsParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Before: before, Status: f.Status, Kind: f.Kind, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	list := make([]Row, len(rows))
	for i, r := range rows {
		list[i] = Row{
			ID: r.ID, Kind: r.Kind, Key: r.Key, Status: r.Status, Priority: int(r.Priority), Attempt: int(r.Attempt),
			Failures: int(r.Failures), MaxAttempts: int(r.MaxAttempts), OperationID: r.OperationID, TraceID: r.TraceID,
			LastError: r.LastError, RunAt: r.RunAt, CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
		}
	}
	return list, nil
}

// DeadLetter is a job that has been given up.
type DeadLetter struct {
	ID, JobID          uuid.UUID
	Kind, Key          string
	Attempts, Failures int
	OperationID        *uuid.UUID
	TraceID, LastError string
	CreatedAt          time.Time // when it was given up
}

// DeadLetterDetail is a DeadLetter with the fields that a list omits.
type DeadLetterDetail struct {
	DeadLetter
	Payload json.RawMessage
	Errors  []Failure // the last 20, the newest last
	// OfTenant says, when a dead letter is written, that the failure is caused by the tenant's own settings, account or
	// server, so that an operator cannot fix it.
	OfTenant bool
}

// DeadLetters returns the dead letters of the caller's workspace, newest first, following the one with the id before, or from the start.
func (q *Queue) DeadLetters(ctx context.Context, kind *string, before *uuid.UUID, limit int) ([]DeadLetter, error) {
	rows, err := platformdb.New(q.db.InList(ctx)).ListDeadLetters(ctx, platformdb.ListDeadLettersParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Before: before, Kind: kind, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	list := make([]DeadLetter, len(rows))
	for i, r := range rows {
		list[i] = toDeadLetter(r)
	}
	return list, nil
}

// DeadLetter returns one dead letter; the error is ErrNoDeadLetter if there is none.
func (q *Queue) DeadLetter(ctx context.Context, id uuid.UUID) (DeadLetterDetail, error) {
	r, err := platformdb.New(q.db.In(ctx)).GetDeadLetter(ctx, platformdb.GetDeadLetterParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id,
	})
	if postgres.IsMissing(err) {
		return DeadLetterDetail{}, ErrNoDeadLetter
	}
	if err != nil {
		return DeadLetterDetail{}, fmt.Errorf("read the dead letter: %w", err)
	}
	detail := DeadLetterDetail{Payload: r.Payload, DeadLetter: toDeadLetter(platformdb.ListDeadLettersRow{
		ID: r.ID, JobID: r.JobID, Kind: r.Kind, Key: r.Key, Attempts: r.Attempts, Failures: r.Failures, OperationID: r.OperationID,
		TraceID: r.TraceID, CreatedAt: r.CreatedAt, LastError: r.LastError,
	})}
	if err := json.Unmarshal(r.Errors, &detail.Errors); err != nil {
		return DeadLetterDetail{}, fmt.Errorf("read the errors of the dead letter: %w", err)
	}
	return detail, nil
}

func toDeadLetter(r platformdb.ListDeadLettersRow) DeadLetter {
	return DeadLetter{
		ID: r.ID, JobID: r.JobID, Kind: r.Kind, Key: r.Key, Attempts: int(r.Attempts), Failures: int(r.Failures),
		OperationID: r.OperationID, TraceID: r.TraceID, LastError: r.LastError, CreatedAt: r.CreatedAt,
	}
}
