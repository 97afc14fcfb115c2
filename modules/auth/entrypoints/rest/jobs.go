package rest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/page"
)

// JobPosition is a place in the list of jobs, or in that of dead letters.
type JobPosition struct {
	ID uuid.UUID `json:"i"`
}

func (p *JobPosition) before() *uuid.UUID {
	if p == nil {
		return nil
	}
	return &p.ID
}

// ListJobs implements the call.
func (s Server) ListJobs(ctx context.Context, r ListJobsRequestObject) (ListJobsResponseObject, error) {
	f := jobs.Filter{Kind: r.Params.Kind, Status: (*string)(r.Params.Status)}
	filter, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode the filter: %w", err)
	}
	after, err := s.JobCursors.Decode(ctx, string(filter), r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.Jobs.List(ctx, f, after.before(), limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.CutBytes(rows, limit, func(r jobs.Row) int { return len(r.LastError) })
	next, err := page.Next(ctx, s.JobCursors, string(filter), items, more, func(row jobs.Row) JobPosition {
		return JobPosition{ID: row.ID}
	})
	return ListJobs200JSONResponse{Items: page.Map(items, toJob), HasMore: more, NextCursor: next}, err
}

// ListDeadLetters implements the call.
func (s Server) ListDeadLetters(ctx context.Context, r ListDeadLettersRequestObject) (ListDeadLettersResponseObject, error) {
	filter, err := json.Marshal(r.Params.Kind)
	if err != nil {
		return nil, fmt.Errorf("encode the filter: %w", err)
	}
	after, err := s.LetterCursors.Decode(ctx, string(filter), r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.Jobs.Letters(ctx, r.Params.Kind, after.before(), limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.CutBytes(rows, limit, func(l jobs.Letter) int { return len(l.LastError) })
	next, err := page.Next(ctx, s.LetterCursors, string(filter), items, more, func(l jobs.Letter) JobPosition {
		return JobPosition{ID: l.ID}
	})
	return ListDeadLetters200JSONResponse{Items: page.Map(items, toDeadLetter), HasMore: more, NextCursor: next}, err
}

// GetDeadLetter implements the call.
func (s Server) GetDeadLetter(ctx context.Context, r GetDeadLetterRequestObject) (GetDeadLetterResponseObject, error) {
	l, err := s.Jobs.Letter(ctx, r.DeadLetterID)
	if err != nil {
		return nil, err
	}
	return GetDeadLetter200JSONResponse{
		ID: l.ID, JobID: l.JobID, Kind: l.Kind, Key: l.Key, Attempts: l.Attempts, Failures: l.Failures, OperationID: l.OperationID,
		TraceID: l.TraceID, LastError: l.LastError, CreatedAt: l.CreatedAt, Payload: l.Payload,
		Errors: page.Map(l.Errors, func(f jobs.Failure) JobFailure { return JobFailure{Attempt: f.Attempt, At: f.At, Error: f.Error} }),
	}, nil
}

// RetryDeadLetter implements the call.
func (s Server) RetryDeadLetter(ctx context.Context, r RetryDeadLetterRequestObject) (RetryDeadLetterResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		done, err := s.Jobs.Retry(ctx, r.DeadLetterID)
		return command.Outcome{
			Answer: RetryDeadLetter200JSONResponse(toRetried(done)).VisitRetryDeadLetterResponse,
			Audit: audit.Entry{
				Action: "dead_letter.retry", Resource: "dead_letter", ResourceID: r.DeadLetterID,
				Changes: map[string]any{"kind": done.Kind, "job_id": done.JobID},
			},
		}, err
	})
	return stored{answer}, err
}

// RetryDeadLetters implements the call.
func (s Server) RetryDeadLetters(ctx context.Context, r RetryDeadLettersRequestObject) (RetryDeadLettersResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		var ids []uuid.UUID
		if r.Body.Ids != nil {
			ids = *r.Body.Ids
		}
		done, err := s.Jobs.RetryMany(ctx, r.Body.Kind, ids)
		items := page.Map(done, toRetried)
		return command.Outcome{
			Answer: RetryDeadLetters200JSONResponse{Items: items, HasMore: len(done) == jobs.MostRetried && ids == nil}.VisitRetryDeadLettersResponse,
			Audit: audit.Entry{
				Action: "dead_letter.retry_many", Resource: "workspace", ResourceID: call.From(ctx).Principal.WorkspaceID,
				Changes: map[string]any{"retried": items},
			},
		}, err
	})
	return stored{answer}, err
}

// DiscardDeadLetter implements the call.
func (s Server) DiscardDeadLetter(ctx context.Context, r DiscardDeadLetterRequestObject) (DiscardDeadLetterResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		kind, err := s.Jobs.Discard(ctx, r.DeadLetterID)
		return command.Outcome{
			Answer: DiscardDeadLetter204Response{}.VisitDiscardDeadLetterResponse,
			Audit: audit.Entry{
				Action: "dead_letter.discard", Resource: "dead_letter", ResourceID: r.DeadLetterID, Changes: map[string]any{"kind": kind},
			},
		}, err
	})
	return stored{answer}, err
}

func toJob(r jobs.Row) Job {
	return Job{
		ID: r.ID, Kind: r.Kind, Key: r.Key, Status: JobStatus(r.Status), Priority: r.Priority, Attempt: r.Attempt, Failures: r.Failures,
		MaxAttempts: r.MaxAttempts, OperationID: r.OperationID, TraceID: r.TraceID, LastError: r.LastError, RunAt: r.RunAt,
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, CreatedAt: r.CreatedAt,
	}
}

func toDeadLetter(l jobs.Letter) DeadLetter {
	return DeadLetter{
		ID: l.ID, JobID: l.JobID, Kind: l.Kind, Key: l.Key, Attempts: l.Attempts, Failures: l.Failures, OperationID: l.OperationID,
		TraceID: l.TraceID, LastError: l.LastError, CreatedAt: l.CreatedAt,
	}
}

func toRetried(r jobs.Retried) RetriedDeadLetter {
	return RetriedDeadLetter{DeadLetterID: r.LetterID, JobID: r.JobID, Kind: r.Kind}
}
