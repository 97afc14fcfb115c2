package background

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// Task is work that is repeated at an interval. A failure is reported, and the next run tries again.
type Task struct {
	Name    string        // the same in every process
	Every   time.Duration // from the start of a run to the next; a run that takes longer delays the next
	Timeout time.Duration // for one run
	// Cluster says that only one of all processes does the work at a time. If a process dies during a run, no other
	// process takes the task for at most Timeout. Every is then the time from the end of a run to the next.
	Cluster bool
	Do      func(ctx context.Context) error
}

// Loop runs a task at once, then at each interval and when it receives from wake, until the context ends. wake may be
// nil. done receives the error of each run, nil for none, except of a run that the end of the context has cut short.
// Loop ignores Cluster: a Runner is needed for that.
func Loop(ctx context.Context, t Task, wake <-chan struct{}, done func(err error)) {
	loop(ctx, wake, func() time.Duration {
		began := time.Now()
		running, cancel := context.WithTimeout(ctx, t.Timeout)
		defer cancel()
		if err := Survive(running, t.Do); ctx.Err() == nil {
			done(err)
		}
		return t.Every - time.Since(began)
	})
}

// loop calls run at once, then after the time that it returns and when it receives from wake, until the context ends.
func loop(ctx context.Context, wake <-chan struct{}, run func() time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		timer.Reset(run())
	}
}

// InBatches returns work that removes rows in batches until none is left. remove returns how many it has removed.
func InBatches(remove func(ctx context.Context) (removed int, err error)) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for {
			if n, err := remove(ctx); err != nil || n == 0 {
				return err
			}
		}
	}
}

// Survive calls work and converts a panic into an error, so that one task cannot stop the process that serves requests.
func Survive(ctx context.Context, work func(ctx context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return work(ctx)
}
