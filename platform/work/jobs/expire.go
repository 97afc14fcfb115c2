package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/work/background"
)

const expireBatch = 1000 // rows of a table at a time

// Expiry returns the task that removes jobs done more than 7 days ago and dead letters older than 90 days.
func (q *Queue) Expiry() background.Task {
	return background.Task{Name: "expire jobs", Every: time.Hour, Timeout: 10 * time.Minute, Cluster: true, Do: background.InBatches(q.Expire)}
}

// Expire removes one batch of what Expiry removes, and returns how many it removed; 0 means that there are no more.
func (q *Queue) Expire(ctx context.Context) (removed int, err error) {
	err = q.db.WriteOnce(ctx, func(ctx context.Context) error {
		n, err := platformdb.New(q.db.In(ctx)).ExpireJobs(ctx, expireBatch)
		removed = int(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expire jobs: %w", err)
	}
	return removed, nil
}
