package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
)

// Periodic is work that one of all processes does at an interval. It belongs to no workspace and is not a job: a missed
// run is not repeated, and a failure is logged and tried again at the next run.
type Periodic struct {
	Name  string        // the same in every process
	Every time.Duration // from the end of a run to the next
	// Lease is the maximum duration of a run. If a process dies during a run, no other process takes the task for at
	// most that time.
	Lease time.Duration
	Do    func(ctx context.Context) error
}

// Every adds periodic work to the Runner, which does it once it is started. Any process that finds the work due and
// free takes it, so that it continues when a process dies.
func (r *Runner) Every(p Periodic) {
	r.upkeep.Go(func() {
		for {
			wait, err := r.turn(p)
			if err != nil && r.work.Err() == nil {
				r.Log.Error("jobs: a periodic task failed", "task", p.Name, "error", err)
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-r.work.Done():
				timer.Stop()
				return
			}
		}
	})
}

// turn does the work if it is due and no other process does it, and returns how long there will be nothing to do.
func (r *Runner) turn(p Periodic) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(r.work, p.Lease)
	defer cancel()
	var seconds float64
	err = r.DB.WriteOnce(ctx, func(ctx context.Context) error {
		var err error
		seconds, err = platformdb.New(r.DB.In(ctx)).BeginPeriodic(ctx, platformdb.BeginPeriodicParams{
			Task: p.Name, Worker: r.id, LeaseSeconds: p.Lease.Seconds(),
		})
		return err
	})
	if err != nil {
		return min(p.Every, time.Minute), fmt.Errorf("take the task: %w", err)
	}
	if seconds > 0 {
		return min(p.Every, time.Duration(seconds*float64(time.Second))), nil
	}
	failed := p.Do(ctx)
	again := p.Every
	if r.work.Err() != nil { // cut short by the stop of this process: another may take it at once
		again = 0
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer done()
	err = r.DB.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(r.DB.In(ctx)).EndPeriodic(ctx, platformdb.EndPeriodicParams{
			Task: p.Name, Worker: r.id, AgainSeconds: again.Seconds(),
		})
	})
	if failed != nil {
		return p.Every, failed
	}
	return p.Every, err
}
