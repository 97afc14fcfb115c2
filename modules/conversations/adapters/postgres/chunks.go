package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/work/background"
)

// Chunks stores the text of streamed attempts.
type Chunks struct{ DB *postgres.DB }

// Append stores chunks. It may be called again for the same batch, also with more chunks.
func (c Chunks) Append(ctx context.Context, turn uuid.UUID, attempt, first int, chunks []string) error {
	err := c.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, c.DB)
		if len(chunks) == 0 {
			return q.TellOfTurn(ctx, turn.String())
		}
		return q.AppendTurnEvents(ctx, conversationsdb.AppendTurnEventsParams{
			WorkspaceID: workspace, TurnID: turn, Attempt: int32(attempt), First: int32(first), Pieces: chunks,
		})
	})
	if err != nil {
		return fmt.Errorf("keep what the turn says: %w", err)
	}
	return nil
}

func (c Chunks) List(ctx context.Context, turn uuid.UUID, attempt, after int) (chunks []string, first int, err error) {
	q, workspace := queries(ctx, c.DB)
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
		chunks = append(chunks, row.Pieces...)
	}
	return chunks, first, nil
}

func (c Chunks) Any(ctx context.Context, turn uuid.UUID) (bool, error) {
	q, workspace := queries(ctx, c.DB)
	streamed, err := q.WasStreamed(ctx, conversationsdb.WasStreamedParams{WorkspaceID: workspace, TurnID: turn})
	if err != nil {
		return false, fmt.Errorf("ask whether the turn was streamed: %w", err)
	}
	return streamed, nil
}

const expireBatch = 1000 // rows at a time

// Expiry returns the task that removes chunks that are more than a day old.
func (c Chunks) Expiry() background.Task {
	return background.Task{Name: "expire turn events", Every: time.Hour, Timeout: 10 * time.Minute, Cluster: true, Do: background.InBatches(c.Expire)}
}

// Expire removes one batch of expired chunks. It returns how many rows it has removed; 0 means that none is left.
func (c Chunks) Expire(ctx context.Context) (removed int, err error) {
	err = c.DB.WriteOnce(ctx, func(ctx context.Context) error {
		n, err := conversationsdb.New(c.DB.In(ctx)).ExpireTurnEvents(ctx, expireBatch)
		removed = int(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expire turn events: %w", err)
	}
	return removed, nil
}
