package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/jobs"
)

var _ ports.OwnedThreads = OwnedThreads{}

// OwnedThreads are the threads of end users.
type OwnedThreads struct{ Erasures Erasures }

// Limits of the deletion of an end user's threads. Those beyond both are found as any erasure that has not ended (LocateDeletedThreads).
const (
	erasedAtOnce = 20  // in the transaction of the deletion
	queuedAtOnce = 500 // to be erased by jobs
)

func (s OwnedThreads) Lock(ctx context.Context, owner uuid.UUID) (threads []uuid.UUID, running []ports.RunningTurn, err error) {
	q, workspace := queries(ctx, s.Erasures.DB)
	threads, err = q.LockThreadsOfOwner(ctx, conversationsdb.LockThreadsOfOwnerParams{WorkspaceID: workspace, OwnerID: owner})
	if err != nil {
		return nil, nil, fmt.Errorf("lock the threads of the end user: %w", err)
	}
	rows, err := q.StopTurnsOfOwner(ctx, conversationsdb.StopTurnsOfOwnerParams{WorkspaceID: workspace, Threads: threads})
	if err != nil {
		return nil, nil, fmt.Errorf("stop the turns of the end user: %w", err)
	}
	for _, row := range rows {
		running = append(running, ports.RunningTurn{TurnID: row.ID, ThreadID: row.ThreadID})
	}
	return threads, running, nil
}

func (s OwnedThreads) Delete(ctx context.Context, threads []uuid.UUID) error {
	q, workspace := queries(ctx, s.Erasures.DB)
	if err := q.MarkThreadsDeleted(ctx, conversationsdb.MarkThreadsDeletedParams{WorkspaceID: workspace, Threads: threads}); err != nil {
		return err
	}
	for i, thread := range threads[:min(len(threads), erasedAtOnce+queuedAtOnce)] {
		more := true
		if i < erasedAtOnce {
			var err error
			if more, err = s.Erasures.erase(ctx, thread); err != nil {
				return err
			}
		}
		if !more {
			continue
		}
		if err := s.Erasures.Queue.Enqueue(ctx, EraseKind, Erase{thread}, jobs.Options{Key: thread.String()}); err != nil {
			return err
		}
	}
	return nil
}
