package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/work/jobs"
)

// ListJobs lists the jobs of the workspace, newest first.
func (s Server) ListJobs(ctx context.Context, r ListJobsRequestObject) (ListJobsResponseObject, error) {
	f := jobs.Filter{Kind: r.Params.Kind, Status: (*string)(r.Params.Status)}
	p, err := page.List[jobs.Row, page.IDPosition]{
		Name: "jobs", Filter: f,
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]jobs.Row, error) {
			return s.Jobs.List(ctx, f, after.Before(), limit)
		},
		Position: func(r jobs.Row) page.IDPosition { return page.IDPosition{ID: r.ID} },
		Size:     func(r jobs.Row) int { return len(r.LastError) },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListJobs200JSONResponse{Items: page.Map(p.Items, toJob), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// ListDeadLetters lists the dead letters of the workspace, newest first.
func (s Server) ListDeadLetters(ctx context.Context, r ListDeadLettersRequestObject) (ListDeadLettersResponseObject, error) {
	p, err := page.List[jobs.DeadLetter, page.IDPosition]{
		Name: "dead letters", Filter: r.Params.Kind,
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]jobs.DeadLetter, error) {
			return s.Jobs.DeadLetters(ctx, r.Params.Kind, after.Before(), limit)
		},
		Position: func(l jobs.DeadLetter) page.IDPosition { return page.IDPosition{ID: l.ID} },
		Size:     func(l jobs.DeadLetter) int { return len(l.LastError) },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListDeadLetters200JSONResponse{Items: page.Map(p.Items, toDeadLetter), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// GetDeadLetter returns a dead letter with the errors of its attempts.
func (s Server) GetDeadLetter(ctx context.Context, r GetDeadLetterRequestObject) (GetDeadLetterResponseObject, error) {
	l, err := s.Jobs.DeadLetter(ctx, r.DeadLetterID)
	if err != nil {
		return nil, err
	}
	return GetDeadLetter200JSONResponse{
		ID: l.ID, JobID: l.JobID, Kind: l.Kind, Key: l.Key, Attempts: l.Attempts, Failures: l.Failures, OperationID: l.OperationID,
		TraceID: l.TraceID, LastError: l.LastError, CreatedAt: l.CreatedAt, Payload: l.Payload,
		Errors: page.Map(l.Errors, func(f jobs.Failure) JobFailure { return JobFailure{Attempt: f.Attempt, At: f.At, Error: f.Error} }),
	}, nil
}

// RetryDeadLetter queues the job of a dead letter again.
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

// RetryDeadLetters queues the jobs of several dead letters again.
func (s Server) RetryDeadLetters(ctx context.Context, r RetryDeadLettersRequestObject) (RetryDeadLettersResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		var ids []uuid.UUID
		if r.Body.Ids != nil {
			ids = *r.Body.Ids
		}
		done, err := s.Jobs.RetryMany(ctx, r.Body.Kind, ids)
		items := page.Map(done, toRetried)
		return command.Outcome{
			Answer: RetryDeadLetters200JSONResponse{Items: items, HasMore: len(done) == jobs.MaxRetried && ids == nil}.VisitRetryDeadLettersResponse,
			Audit: audit.Entry{
				Action: "dead_letter.retry_many", Resource: "workspace", ResourceID: callctx.From(ctx).Principal.WorkspaceID,
				Changes: map[string]any{"retried": items},
			},
		}, err
	})
	return stored{answer}, err
}

// DiscardDeadLetter deletes a dead letter.
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

func toDeadLetter(l jobs.DeadLetter) DeadLetter {
	return DeadLetter{
		ID: l.ID, JobID: l.JobID, Kind: l.Kind, Key: l.Key, Attempts: l.Attempts, Failures: l.Failures, OperationID: l.OperationID,
		TraceID: l.TraceID, LastError: l.LastError, CreatedAt: l.CreatedAt,
	}
}

func toRetried(r jobs.Retried) RetriedDeadLetter {
	return RetriedDeadLetter{DeadLetterID: r.DeadLetterID, JobID: r.JobID, Kind: r.Kind}
}
