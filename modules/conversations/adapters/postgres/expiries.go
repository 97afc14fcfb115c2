package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/jobs"
)

var _ ports.Expiries = Expiries{}

// ExpireKind is the kind of the jobs that delete threads at their time.
const ExpireKind = "thread.expire"

// Expiries schedules the deletion of threads.
type Expiries struct{ Queue *jobs.Queue }

func (s Expiries) Schedule(ctx context.Context, thread uuid.UUID, at time.Time) error {
	return s.Queue.Enqueue(ctx, ExpireKind, Erase{thread}, jobs.Options{Key: thread.String(), RunAt: at})
}
