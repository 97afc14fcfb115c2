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
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Queue enqueues jobs and reads them. It is safe for concurrent use.
type Queue struct {
	db       *postgres.DB
	registry *Registry
}

// NewQueue makes a Queue for jobs of the kinds that a Registry knows, or will know once the program serves.
func NewQueue(db *postgres.DB, r *Registry) *Queue { return &Queue{db: db, registry: r} }

// Options of one job; the zero value is right for most.
type Options struct {
	// Key makes a job the same as one before: of a workspace, kind and key there is one job, as long as it is queued,
	// runs, was done in the last 7 days or lies in the dead letters. Empty: the operation of the cause. 512 bytes at most.
	Key string
	// Priority: within a workspace the lower goes first.
	Priority int16
	// RunAt is before when it does not run; zero: at once.
	RunAt time.Time
	// MaxAttempts is with how many failures it dies; 0: what its kind says.
	MaxAttempts int
	// Target is what the job waits for, such as the host that it calls: jobs of a workspace and kind with the same target
	// are slow together (Pool). Empty: nothing in particular.
	Target string
}

// What Enqueue refuses. These are mistakes of the program, not of a caller of the API.
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

// Enqueue queues a job in the transaction of the context (postgres.DB.Write): it is there when that commits, or not at
// all. It belongs to the workspace of the call and inherits its operation and trace. A job that is there already under
// its key makes nothing, and that is no error. Workers wake when the transaction commits.
func (q *Queue) Enqueue(ctx context.Context, kind string, payload any, o Options) error {
	p, err := q.params(ctx, kind, payload, o)
	if err != nil {
		return err
	}
	return platformdb.New(q.db.In(ctx)).EnqueueJob(ctx, p)
}

// Again is Enqueue that has the job under its key run now and with all its attempts before it also where it was there
// already: waiting, done or dead. One that runs is left to it.
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

// MaxAttempts is with how many failures a job of a kind dies; 0 where nobody has registered it.
func (q *Queue) MaxAttempts(kind string) int {
	k, _ := q.registry.find(kind)
	return k.MaxAttempts
}

func (q *Queue) params(ctx context.Context, kind string, payload any, o Options) (p platformdb.EnqueueJobParams, err error) {
	k, ok := q.registry.find(kind)
	if !ok {
		return p, fmt.Errorf("%w: %q", ErrUnknownKind, kind)
	}
	c := call.From(ctx)
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

// running gives the kind of the job that the context is of; "" outside of one.
func running(ctx context.Context) string {
	kind, _ := ctx.Value(runningKey{}).(string)
	return kind
}
