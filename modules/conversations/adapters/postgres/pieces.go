package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/postgres"
)

// Pieces implements ports.Pieces.
type Pieces struct{ DB *postgres.DB }

// Append implements ports.Pieces. The same batch may be appended again, also grown.
func (p Pieces) Append(ctx context.Context, turn uuid.UUID, attempt, first int, pieces []string) error {
	err := p.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, p.DB)
		if len(pieces) == 0 {
			return q.TellOfTurn(ctx, turn.String())
		}
		return q.AppendTurnEvents(ctx, conversationsdb.AppendTurnEventsParams{
			WorkspaceID: workspace, TurnID: turn, Attempt: int32(attempt), First: int32(first), Pieces: pieces,
		})
	})
	if err != nil {
		return fmt.Errorf("keep what the turn says: %w", err)
	}
	return nil
}

// List implements ports.Pieces.
func (p Pieces) List(ctx context.Context, turn uuid.UUID, attempt, after int) (pieces []string, first int, err error) {
	q, workspace := queries(ctx, p.DB)
	rows, err := q.ListTurnEvents(ctx, conversationsdb.ListTurnEventsParams{
		WorkspaceID: workspace, TurnID: turn, Attempt: int32(attempt), After: int32(after),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read what the turn says: %w", err)
	}
	for i, row := range rows {
		if i == 0 {
			first = int(row.First)
		}
		pieces = append(pieces, row.Pieces...)
	}
	return pieces, first, nil
}

// Any implements ports.Pieces.
func (p Pieces) Any(ctx context.Context, turn uuid.UUID) (bool, error) {
	q, workspace := queries(ctx, p.DB)
	streamed, err := q.WasStreamed(ctx, conversationsdb.WasStreamedParams{WorkspaceID: workspace, TurnID: turn})
	if err != nil {
		return false, fmt.Errorf("ask whether the turn was streamed: %w", err)
	}
	return streamed, nil
}

const expireBatch = 1000 // rows at a time

// Expiry is the task that removes what was said more than a day ago.
func (p Pieces) Expiry() jobs.Periodic {
	return jobs.Periodic{Name: "expire turn events", Every: time.Hour, Lease: 10 * time.Minute, Do: func(ctx context.Context) error {
		for {
			if n, err := p.Expire(ctx); err != nil || n == 0 {
				return err
			}
		}
	}}
}

// Expire does what Expiry does, some at a time. It says how many rows it removed: 0 means that there are no more.
func (p Pieces) Expire(ctx context.Context) (removed int, err error) {
	err = p.DB.WriteOnce(ctx, func(ctx context.Context) error {
		n, err := conversationsdb.New(p.DB.In(ctx)).ExpireTurnEvents(ctx, expireBatch)
		removed = int(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expire turn events: %w", err)
	}
	return removed, nil
}
