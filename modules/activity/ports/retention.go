package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
)

// Retentions stores for how long the caller's workspace keeps what it has.
type Retentions interface {
	// Get returns the setting and its runs; the zero value where nothing was set.
	Get(ctx context.Context) (domain.RetentionState, error)
	// Put stores a setting in the transaction of the context, and returns the one before, which no other call has replaced meanwhile. The
	// next run is due at a time; nil: never.
	Put(ctx context.Context, r domain.Retention, nextRunAt *time.Time) (before domain.Retention, err error)
}

// RetentionRuns stores the runs of a workspace. Begin and Yield are transactions of their own; the others are part of that of the context.
type RetentionRuns interface {
	// Due returns workspaces, limit at most, whose run is due or has not ended and which no process works on, those first that have waited longest.
	Due(ctx context.Context, limit int) ([]uuid.UUID, error)
	// Begin takes the workspace for the time of a lease, and returns the setting; false: nothing is due, or another process has it. A run that
	// has not ended goes on; after a new one the next is due in a time.
	Begin(ctx context.Context, lease, every time.Duration) (r domain.Retention, ok bool, err error)
	// Count adds what a step has removed.
	Count(ctx context.Context, removed domain.RetentionCounts) error
	// Yield lets any process go on with a run.
	Yield(ctx context.Context) error
	// End ends a run. It returns what it has removed. After one that failed the next is due in a time.
	End(ctx context.Context, failure string, retry time.Duration) (domain.RetentionCounts, error)
}

// Kinds of rows that OldRows removes.
const (
	OldDeliveries  = "deliveries"
	OldEventBodies = "bodies" // of deliveries that are removed
	OldReceived    = "received"
	OldJobs        = "jobs"
	OldDeadLetters = "dead_letters"
)

// OldRows removes rows of the caller's workspace in the transaction of the context.
type OldRows interface {
	// Remove removes some rows of a kind that ended before a time and come after one, by their ids. It returns the last one that it looked at;
	// the zero id where there are no more.
	Remove(ctx context.Context, kind string, before time.Time, after uuid.UUID) (removed int, last uuid.UUID, err error)
}

// Kinds of counters that OldUsage removes.
const (
	UncountedUsage     = "outbox" // what waits to be counted
	OldLatencyQuarters = "latency_quarters"
	OldQuarters        = "quarters"
	OldLatencies       = "latency"
	OldDays            = "daily"
	OldUsageWarnings   = "warnings"
	OldUsageCounters   = "counters"
)

// OldUsage removes counters of usage and statistics of the caller's workspace in the transaction of the context.
type OldUsage interface {
	// Close has nothing counted any more that happened before a day, also of what is known later.
	Close(ctx context.Context, before time.Time) error
	// RemoveUsage removes some rows of a kind from before a day. It returns how many, and whether there may be more. UncountedUsage is to be removed
	// first, after the transaction of Close.
	RemoveUsage(ctx context.Context, kind string, before time.Time) (removed int, more bool, err error)
}

// OldStatistics removes statistics of the caller's workspace from another server than the database.
type OldStatistics interface {
	// RemoveSome removes a month of what was counted before a day. It returns how many rows, and whether there may be more. It fails while some
	// that were not known to be closed are on their way there.
	RemoveSome(ctx context.Context, before time.Time) (removed int, more bool, err error)
}

// OldThreads removes threads of the caller's workspace with everything that was said in them.
type OldThreads interface {
	// DeleteSome deletes some threads in which nothing was said since a time, each in a transaction of its own: of those that were made after another one,
	// which its time and id name. It returns how many, and which it looked at last; the zero id where there are no more.
	DeleteSome(ctx context.Context, before, made time.Time, after uuid.UUID) (deleted int, lastMade time.Time, last uuid.UUID, err error)
}

// AuditLog removes old rows of audit logs.
type AuditLog interface {
	// Cut removes rows of the log of a workspace that were written before a time, oldest first. It stops at the time until. It returns how many it
	// removed, also with an error, and whether there may be more.
	Cut(ctx context.Context, workspace uuid.UUID, before, until time.Time) (removed int, more bool, err error)
}

// RetentionAudit records runs in the audit log of the caller's workspace, in the transaction of the context.
type RetentionAudit interface {
	Ran(ctx context.Context, removed domain.RetentionCounts) error
}
