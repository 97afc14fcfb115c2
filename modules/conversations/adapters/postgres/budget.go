package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
)

// Budget reserves costs of turns within the limit of their workspace.
type Budget struct {
	DB     *postgres.DB
	Limits usage.Limits // of workspaces that have none of their own
	Now    func() time.Time
}

// Reserve reserves the costs in a transaction of its own, which commits before it returns.
func (b Budget) Reserve(ctx context.Context, turn uuid.UUID, attempt int, micros int64) error {
	err := b.DB.WriteOnce(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, b.DB)
		_, err := q.ReserveCost(ctx, conversationsdb.ReserveCostParams{
			WorkspaceID: workspace, TurnID: turn, Attempt: int32(attempt), Micros: micros, Moment: b.Now(), Most: b.Limits[usage.Cost],
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("reserve what the turn may cost: %w", err)
	}
	return nil
}
