package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/resilience"
)

// exportBatch is the maximum number of rows moved at once.
const exportBatch = 1000

// Exporting returns the task that empties the outbox. Only one of all processes runs it at a time.
func Exporting(s Store, every time.Duration) background.Task {
	return background.Task{Name: "export analytics", Every: every, Timeout: time.Minute, Cluster: true, Do: func(ctx context.Context) error {
		_, err := ExportAll(ctx, s)
		if _, refused := resilience.IsRefused(err); refused {
			return nil // the breaker has logged that the server is unavailable; the rows stay in the outbox
		}
		return err
	}}
}

// ExportAll empties the outbox in batches, and returns how many rows it has moved.
func ExportAll(ctx context.Context, s Store) (rows int, err error) {
	for {
		n, err := s.Export(ctx, exportBatch)
		rows += n
		if err != nil || n == 0 {
			return rows, err
		}
	}
}

// deepest is how far Depth counts.
const deepest = 100_000

// Depth returns how many rows of all workspaces wait in the outbox, up to 100,000.
func Depth(ctx context.Context, db *postgres.DB) (int, error) {
	n, err := platformdb.New(db.In(ctx)).AnalyticsDepth(ctx, deepest)
	if err != nil {
		return 0, fmt.Errorf("count what waits for analytics: %w", err)
	}
	return int(n), nil
}
