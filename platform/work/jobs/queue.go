package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Queue enqueues jobs and reads them. It is safe for concurrent use.
type Queue struct {
	db       *postgres.DB
	registry *Registry
}

// NewQueue returns a Queue for jobs of the kinds in a Registry. Kinds may be registered later, before the program
// serves requests.
func NewQueue(db *postgres.DB, r *Registry) *Queue { return &Queue{db: db, registry: r} }

// Options are the options of one job; the zero value is suitable for most jobs.
type Options struct {
	// Key identifies a job within its workspace and kind. No second job with the same key is created while the first
	// one is queued, runs, was done in the last 7 days, or is in the dead letters. Empty: the operation of the cause.
	// 512 bytes at most.
	Key string
	// Priority orders the jobs of a workspace: lower values run first.
	Priority int16
	// RunAt is the earliest time at which the job runs; zero: at once.
	RunAt time.Time
	// MaxAttempts is the number of failures after which the job moves to the dead letters; 0: the number of its kind.
	MaxAttempts int
	// Target is what the job waits for, such as the host that it calls. Jobs of a workspace and kind with the same
	// target are treated as slow together (Pool). Empty: nothing in particular.
	Target string
}

// Errors of Enqueue. They are mistakes of the program, not of a caller of the API.
var (
	ErrUnknownKind = errors.New("jobs: nobody has registered this kind")
	ErrNoKey       = errors.New("jobs: a job needs a key where its cause is no operation, or is a job of the same kind")
	ErrNoWorkspace = errors.New("jobs: a job belongs to a workspace, and the call is in none")
	ErrUnstorable  = errors.New("jobs: the payload cannot be stored")
)

const (
	maxPayload = 1 << 20 // bytes of JSON
	maxKey     = 512     // bytes
)

// nul finds what JSON allows in a string and Postgres does not: \u0000, unless its backslash is itself escaped.
var nul = regexp.MustCompile(`(^|[^\\])(\\\\)*\\u0000`)

// Enqueue queues a job in the transaction of the context (postgres.DB.Write): the job exists if and only if that
// commits. It belongs to the workspace of the call and inherits its operation and trace. If a job with the same key
// exists, Enqueue does nothing and returns no error. Workers are notified when the transaction commits.
func (q *Queue) Enqueue(ctx context.Context, kind string, payload any, o Options) error {
	p, err := q.params(ctx, kind, payload, o)
	if err != nil {
		return err
	}
	return platformdb.New(q.db.In(ctx)).EnqueueJob(ctx, p)
}

// Again is like Enqueue, but if a job with the same key is waiting, done or dead, that job runs now, with a full number
// of attempts. A job that is running is left alone.
func (q *Queue) Again(ctx context.Context, kind string, payload any, o Options) error {
	p, err := q.params(ctx, kind, payload, o)
	if err != nil {
		return err
	}
	return platformdb.New(q.db.In(ctx)).RequeueJob(ctx, platformdb.RequeueJobParams{
		WorkspaceID: p.WorkspaceID, ID: p.ID, Kind: p.Kind, Key: p.Key, Payload: p.Payload, OperationID: p.OperationID,
		TraceID: p.TraceID, Priority: p.Priority, MaxAttempts: p.MaxAttempts, Target: p.Target,
	})
}

// MaxAttempts returns the number of failures after which a job of a kind moves to the dead letters; 0 if the kind is
// not registered.
func (q *Queue) MaxAttempts(kind string) int {
	k, _ := q.registry.find(kind)
	return k.MaxAttempts
}

func (q *Queue) params(ctx context.Context, kind string, payload any, o Options) (p platformdb.EnqueueJobParams, err error) {
	k, ok := q.registry.find(kind)
	if !ok {
		return p, fmt.Errorf("%w: %q", ErrUnknownKind, kind)
	}
	c := callctx.From(ctx)
	if c.Principal.WorkspaceID == uuid.Nil {
		return p, ErrNoWorkspace
	}
	if o.Key == "" && c.Operation.ID != uuid.Nil && running(ctx) != kind {
		o.Key = c.Operation.ID.String()
	}
	if o.Key == "" || len(o.Key) > maxKey {
		return p, fmt.Errorf("%w: %q", ErrNoKey, kind)
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrUnstorable, err)
	}
	if len(raw) > maxPayload || bytes.Contains(raw, []byte(`\u0000`)) && nul.Match(raw) {
		return p, fmt.Errorf("%w: %s has a NUL or is longer than %d bytes", ErrUnstorable, kind, maxPayload)
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = k.MaxAttempts
	}
	p = platformdb.EnqueueJobParams{
		WorkspaceID: c.Principal.WorkspaceID, ID: uuid.Must(uuid.NewV7()), Kind: kind, Key: o.Key, Target: o.Target, Payload: raw,
		TraceID: c.TraceID, Priority: o.Priority, MaxAttempts: int32(o.MaxAttempts),
	}
	if c.Operation.ID != uuid.Nil {
		p.OperationID = &c.Operation.ID
	}
	if !o.RunAt.IsZero() {
		p.RunAt = &o.RunAt
	}
	return p, nil
}

type runningKey struct{}

// running returns the kind of the job that runs in the context; "" outside of a job.
func running(ctx context.Context) string {
	kind, _ := ctx.Value(runningKey{}).(string)
	return kind
}
