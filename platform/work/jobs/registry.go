package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/parley/parley/platform/data/postgres"
)

// KindOptions say how the jobs of a kind are run.
type KindOptions struct {
	// Timeout bounds the context of an attempt; 0: a minute. If a handler continues after that, another attempt takes
	// its job one lease later.
	Timeout time.Duration
	// Concurrency is how many jobs of the kind run at once in a process; 0: the limit of its Pool. In the common pool
	// no kind takes more than half of the slots.
	Concurrency int
	// Pool is the name of the pool whose slots the kind takes (RunnerOptions.Pools). If it is empty or does not exist,
	// the kind uses the common pool.
	Pool string
	// MaxAttempts is the number of failures after which a job without a number of its own moves to the dead letters; 0:
	// 10.
	MaxAttempts int
	// Backoff is the delay before a failed job is tried again; zero: DefaultBackoff.
	Backoff Backoff
}

const (
	defaultTimeout     = time.Minute
	defaultMaxAttempts = 10
)

// Registry holds the kinds of jobs and their handlers. It is safe for concurrent use.
type Registry struct {
	mu    sync.RWMutex
	kinds map[string]kind
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry { return &Registry{kinds: map[string]kind{}} }

// kind is a handler whose payload type has been hidden.
type kind struct {
	KindOptions
	handle func(ctx context.Context, db *postgres.DB, info Info, payload []byte) error
}

// Register registers the handler of a kind, whose payload is JSON of P. Fields of the payload that P does not have are
// ignored, because another version of the program may have queued the job. Register returns an error if the kind is
// already registered.
func Register[P any](r *Registry, name string, o KindOptions, handle func(ctx context.Context, job Job[P]) error) error {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = defaultMaxAttempts
	}
	if o.Backoff == (Backoff{}) {
		o.Backoff = defaultBackoff
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

// options returns the options of all kinds.
func (r *Registry) options() map[string]KindOptions {
	r.mu.RLock()
	defer r.mu.RUnlock()
	options := make(map[string]KindOptions, len(r.kinds))
	for name, k := range r.kinds {
		options[name] = k.KindOptions
	}
	return options
}
