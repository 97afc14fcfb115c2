package app

import (
	"log/slog"
	"slices"
	"time"

	"github.com/parley/parley/modules/activity/adapters/analytics"
	"github.com/parley/parley/modules/activity/entrypoints/rest"
	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/modules/conversations"
	counts "github.com/parley/parley/platform/data/analytics"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/fault"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/work/jobs"
)

// activityOptions are the options of newActivity.
type activityOptions struct {
	db         *postgres.DB
	counts     countStore
	interval   time.Duration // between two exports of counts
	audit      *audit.Log
	sealer     *audit.Sealer
	log        *slog.Logger
	anchor     *audit.Anchor // nil: there is none
	jobs       *jobs.Queue
	quota      *usage.Quota
	commands   *command.Pipeline
	cursors    page.Key
	exports    exportOptions
	oldThreads conversations.OldThreads
	fault      *fault.Point
	upkeep     time.Duration // between two looks for runs that remove old data
}

// newActivity wires the module activity.
func newActivity(o activityOptions) module {
	exports, added := newExports(o.exports)
	retention, applying := newRetention(o)
	return module{
		mount: rest.Server{
			Report:    usecases.Report{Analytics: analytics.Analytics{Reports: counts.Reports{DB: o.db, Store: o.counts, Now: now}}, Now: now},
			Audit:     o.audit,
			Sealer:    o.sealer,
			Jobs:      o.jobs,
			Usage:     o.quota,
			Commands:  o.commands,
			Cursors:   o.cursors,
			Exports:   exports,
			Retention: retention,
		}.Mount,
		handlers:     added.handlers,
		tasks:        append(added.tasks, counts.Exporting(o.counts, o.interval), applying),
		onDeadLetter: added.onDeadLetter,
		onPurge:      slices.Concat(anchorPurge(o.anchor), countsPurge(o.counts)),
	}
}

// countsPurge returns the hook that removes the counts of a purged workspace from a ClickHouse; none where there is no
// ClickHouse.
func countsPurge(store countStore) []purgeHook {
	if store.clickhouse == nil {
		return nil
	}
	return []purgeHook{store.clickhouse.Forget}
}

// anchorPurge returns the hook that removes the anchor of a purged workspace; none where there is no anchor.
func anchorPurge(anchor *audit.Anchor) []purgeHook {
	if anchor == nil {
		return nil
	}
	return []purgeHook{anchor.Forget}
}
