// Package background repeats work at intervals, in every process or in one of all processes at a time.
package background

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/data/postgres"
)

// Runner runs tasks until it is stopped. It is safe for concurrent use.
type Runner struct {
	log    *slog.Logger
	db     *postgres.DB
	id     uuid.UUID       // of this process, as holder of tasks of the cluster
	ctx    context.Context //nolint:containedctx // the life of the tasks, ended by Stop
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	states map[string]*State
}

// State is the outcome of the runs of a task so far. For a task of the cluster, a run of another process is a success.
type State struct {
	Name      string
	Succeeded time.Time // when it last did; when it began, where it never has
	Failed    time.Time // when it last failed; zero: never since the start of the process
	Failures  int       // runs that failed since the start of the process
}

// NewRunner returns a Runner. Only tasks of the cluster need the database.
func NewRunner(log *slog.Logger, db *postgres.DB) *Runner {
	ctx, cancel := context.WithCancel(context.Background())
	return &Runner{log: log, db: db, id: uuid.New(), ctx: ctx, cancel: cancel, states: map[string]*State{}}
}

// Start runs tasks, each at once and then at its intervals. Tasks do not wait for each other.
func (r *Runner) Start(tasks ...Task) {
	for _, t := range tasks {
		r.mu.Lock()
		if r.states[t.Name] == nil {
			r.states[t.Name] = &State{Name: t.Name, Succeeded: time.Now()}
		}
		r.mu.Unlock()
		r.tasks.Go(func() {
			if t.Cluster {
				loop(r.ctx, nil, func() time.Duration { return r.turn(t) })
				return
			}
			Loop(r.ctx, t, nil, func(err error) {
				if err != nil {
					r.log.Error("background task failed", "task", t.Name, "error", err)
				}
				r.note(t, err)
			})
		})
	}
}

// note stores the outcome of a run.
func (r *Runner) note(t Task, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.states[t.Name]
	if err != nil {
		state.Failures++
		state.Failed = time.Now()
		return
	}
	state.Succeeded = time.Now()
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

// Stop cancels all tasks and waits for those that run.
func (r *Runner) Stop() {
	r.cancel()
	r.tasks.Wait()
}
