package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/work/background"
)

// RunnerOptions are the options of a Runner. DB, Registry and Log are required.
type RunnerOptions struct {
	DB       *postgres.DB
	Registry *Registry
	Log      *slog.Logger
	// Workers is how many jobs of the common pool run at once; 0: 4. One workspace or kind takes at most half of them.
	Workers int
	// Pools are the pools of kinds that need slots of their own, by name.
	Pools map[string]Pool
	// Poll is the interval at which the Runner looks for jobs without a notification; 0: 1 s.
	Poll time.Duration
	// Lease is how long a worker may send no heartbeat before other workers take its jobs; 0: 30 s. It sends a
	// heartbeat three times per lease.
	Lease time.Duration
	// ListenURL is the URL of a direct connection to the database (not a pooler's), for notifications. If it is empty,
	// the Runner only polls, unless another listener on Channel calls Wake.
	ListenURL string
	// OnDeadLetter receives each job that moves to the dead letters, in the transaction that moves it. If it fails, the
	// job stays where it is and is tried again. nil: it is not called.
	OnDeadLetter func(ctx context.Context, l DeadLetterDetail) error
	// Middleware wraps each call of a handler and must return the error of the handler; nil: there is none.
	Middleware func(ctx context.Context, kind string, handle func(ctx context.Context) error) error
	// Random returns numbers from [0, 1) for the jitter of retries; nil: math/rand.
	Random func() float64
	// Now returns the time for the history of errors; everything else uses the clock of the database. nil: time.Now.
	Now func() time.Time
}

// Runner runs jobs until it is stopped.
type Runner struct {
	RunnerOptions
	held    *held
	wake    chan struct{}
	claims  context.Context //nolint:containedctx // the life of the claiming; ended first
	halt    context.CancelFunc
	work    context.Context //nolint:containedctx // the life of the handlers, leases and tasks; ended after their grace
	cut     context.CancelCauseFunc
	claimer sync.WaitGroup
	upkeep  sync.WaitGroup
	stopped sync.Once
}

// ErrStopping is the cause with which the context of a handler is canceled when its process stops.
var ErrStopping = errors.New("jobs: the process stops")

// NewRunner returns a Runner; it does nothing before Start.
func NewRunner(o RunnerOptions) *Runner {
	if o.Workers <= 0 {
		o.Workers = 4
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Lease <= 0 {
		o.Lease = 30 * time.Second
	}
	if o.Middleware == nil {
		o.Middleware = func(ctx context.Context, _ string, handle func(context.Context) error) error { return handle(ctx) }
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Runner{RunnerOptions: o, held: newHeld(newPools(o.Workers, o.Pools)), wake: make(chan struct{}, 1)}
	r.claims, r.halt = context.WithCancel(context.Background())
	r.work, r.cut = context.WithCancelCause(context.Background())
	return r
}

// Start starts the Runner. All kinds must be registered before it.
func (r *Runner) Start() {
	r.claimer.Go(r.claimLoop)
	r.keep("extend the leases of jobs", r.Lease/3, r.heartbeat)
	r.keep("rescue lost jobs", r.Lease/2, r.rescue)
	if r.ListenURL != "" {
		r.upkeep.Go(func() { postgres.Listen(r.work, r.ListenURL, r.Log, r.Channel()) })
	}
}

// Channel returns the notification channel on which the Runner is notified of new jobs.
func (r *Runner) Channel() postgres.Channel {
	return postgres.Channel{Name: "parley_jobs", OnNotify: func(string) { r.Wake() }}
}

// Wake makes the Runner look for jobs now.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// returnTimeout is how long a stopping process waits for handlers whose context has been ended. Their jobs have been
// given back by then, so that nothing but tidiness depends on it.
const returnTimeout = time.Second

// Stop claims no further jobs and lets running jobs continue until the context ends. Jobs that still run then are
// returned to the queue at once. They have not failed, so their next start does not count against MaxAttempts. The
// contexts of their handlers are canceled, and the results of those handlers are discarded. Stop returns when all jobs
// are returned.
func (r *Runner) Stop(grace context.Context) {
	r.stopped.Do(func() {
		r.halt()
		r.claimer.Wait()
		r.held.wait(grace)
		r.cut(ErrStopping)
		for _, a := range r.held.all() {
			r.release(a)
		}
		r.upkeep.Wait()
		tidy, cancel := context.WithTimeout(context.Background(), returnTimeout)
		defer cancel()
		r.held.wait(tidy)
	})
}

// keep repeats a task until the handlers' time is over.
func (r *Runner) keep(name string, interval time.Duration, do func(ctx context.Context) error) {
	t := background.Task{Name: name, Every: interval, Timeout: max(interval, time.Second), Do: do}
	r.upkeep.Go(func() {
		background.Loop(r.work, t, nil, func(err error) {
			if err != nil {
				r.Log.Warn("jobs: a task failed", "task", name, "error", err)
			}
		})
	})
}
