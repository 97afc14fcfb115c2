package app

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

// topWorkspaces finds the workspaces with the most load in this process, by kind of load, such as calls, failures and
// time.
type topWorkspaces struct {
	calls, callTime, limited, failed *telemetry.Top
	jobs, jobTime, jobsFailed        *telemetry.Top
	tokens                           *telemetry.Top
}

func newTopWorkspaces() topWorkspaces {
	top := func() *telemetry.Top { return telemetry.NewTop(time.Now) }
	return topWorkspaces{
		calls: top(), callTime: top(), limited: top(), failed: top(), jobs: top(), jobTime: top(), jobsFailed: top(), tokens: top(),
	}
}

// call counts a call that was answered. A failed call counts for the workspace of the token, because X-Workspace-Id is
// unverified until the database has accepted the call.
func (t topWorkspaces) call(ctx context.Context, status int, own time.Duration) {
	p := callctx.From(ctx).Principal
	workspace := p.WorkspaceID
	if status >= http.StatusBadRequest {
		workspace = p.HomeID
	}
	t.calls.Add(workspace, 1)
	t.callTime.Add(workspace, own.Seconds())
	switch {
	case status == http.StatusTooManyRequests:
		t.limited.Add(workspace, 1)
	case status >= http.StatusInternalServerError:
		t.failed.Add(workspace, 1)
	}
}

// job counts a job that was run.
func (t topWorkspaces) job(ctx context.Context, took time.Duration, failed bool) {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	t.jobs.Add(workspace, 1)
	t.jobTime.Add(workspace, took.Seconds())
	if failed {
		t.jobsFailed.Add(workspace, 1)
	}
}

// addTopWorkspaces adds the metrics that name workspaces. There are no more series than limit, METRICS_WORKSPACES, and one
// for all others. slots are those of turns.
func addTopWorkspaces(m counters, slots *resilience.Slots, limit int) {
	gauge := func(name, help string, read func(k int) []telemetry.Sample) {
		m.Gauge(telemetry.Family{Name: name, Help: help, Labels: []string{"workspace"}}, func() []telemetry.Sample {
			return read(limit)
		})
	}
	const most = " of the last five minutes, in this process, of the workspaces with most, and of all others together"
	top := m.top
	gauge("workspace_calls", "calls"+most, top.calls.Samples)
	gauge("workspace_call_seconds", "seconds that calls took without waiting for other systems"+most, top.callTime.Samples)
	gauge("workspace_calls_limited", "calls that were refused with 429"+most, top.limited.Samples)
	gauge("workspace_calls_failed", "calls that were answered 5xx"+most, top.failed.Samples)
	gauge("workspace_jobs", "jobs that were run"+most, top.jobs.Samples)
	gauge("workspace_job_seconds", "seconds that jobs took"+most, top.jobTime.Samples)
	gauge("workspace_jobs_failed", "runs of jobs that failed"+most, top.jobsFailed.Samples)
	gauge("workspace_turn_tokens", "tokens of turns that were completed"+most, top.tokens.Samples)
	gauge("workspace_turns", "turns that run now in this process or wait for a slot, of the workspaces with most, and of all others together", func(k int) []telemetry.Sample {
		counts, total := map[uuid.UUID]float64{}, 0.0
		for workspace, n := range slots.Claims() {
			counts[workspace] = float64(n)
			total += float64(n)
		}
		return telemetry.TopSamples(counts, total, k)
	})
}
