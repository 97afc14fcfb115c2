package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/parley/parley/platform/postgres"
)

// KindOptions say how the jobs of a kind are run.
type KindOptions struct {
	// Timeout ends the context of an attempt; 0: a minute. A handler that goes on all the same loses its job to another
	// attempt one lease later.
	Timeout time.Duration
	// Concurrency is how many of the kind run at once in a process; 0: as its Pool says. Of the common pool no kind takes more
	// than half.
	Concurrency int
	// Pool is the name of the pool whose slots the kind takes (RunnerOptions.Pools); empty, or not there: the common one.
	Pool string
	// MaxAttempts is with how many failures a job dies that was queued without a number of its own; 0: 10.
	MaxAttempts int
	// Backoff says how long a failed job waits; zero: DefaultBackoff.
	Backoff Backoff
}

const (
	defaultTimeout     = time.Minute
	defaultMaxAttempts = 10
)

// Registry knows the kinds of jobs and who handles them. It is safe for concurrent use.
type Registry struct {
	mu    sync.RWMutex
	kinds map[string]kind
}

// NewRegistry makes an empty Registry.
func NewRegistry() *Registry { return &Registry{kinds: map[string]kind{}} }

// kind is a handler whose payload type has been hidden.
type kind struct {
	KindOptions
	handle func(ctx context.Context, db *postgres.DB, info Info, payload []byte) error
}

// Register says what is done with the jobs of a kind, whose payload is JSON of P. A field of the payload that P does not
// have is passed over, as the job may have been queued by another version of the program. Registering a kind twice is a
// mistake in the wiring, which Register answers.
func Register[P any](r *Registry, name string, o KindOptions, handle func(ctx context.Context, job Job[P]) error) error {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = defaultMaxAttempts
	}
	if o.Backoff == (Backoff{}) {
		o.Backoff = DefaultBackoff
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.kinds[name]; ok || name == "" {
		return fmt.Errorf("jobs: the kind %q is registered already, or has no name", name)
	}
	r.kinds[name] = kind{KindOptions: o, handle: func(ctx context.Context, db *postgres.DB, info Info, raw []byte) error {
		job := Job[P]{Info: info, db: db}
		if err := json.Unmarshal(raw, &job.Payload); err != nil {
			return Permanent(fmt.Errorf("the payload is not one of %s: %w", info.Kind, err))
		}
		return handle(ctx, job)
	}}
	return nil
}

func (r *Registry) find(name string) (kind, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.kinds[name]
	return k, ok
}

// options gives the kinds.
func (r *Registry) options() map[string]KindOptions {
	r.mu.RLock()
	defer r.mu.RUnlock()
	options := make(map[string]KindOptions, len(r.kinds))
	for name, k := range r.kinds {
		options[name] = k.KindOptions
	}
	return options
}
