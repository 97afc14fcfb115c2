package rest

import (
	"context"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/command"
)

// RetentionCalls has what the calls about retention need.
type RetentionCalls struct {
	Put   usecases.PutRetention
	Store ports.Retentions
}

// GetRetention returns for how long the workspace keeps its data.
func (s Server) GetRetention(ctx context.Context, _ GetRetentionRequestObject) (GetRetentionResponseObject, error) {
	state, err := s.Retention.Store.Get(ctx)
	return GetRetention200JSONResponse(toRetention(state)), foreign(err)
}

// PutRetention sets for how long the workspace keeps its data.
func (s Server) PutRetention(ctx context.Context, r PutRetentionRequestObject) (PutRetentionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		wanted := domain.Retention{
			ThreadsDays: r.Body.ThreadsDays, EventsDays: r.Body.EventsDays, JobsDays: r.Body.JobsDays, AuditDays: r.Body.AuditDays, UsageMonths: r.Body.UsageMonths,
		}
		before, after, err := s.Retention.Put.Do(ctx, wanted)
		return command.Outcome{
			Answer: PutRetention200JSONResponse(toRetention(after)).VisitPutRetentionResponse,
			Audit: audit.Entry{Action: "retention.put", Resource: "workspace", ResourceID: r.WorkspaceID, Changes: map[string]any{
				"before": settings(before), "after": settings(wanted),
			}},
		}, err
	})
	return stored{answer}, foreign(err)
}

// settings returns a setting as the audit log has it.
func settings(r domain.Retention) map[string]any {
	return map[string]any{"threads_days": r.ThreadsDays, "events_days": r.EventsDays, "jobs_days": r.JobsDays, "audit_days": r.AuditDays, "usage_months": r.UsageMonths}
}

func toRetention(s domain.RetentionState) Retention {
	r := Retention{
		ThreadsDays: s.ThreadsDays, EventsDays: s.EventsDays, JobsDays: s.JobsDays, AuditDays: s.AuditDays, UsageMonths: s.UsageMonths, NextRunAt: s.NextRunAt,
	}
	if run := s.LastRun; run != nil {
		r.LastRun = &RetentionRun{
			StartedAt: run.StartedAt, EndedAt: run.EndedAt, Complete: run.EndedAt != nil && run.Failure == "",
			Removed: RetentionCounts{
				Threads: run.Removed.Threads, Events: run.Removed.Events, Jobs: run.Removed.Jobs, Audit: run.Removed.Audit, Usage: run.Removed.Usage,
			},
		}
		if run.Failure != "" {
			r.LastRun.Error = &run.Failure
		}
	}
	return r
}
