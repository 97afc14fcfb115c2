package app

import (
	"context"
	"time"

	"github.com/parley/parley/modules/activity/adapters/postgres"
	"github.com/parley/parley/modules/activity/entrypoints/rest"
	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/work/background"
)

const (
	retentionTimeout = 10 * time.Minute      // of one call of the task, which ends earlier by itself
	retentionPause   = 20 * time.Millisecond // between two steps
)

// newRetention wires the retention of workspaces, which is a part of the module activity, and the task that applies it.
func newRetention(o activityOptions) (rest.RetentionCalls, background.Task) {
	store := postgres.Retentions{DB: o.db, Audit: o.audit}
	apply := usecases.ApplyRetention{
		Runs: store, Rows: store, Usage: store, Threads: o.oldThreads, Log: audit.NewCutter(o.sealer, o.log), Audit: store, Transactions: o.db, In: inWorkspace, Now: now,
		Pause: func(ctx context.Context) {
			select {
			case <-ctx.Done():
			case <-time.After(retentionPause):
			}
		},
		Reach: func(point string) { o.fault.Reach("retention-" + point) },
	}
	if o.counts.clickhouse != nil {
		apply.Statistics = o.counts.clickhouse
	}
	return rest.RetentionCalls{Put: usecases.PutRetention{Retentions: store, Now: now}, Store: store},
		background.Task{Name: "apply retention", Every: o.upkeep, Timeout: retentionTimeout, Cluster: true, Do: apply.Do}
}
