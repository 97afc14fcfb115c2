package analytics

import (
	"context"
	"time"

	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/resilience"
)

// ExportBatch is how many rows are moved at once, at the most.
const ExportBatch = 1000

// Exporting is the task that empties the outbox, as one process of all.
func Exporting(s Store, every time.Duration) jobs.Periodic {
	return jobs.Periodic{Name: "export analytics", Every: every, Lease: time.Minute, Do: func(ctx context.Context) error {
		_, err := ExportAll(ctx, s)
		if _, refused := resilience.IsRefused(err); refused {
			return nil // the breaker has told that the server is away; what is to be counted waits
		}
		return err
	}}
}

// ExportAll empties the outbox, a batch at a time, and says how many rows it has moved.
func ExportAll(ctx context.Context, s Store) (rows int, err error) {
	for {
		n, err := s.Export(ctx, ExportBatch)
		rows += n
		if err != nil || n == 0 {
			return rows, err
		}
	}
}
