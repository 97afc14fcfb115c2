package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
)

// heartbeat extends the leases of what runs here, and ends the context of handlers whose job is another's by now. It
// does not speak for a handler that has long outlived its timeout: that job is rescued, and its worker stays taken.
func (r *Runner) heartbeat(ctx context.Context) error {
	p := platformdb.ExtendJobsParams{LeaseSeconds: r.Lease.Seconds()}
	var asked []*attempt
	for _, a := range r.held.all() {
		if time.Now().After(a.stuck) {
			r.Log.ErrorContext(asTenant(ctx, a), "a job's handler does not heed its timeout: it holds a worker", "job_id", a.ID, "kind", a.Kind)
			continue
		}
		asked = append(asked, a)
		p.Workspaces, p.Ids, p.Attempts = append(p.Workspaces, a.WorkspaceID), append(p.Ids, a.ID), append(p.Attempts, int32(a.Attempt))
	}
	if len(asked) == 0 {
		return nil
	}
	kept := map[uuid.UUID]int32{}
	err := r.DB.WriteOnce(ctx, func(ctx context.Context) error {
		rows, err := platformdb.New(r.DB.In(ctx)).ExtendJobs(ctx, p)
		for _, row := range rows {
			kept[row.ID] = row.Attempt
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("extend leases: %w", err)
	}
	for _, a := range asked {
		if kept[a.ID] != int32(a.Attempt) {
			a.cancel(errTaken) // also where it has just been concluded: then nobody listens
		}
	}
	return nil
}

const rescueBatch = 100 // jobs looked at in one run

// rescue takes jobs from workers that are silent. Every process does so; a job's next state is compared and set, and
// only if its lease has still run out at that moment.
func (r *Runner) rescue(ctx context.Context) error {
	rows, err := platformdb.New(r.DB.In(ctx)).LostJobs(ctx, rescueBatch)
	if err != nil {
		return fmt.Errorf("look for lost jobs: %w", err)
	}
	var failures []error
	for _, row := range rows {
		failures = append(failures, ignoreMissing(r.rescueOne(ctx, row.WorkspaceID, row.ID)))
	}
	return errors.Join(failures...)
}

// rescueOne takes one job, as its tenant, from a worker that sends no heartbeat. It returns an error for which
// postgres.IsMissing returns true if the job has continued since.
func (r *Runner) rescueOne(ctx context.Context, workspace, id uuid.UUID) error {
	a := &attempt{Info: Info{ID: id, WorkspaceID: workspace}}
	in := asTenant(ctx, a)
	row, err := platformdb.New(r.DB.In(in)).LostJob(in, platformdb.LostJobParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return fmt.Errorf("read a lost job: %w", err)
	}
	a.Kind, a.Attempt, a.Failures, a.MaxAttempts = row.Kind, int(row.Attempt), int(row.Failures), int(row.MaxAttempts)
	a.trace = row.TraceID
	backoff := defaultBackoff
	if k, ok := r.Registry.find(row.Kind); ok {
		backoff = k.Backoff
	}
	tenant := asTenant(ctx, a)
	return r.withTimeout(tenant, r.failure(tenant, a, backoff, errLost, true))
}
