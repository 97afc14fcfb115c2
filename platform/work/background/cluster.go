package background

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
)

const (
	endTimeout = 5 * time.Second // for storing that a run has ended
	maxRetry   = time.Minute     // until a task that could not be taken is asked for again
)

// turn does the work of a task of the cluster if it is due and no other process does it. It returns how long there will
// be nothing to do. A missed run is not repeated. Any process that finds the work due and free takes it, so that it
// continues when a process dies.
func (r *Runner) turn(t Task) (wait time.Duration) {
	wait, err := r.tryTurn(t)
	if r.ctx.Err() != nil {
		return wait
	}
	if err != nil {
		r.log.Error("jobs: a periodic task failed", "task", t.Name, "error", err)
	}
	r.note(t, err)
	return wait
}

func (r *Runner) tryTurn(t Task) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, t.Timeout)
	defer cancel()
	var seconds float64
	err = r.db.WriteOnce(ctx, func(ctx context.Context) error {
		var err error
		seconds, err = platformdb.New(r.db.In(ctx)).BeginPeriodic(ctx, platformdb.BeginPeriodicParams{
			Task: t.Name, Worker: r.id, LeaseSeconds: t.Timeout.Seconds(),
		})
		return err
	})
	if err != nil {
		return min(t.Every, maxRetry), fmt.Errorf("take the task: %w", err)
	}
	if seconds > 0 {
		return min(t.Every, time.Duration(seconds*float64(time.Second))), nil
	}
	failed := Survive(ctx, t.Do)
	again := t.Every
	if r.ctx.Err() != nil { // cut short by the stop of this process: another may take it at once
		again = 0
	}
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer done()
	err = r.db.Write(ending, func(ctx context.Context) error {
		return platformdb.New(r.db.In(ctx)).EndPeriodic(ctx, platformdb.EndPeriodicParams{
			Task: t.Name, Worker: r.id, AgainSeconds: again.Seconds(),
		})
	})
	if failed != nil {
		return t.Every, failed
	}
	return t.Every, err
}
