package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
)

const (
	claimTimeout   = 10 * time.Second      // for one look into the queue
	claimBatchSize = 100                   // jobs at once, of each sort of slots
	lockedPause    = 10 * time.Millisecond // where others had locked what could have been taken; it doubles, up to Poll
)

// look is a way through the queue, which may take several claims where it is long.
type look struct {
	workspace    uuid.UUID // with the three below: the group of jobs that the next claim goes on after
	kind, target string
	priority     int32
	locked       bool // other processes had locked jobs
}

// startOfQueue is where a way begins: before all groups.
func startOfQueue() look { return look{priority: -1 << 15} }

// claimLoop claims jobs while slots are free. Otherwise it waits for a notification or for the next poll.
func (r *Runner) claimLoop() {
	poll := time.NewTicker(r.Poll)
	defer poll.Stop()
	at := startOfQueue()
	failing := false
	pause := lockedPause
	for r.claims.Err() == nil {
		var again <-chan time.Time
		if slots, free := r.held.freeSlots(r.Registry.options()); free {
			more, locked, err := r.claim(slots, &at)
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
			if locked {
				again = time.After(pause)
				pause = min(2*pause, r.Poll)
			} else {
				pause = lockedPause
			}
		}
		wake, freed := r.wake, r.held.freed
		if failing { // neither a notification nor the end of a job is a reason to press a database that is away
			wake, freed = nil, nil
		}
		select {
		case <-wake:
		case <-freed:
		case <-again:
		case <-poll.C:
		case <-r.claims.Done():
		}
	}
}

// claim takes some jobs and starts them. More says that the queue goes on, locked that it has ended and other processes
// had locked jobs in it. The query is not cut short when the Runner stops: what it took would wait for the end of its lease.
func (r *Runner) claim(p platformdb.TakeJobsParams, at *look) (more, locked bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), claimTimeout)
	defer cancel()
	p.LeaseSeconds = r.Lease.Seconds()
	p.AfterWorkspace, p.AfterKind, p.AfterTarget, p.AfterPriority = at.workspace, at.kind, at.target, at.priority
	var rows []platformdb.TakeJobsRow
	err = r.DB.WriteOnce(ctx, func(ctx context.Context) error {
		var err error
		rows, err = platformdb.New(r.DB.In(ctx)).TakeJobs(ctx, p)
		return err
	})
	if err != nil {
		return false, false, err
	}
	next := startOfQueue()
	locked = at.locked
	for _, row := range rows {
		if row.ID == uuid.Nil { // no job: where to go on
			locked = locked || row.Sort > 0
			if row.WorkspaceID != uuid.Nil {
				more, next = true, look{workspace: row.WorkspaceID, kind: row.Kind, target: row.Target, priority: row.Attempt}
			}
			continue
		}
		k, _ := r.Registry.find(row.Kind)
		r.start(&attempt{
			Info: Info{
				ID: row.ID, WorkspaceID: row.WorkspaceID, Kind: row.Kind, Key: row.Key, Attempt: int(row.Attempt),
				Failures: int(row.Failures), MaxAttempts: int(row.MaxAttempts), CreatedAt: row.CreatedAt,
			},
			payload: row.Payload, operation: row.OperationID, trace: row.TraceID, target: row.Target,
			pool: r.held.pools.of(k.KindOptions), known: sort(row.Sort),
		})
	}
	if more {
		next.locked = locked
	}
	*at = next
	return more, locked && !more, nil
}
