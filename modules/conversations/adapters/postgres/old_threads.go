package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
)

var _ ports.OldThreads = OldThreads{}

// oldThreadsBatch is how many threads are looked at at once.
const oldThreadsBatch = 20

// OldThreads finds threads in which nothing was said for long.
type OldThreads struct{ DB *postgres.DB }

func (s OldThreads) Next(ctx context.Context, before time.Time, after ports.ThreadPosition) (old []uuid.UUID, last ports.ThreadPosition, err error) {
	q, workspace := queries(ctx, s.DB)
	rows, err := q.ThreadsWithoutActivity(ctx, conversationsdb.ThreadsWithoutActivityParams{
		WorkspaceID: workspace, AfterTime: after.At, AfterID: after.ID, Before: before, MaxRows: oldThreadsBatch,
	})
	if err != nil {
		return nil, last, fmt.Errorf("look for old threads: %w", err)
	}
	for _, row := range rows {
		if row.Old {
			old = append(old, row.ID)
		}
	}
	if len(rows) == oldThreadsBatch {
		end := rows[len(rows)-1]
		last = ports.ThreadPosition{At: end.CreatedAt, ID: end.ID}
	}
	return old, last, nil
}

func (s OldThreads) IsOld(ctx context.Context, thread uuid.UUID, before time.Time) (bool, error) {
	q, workspace := queries(ctx, s.DB)
	_, err := q.LockThreadToErase(ctx, conversationsdb.LockThreadToEraseParams{WorkspaceID: workspace, ThreadID: thread})
	if postgres.IsMissing(err) {
		return false, ports.ErrThreadNotFound
	}
	if err != nil {
		return false, fmt.Errorf("lock the thread: %w", err)
	}
	active, err := q.ThreadHasActivity(ctx, conversationsdb.ThreadHasActivityParams{WorkspaceID: workspace, ThreadID: thread, Before: before})
	if err != nil {
		return false, fmt.Errorf("check whether the thread is old: %w", err)
	}
	return !active, nil
}

func (s OldThreads) InTransaction(ctx context.Context, step func(ctx context.Context) error) error {
	return s.DB.Write(ctx, step)
}
