package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
)

// Depth is the number of jobs over all workspaces, by state.
type Depth struct {
	Queued, Running, Dead int
	Oldest                time.Duration // how long the job that is due for longest has waited; 0: none is due
}

// Depth returns the number of jobs by state.
func (q *Queue) Depth(ctx context.Context) (Depth, error) {
	row, err := platformdb.New(q.db.In(ctx)).QueueDepth(ctx)
	if err != nil {
		return Depth{}, fmt.Errorf("count the jobs: %w", err)
	}
	return Depth{
		Queued: int(row.Queued), Running: int(row.Running), Dead: int(row.Dead),
		Oldest: time.Duration(row.OldestSeconds * float64(time.Second)),
	}, nil
}
