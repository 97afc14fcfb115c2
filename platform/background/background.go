// Package background runs periodic tasks beside the requests.
package background

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Runner runs tasks until it is stopped.
type Runner struct {
	log    *slog.Logger
	ctx    context.Context //nolint:containedctx // the life of the tasks, ended by Stop
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	states map[string]*State
}

// State is the outcome of the runs of a task so far.
type State struct {
	Name      string
	Succeeded time.Time // when it last did; when it began, where it never has
	Failed    time.Time // when it last failed; zero: never since the start of the process
	Failures  int       // runs that failed since the start of the process
}

// NewRunner returns a Runner.
func NewRunner(log *slog.Logger) *Runner {
	ctx, cancel := context.WithCancel(context.Background())
	return &Runner{log: log, ctx: ctx, cancel: cancel, states: map[string]*State{}}
}

// Every runs work at once and then at each interval, unless the previous run is still in progress. limit bounds the
// time of one run. A failure is logged and counted, and the next run tries again.
func (r *Runner) Every(interval, limit time.Duration, name string, work func(ctx context.Context) error) {
	r.mu.Lock()
	if r.states[name] == nil {
		r.states[name] = &State{Name: name, Succeeded: time.Now()}
	}
	r.mu.Unlock()
	r.tasks.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			ctx, cancel := context.WithTimeout(r.ctx, limit)
			if err := Survive(ctx, work); r.ctx.Err() == nil {
				r.note(name, err)
			}
			cancel()
			select {
			case <-tick.C:
			case <-r.ctx.Done():
				return
			}
		}
	})
}

// note keeps what came of a run.
func (r *Runner) note(name string, err error) {
	if err != nil {
		r.log.Error("background task failed", "task", name, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.states[name].Failures++
		r.states[name].Failed = time.Now()
		return
	}
	r.states[name].Succeeded = time.Now()
}

// States returns the state of each task, in no order.
func (r *Runner) States() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := make([]State, 0, len(r.states))
	for _, s := range r.states {
		states = append(states, *s)
	}
	return states
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

// Stop cancels all tasks and waits for those that run.
func (r *Runner) Stop() {
	r.cancel()
	r.tasks.Wait()
}
