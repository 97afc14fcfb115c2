package jobs

import (
	"context"

	"github.com/parley/parley/db/platformdb"
)

// becomeSlow has an attempt that takes long take a slow slot, or end where there is none, and stores that its target is
// slow: the next jobs for it wait for a slow slot, in all processes.
func (r *Runner) becomeSlow(ctx context.Context, a *attempt) {
	goesOn := r.held.takeSlowSlot(a)
	r.markTarget(ctx, a, true)
	if !goesOn {
		a.cancel(ErrNoSlowSlot)
	}
}

// markTarget stores that the target of an attempt is slow, or quick.
func (r *Runner) markTarget(ctx context.Context, a *attempt, isSlow bool) {
	seconds := quickFor.Seconds()
	if isSlow {
		seconds = slowFor.Seconds()
	}
	err := r.withTimeout(context.WithoutCancel(ctx), r.statement(func(ctx context.Context, q *platformdb.Queries) error {
		_, err := q.MarkTarget(ctx, platformdb.MarkTargetParams{
			WorkspaceID: a.WorkspaceID, Kind: a.Kind, Target: a.target, Slow: isSlow, Seconds: seconds,
		})
		return err
	}))
	if err != nil {
		r.Log.WarnContext(ctx, "target of a job was not stored as quick or slow", "job_id", a.ID, "kind", a.Kind, "slow", isSlow, "error", err)
	}
}
