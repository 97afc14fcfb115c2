package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/activitydb"
	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// Retentions stores for how long workspaces keep what they have, and the runs that remove the rest.
type Retentions struct {
	DB    *postgres.DB
	Audit *audit.Log
}

var (
	_ ports.Retentions     = Retentions{}
	_ ports.RetentionRuns  = Retentions{}
	_ ports.OldRows        = Retentions{}
	_ ports.OldUsage       = Retentions{}
	_ ports.RetentionAudit = Retentions{}
)

// removeBatch is how many rows are looked at in one transaction: few enough that none is locked for over 100 ms.
const removeBatch = 200

func (s Retentions) queries(ctx context.Context) (*activitydb.Queries, uuid.UUID) {
	return activitydb.New(s.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (s Retentions) Get(ctx context.Context) (state domain.RetentionState, err error) {
	q, workspace := s.queries(ctx)
	row, err := q.GetRetention(ctx, workspace)
	if postgres.IsMissing(err) {
		return state, nil
	}
	if err != nil {
		return state, fmt.Errorf("read the retention: %w", err)
	}
	state = domain.RetentionState{Retention: toRetention(row), NextRunAt: row.NextRunAt}
	if row.RunStartedAt != nil {
		state.LastRun = &domain.RetentionRun{StartedAt: *row.RunStartedAt, EndedAt: row.RunEndedAt, Removed: toCounts(row)}
		if row.RunError != nil {
			state.LastRun.Failure = *row.RunError
		}
	}
	return state, nil
}

func (s Retentions) Put(ctx context.Context, r domain.Retention, nextRunAt *time.Time) (before domain.Retention, err error) {
	q, workspace := s.queries(ctx)
	row, err := q.LockRetention(ctx, workspace)
	if err != nil && !postgres.IsMissing(err) {
		return before, fmt.Errorf("lock the retention: %w", err)
	}
	_, err = q.PutRetention(ctx, activitydb.PutRetentionParams{
		WorkspaceID: workspace, ThreadsDays: r.ThreadsDays, EventsDays: r.EventsDays, JobsDays: r.JobsDays, AuditDays: r.AuditDays,
		UsageMonths: r.UsageMonths, NextRunAt: nextRunAt,
	})
	if err != nil {
		return before, fmt.Errorf("store the retention: %w", err)
	}
	return toRetention(row), nil
}

func (s Retentions) Due(ctx context.Context, limit int) ([]uuid.UUID, error) {
	return activitydb.New(s.DB.In(ctx)).DueRetention(ctx, int32(limit))
}

func (s Retentions) Begin(ctx context.Context, lease, every time.Duration) (r domain.Retention, ok bool, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		_, err := q.BeginRetention(ctx, activitydb.BeginRetentionParams{
			WorkspaceID: workspace, LeaseSeconds: lease.Seconds(), EverySeconds: every.Seconds(),
		})
		if postgres.IsMissing(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("begin the run: %w", err)
		}
		row, err := q.GetRetention(ctx, workspace)
		r, ok = toRetention(row), true
		return err
	})
	return r, ok && err == nil, err
}

func (s Retentions) Count(ctx context.Context, c domain.RetentionCounts) error {
	q, workspace := s.queries(ctx)
	_, err := q.CountRetention(ctx, activitydb.CountRetentionParams{
		WorkspaceID: workspace, Threads: c.Threads, Events: c.Events, Jobs: c.Jobs, Audit: c.Audit, Usage: c.Usage,
	})
	return err
}

func (s Retentions) Yield(ctx context.Context) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		_, err := q.YieldRetention(ctx, workspace)
		return err
	})
}

func (s Retentions) End(ctx context.Context, failure string, retry time.Duration) (c domain.RetentionCounts, err error) {
	q, workspace := s.queries(ctx)
	if _, err := q.EndRetention(ctx, activitydb.EndRetentionParams{WorkspaceID: workspace, Failure: failure, RetrySeconds: retry.Seconds()}); err != nil {
		return c, fmt.Errorf("end the run: %w", err)
	}
	row, err := q.GetRetention(ctx, workspace)
	return toCounts(row), err
}

func (s Retentions) Remove(ctx context.Context, kind string, before time.Time, after uuid.UUID) (removed int, last uuid.UUID, err error) {
	q, _ := s.queries(ctx)
	row, err := q.RemoveOld(ctx, activitydb.RemoveOldParams{Kind: kind, Before: before, After: after, MaxRows: removeBatch})
	if err != nil {
		return 0, uuid.Nil, fmt.Errorf("remove old rows (%s): %w", kind, err)
	}
	return int(row.Removed), row.Last, nil
}

func (s Retentions) Close(ctx context.Context, before time.Time) error {
	q, workspace := s.queries(ctx)
	if _, err := q.CloseUsage(ctx, activitydb.CloseUsageParams{WorkspaceID: workspace, Before: before}); err != nil {
		return fmt.Errorf("close old usage: %w", err)
	}
	return nil
}

func (s Retentions) RemoveUsage(ctx context.Context, kind string, before time.Time) (removed int, more bool, err error) {
	q, _ := s.queries(ctx)
	row, err := q.RemoveOldUsage(ctx, activitydb.RemoveOldUsageParams{Kind: kind, Before: before, MaxRows: removeBatch})
	if err != nil {
		return 0, false, fmt.Errorf("remove old usage (%s): %w", kind, err)
	}
	return int(row.Removed), row.More, nil
}

// Ran records what a run has removed.
func (s Retentions) Ran(ctx context.Context, c domain.RetentionCounts) error {
	return s.Audit.Record(ctx, audit.Entry{
		Action: "retention.run", Resource: "workspace", ResourceID: callctx.From(ctx).Principal.WorkspaceID,
		Changes: map[string]any{"threads": c.Threads, "events": c.Events, "jobs": c.Jobs, "audit": c.Audit, "usage": c.Usage},
	})
}

func toRetention(row activitydb.WorkspaceRetention) domain.Retention {
	return domain.Retention{ThreadsDays: row.ThreadsDays, EventsDays: row.EventsDays, JobsDays: row.JobsDays, AuditDays: row.AuditDays, UsageMonths: row.UsageMonths}
}

func toCounts(row activitydb.WorkspaceRetention) domain.RetentionCounts {
	return domain.RetentionCounts{Threads: row.RunThreads, Events: row.RunEvents, Jobs: row.RunJobs, Audit: row.RunAudit, Usage: row.RunUsage}
}
