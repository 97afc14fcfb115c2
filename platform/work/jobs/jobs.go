// Package jobs is a queue of background jobs in Postgres. A job is queued in the transaction of the change that causes
// it. It is done at least once, or ends in the dead letters of its workspace.
//
// At least once: a worker that is frozen past its lease, or cut off from the database, may find out too late that
// another has taken its job. What a handler changes in Postgres is nevertheless done exactly once if it does so in one
// transaction with Job.Finish. Calls to other systems need an idempotency key, for which Info.ID can be used.
//
// The states: queued → running → done (kept for 7 days, so that its key makes no second one) or → queued again after a
// failure → dead letter (kept for 90 days).
package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
)

// Info describes a running job, without its payload.
type Info struct {
	ID          uuid.UUID // the same in every attempt
	WorkspaceID uuid.UUID
	Kind        string
	Key         string
	Attempt     int // how many times it has been started, this one included
	Failures    int // how many of those failed
	MaxAttempts int // with this many failures it dies
	CreatedAt   time.Time
}

// Job is one attempt at a job, as its handler receives it.
type Job[P any] struct {
	Info
	Payload P

	db *postgres.DB
}

// Finish queues, in the transaction of the context, that the job is done, so that the changes of the handler and the
// end of the job are committed together. If another attempt has taken the job, the transaction fails and leaves nothing
// behind. If a handler does not call Finish, its job ends after the handler returns nil.
func (j Job[P]) Finish(ctx context.Context) error {
	return platformdb.New(j.db.In(ctx)).FinishJob(ctx, platformdb.FinishJobParams{
		WorkspaceID: j.WorkspaceID, ID: j.ID, Attempt: int32(j.Attempt),
	})
}
