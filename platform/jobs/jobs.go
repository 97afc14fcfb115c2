// Package jobs does later, and surely, what a change has caused. A job is queued in the transaction of its cause, or
// not at all; it is done at least once, or ends in the dead letters of its workspace.
//
// At least once: a worker that is frozen past its lease, or cut off from the database, may find out too late that
// another has taken its job. What a handler changes in Postgres is nevertheless done exactly once if it does so in one
// transaction with Job.Finish; calls to the outside need a key of their own, for which Info.ID is made.
//
// The states: queued → running → done (kept for 7 days, so that its key makes no second one) or → queued again after a
// failure → dead letter (kept for 90 days).
package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/postgres"
)

// Info is what is known of a job that runs, whatever its payload.
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

// Job is one attempt at a job, as its handler gets it.
type Job[P any] struct {
	Info
	Payload P

	db *postgres.DB
}

// Finish queues, in the transaction of the context, that the job is done: the handler's changes and the end of the job
// are then one. Where another attempt has taken the job, that transaction fails and leaves nothing behind. A handler
// that does not call it has its job ended after it has returned nil.
func (j Job[P]) Finish(ctx context.Context) error {
	return platformdb.New(j.db.In(ctx)).FinishJob(ctx, platformdb.FinishJobParams{
		WorkspaceID: j.WorkspaceID, ID: j.ID, Attempt: int32(j.Attempt),
	})
}
