package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
)

const (
	claimPatience = 10 * time.Second // for one look into the queue
	claimMost     = 100              // jobs at once
)

// look is a way through the queue, which may take several claims where it is long.
type look struct {
	starting uuid.UUID // the workspace that the next claim begins at
	taken    int       // jobs since the way began at the first workspace
}

// claimLoop takes jobs whenever there is room for more, and else waits to be told of some.
func (r *Runner) claimLoop() {
	poll := time.NewTicker(r.Poll)
	defer poll.Stop()
	var at look
	failing := false
	for r.claims.Err() == nil {
		room, kinds, each := r.held.room(r.Workers, r.Registry.limits())
		if room > 0 {
			more, err := r.claim(min(room, claimMost), kinds, each, &at)
			if err != nil && !failing {
				r.Log.Warn("jobs: the queue cannot be read; it is tried again", "error", err)
			}
			if failing && err == nil {
				r.Log.Info("jobs: the queue can be read again")
			}
			failing = err != nil
			if more {
				continue
			}
		}
		wake, freed := r.wake, r.held.freed
		if failing { // neither a notification nor the end of a job is a reason to press a database that is away
			wake, freed = nil, nil
		}
		select {
		case <-wake:
		case <-freed:
		case <-poll.C:
		case <-r.claims.Done():
		}
	}
}

// claim takes some jobs and starts them. More says that there may be others that could be taken right now. The query
// is not cut short when the Runner stops: what it took would wait for the end of its lease.
func (r *Runner) claim(most int, kinds []string, room []int32, at *look) (more bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), claimPatience)
	defer cancel()
	var rows []platformdb.ClaimJobsRow
	err = r.DB.WriteOnce(ctx, func(ctx context.Context) error {
		var err error
		rows, err = platformdb.New(r.DB.In(ctx)).ClaimJobs(ctx, platformdb.ClaimJobsParams{
			Most: int32(most), LeaseSeconds: r.Lease.Seconds(), Kinds: kinds, Room: room, Starting: at.starting,
		})
		return err
	})
	if err != nil {
		return false, err
	}
	at.starting = uuid.Nil
	taken := 0
	for _, row := range rows {
		if row.ID == uuid.Nil { // the queue is longer than one look
			at.starting = row.WorkspaceID
			continue
		}
		taken++
		r.start(&attempt{
			Info: Info{
				ID: row.ID, WorkspaceID: row.WorkspaceID, Kind: row.Kind, Key: row.Key, Attempt: int(row.Attempt),
				Failures: int(row.Failures), MaxAttempts: int(row.MaxAttempts), CreatedAt: row.CreatedAt,
			},
			payload: row.Payload, operation: row.OperationID, trace: row.TraceID,
		})
	}
	at.taken += taken
	if at.starting != uuid.Nil {
		return taken < most, nil
	}
	// At the end of the queue. What others had locked may be free again: only a way that found nothing is the last.
	more = at.taken > 0 && taken < most
	at.taken = 0
	return more, nil
}
