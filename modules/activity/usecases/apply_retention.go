package usecases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// ApplyRetention removes what workspaces do not keep, in small steps. It can be stopped at any point: what it had not removed is removed by
// the next who calls it.
type ApplyRetention struct {
	Runs         ports.RetentionRuns
	Rows         ports.OldRows
	Usage        ports.OldUsage
	Statistics   ports.OldStatistics // nil: the database has them
	Threads      ports.OldThreads
	Log          ports.AuditLog
	Audit        ports.RetentionAudit
	Transactions ports.Transactions
	// In returns a context for work in a workspace.
	In  func(ctx context.Context, workspace uuid.UUID) context.Context
	Now func() time.Time
	// Pause waits between two steps, for other work of the database.
	Pause func(ctx context.Context)
	// Reach is called at points where tests stop the process.
	Reach func(point string)
}

const (
	retentionEvery = 24 * time.Hour   // between two runs of a workspace
	retentionRetry = time.Hour        // until the next run after one that failed
	retentionSlice = 30 * time.Second // for one workspace: then others have their turn
	retentionLease = 2 * time.Minute  // of a workspace: more than a slice with its last step
	retentionTotal = 5 * time.Minute  // of one call
	retentionBatch = 100              // workspaces that are looked for at once
)

// errSliceEnded says that the time of a workspace is up for now.
var errSliceEnded = errors.New("other workspaces have their turn")

// Do works until nothing is due, or for some minutes. Workspaces have their turns: one with much to remove keeps no other from its run.
// It returns the errors of all runs that failed.
func (u ApplyRetention) Do(ctx context.Context) error {
	var failures []error
	for end := u.Now().Add(retentionTotal); u.Now().Before(end) && ctx.Err() == nil; {
		due, err := u.Runs.Due(ctx, retentionBatch)
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("look for workspaces with old data: %w", err))...)
		}
		if len(due) == 0 {
			break
		}
		for _, workspace := range due {
			if !u.Now().Before(end) || ctx.Err() != nil {
				break
			}
			if err := u.Slice(u.In(ctx, workspace), workspace); err != nil {
				failures = append(failures, fmt.Errorf("remove old data of the workspace %s: %w", workspace, err))
			}
		}
	}
	return errors.Join(failures...)
}

// Slice works on a workspace, which is that of the context, for some time, if its run is due and no other process does.
func (u ApplyRetention) Slice(ctx context.Context, workspace uuid.UUID) error {
	r, ok, err := u.Runs.Begin(ctx, retentionLease, retentionEvery)
	if err != nil || !ok {
		return err
	}
	u.Reach("begun")
	err = u.remove(ctx, workspace, r, u.Now())
	switch {
	case errors.Is(err, errSliceEnded):
		return u.Runs.Yield(ctx)
	case ctx.Err() != nil: // the process stops
		return errors.Join(err, u.Runs.Yield(context.WithoutCancel(ctx)))
	}
	failure := ""
	if err != nil {
		failure = "a part of the data could not be removed"
	}
	return errors.Join(err, u.Transactions.Write(ctx, func(ctx context.Context) error {
		removed, err := u.Runs.End(ctx, failure, retentionRetry)
		if err != nil || !removed.Removed() {
			return err
		}
		return u.Audit.Ran(ctx, removed)
	}))
}

// remove removes everything that is too old, kind by kind.
func (u ApplyRetention) remove(ctx context.Context, workspace uuid.UUID, r domain.Retention, now time.Time) error {
	end := now.Add(retentionSlice)
	var failures []error
	for _, part := range u.parts(workspace, r, now) {
		if part.before == nil {
			continue
		}
		for more := true; more; u.Pause(ctx) {
			if !u.Now().Before(end) {
				return errors.Join(append(failures, errSliceEnded)...)
			}
			var err error
			if more, err = part.step(ctx, *part.before); err != nil {
				failures = append(failures, err)
				break
			}
		}
	}
	return errors.Join(failures...)
}

// retentionPart removes one kind of data.
type retentionPart struct {
	before *time.Time // nil: all of it is kept
	// step removes some from before a time, and returns whether there may be more.
	step func(ctx context.Context, before time.Time) (more bool, err error)
}

func (u ApplyRetention) parts(workspace uuid.UUID, r domain.Retention, now time.Time) []retentionPart {
	events, jobs := domain.DaysBefore(now, r.EventsDays), domain.DaysBefore(now, r.JobsDays)
	parts := []retentionPart{
		{domain.DaysBefore(now, r.ThreadsDays), u.threads()},
		{events, u.rows(ports.OldDeliveries, countEvents)},
		{events, u.rows(ports.OldEventBodies, uncounted)},
		{events, u.rows(ports.OldReceived, countEvents)},
		{jobs, u.rows(ports.OldJobs, countJobs)},
		{jobs, u.rows(ports.OldDeadLetters, countJobs)},
		{domain.DaysBefore(now, r.AuditDays), u.log(workspace)},
	}
	usage := domain.MonthsBefore(now, r.UsageMonths)
	parts = append(parts, retentionPart{usage, u.closeUsage}, retentionPart{usage, u.usage(ports.UncountedUsage, uncounted)})
	for _, kind := range []string{ports.OldLatencyQuarters, ports.OldQuarters, ports.OldLatencies, ports.OldDays, ports.OldUsageWarnings, ports.OldUsageCounters} {
		parts = append(parts, retentionPart{usage, u.usage(kind, countUsage)})
	}
	if u.Statistics != nil {
		parts = append(parts, retentionPart{usage, u.statistics})
	}
	return parts
}

func uncounted(int64) (none domain.RetentionCounts) { return none }

func countEvents(n int64) domain.RetentionCounts { return domain.RetentionCounts{Events: n} }

func countJobs(n int64) domain.RetentionCounts { return domain.RetentionCounts{Jobs: n} }

func countUsage(n int64) domain.RetentionCounts { return domain.RetentionCounts{Usage: n} }

// threads returns what deletes some threads at each call, and goes on where the call before has ended.
func (u ApplyRetention) threads() func(ctx context.Context, before time.Time) (more bool, err error) {
	var made time.Time
	var last uuid.UUID
	return func(ctx context.Context, before time.Time) (bool, error) {
		n, at, id, err := u.Threads.DeleteSome(ctx, before, made, last)
		made, last = at, id
		u.Reach("threads")
		if n > 0 {
			err = errors.Join(err, u.Transactions.Write(context.WithoutCancel(ctx), func(ctx context.Context) error {
				return u.Runs.Count(ctx, domain.RetentionCounts{Threads: int64(n)})
			}))
		}
		return last != uuid.Nil, err
	}
}

const cutStep = time.Second // of cutting an audit log: its transactions are shorter

// log returns what removes rows of the audit log of a workspace at each call.
func (u ApplyRetention) log(workspace uuid.UUID) func(ctx context.Context, before time.Time) (more bool, err error) {
	return func(ctx context.Context, before time.Time) (bool, error) {
		n, more, err := u.Log.Cut(ctx, workspace, before, u.Now().Add(cutStep))
		u.Reach("audit")
		if n > 0 {
			err = errors.Join(err, u.Transactions.Write(context.WithoutCancel(ctx), func(ctx context.Context) error {
				return u.Runs.Count(ctx, domain.RetentionCounts{Audit: int64(n)})
			}))
		}
		return more, err
	}
}

// rows returns what removes some rows of a kind at each call, and counts them in the same transaction. It goes on where the call before has
// ended.
func (u ApplyRetention) rows(kind string, count func(n int64) domain.RetentionCounts) func(ctx context.Context, before time.Time) (more bool, err error) {
	var last uuid.UUID
	return func(ctx context.Context, before time.Time) (more bool, err error) {
		after := last
		err = u.Transactions.Write(ctx, func(ctx context.Context) error {
			var n int
			if n, last, err = u.Rows.Remove(ctx, kind, before, after); err != nil || n == 0 {
				return err
			}
			return u.Runs.Count(ctx, count(int64(n)))
		})
		u.Reach(kind)
		return last != uuid.Nil, err
	}
}

// closeUsage has nothing counted any more that happened before a day.
func (u ApplyRetention) closeUsage(ctx context.Context, before time.Time) (more bool, err error) {
	return false, u.Transactions.Write(ctx, func(ctx context.Context) error { return u.Usage.Close(ctx, before) })
}

// usage returns what removes some counters of a kind at each call, and counts them in the same transaction.
func (u ApplyRetention) usage(kind string, count func(n int64) domain.RetentionCounts) func(ctx context.Context, before time.Time) (more bool, err error) {
	return func(ctx context.Context, before time.Time) (more bool, err error) {
		err = u.Transactions.Write(ctx, func(ctx context.Context) error {
			var n int
			if n, more, err = u.Usage.RemoveUsage(ctx, kind, before); err != nil || n == 0 {
				return err
			}
			return u.Runs.Count(ctx, count(int64(n)))
		})
		u.Reach(kind)
		return more, err
	}
}

// statistics removes some statistics from another server.
func (u ApplyRetention) statistics(ctx context.Context, before time.Time) (more bool, err error) {
	n, more, err := u.Statistics.RemoveSome(ctx, before)
	u.Reach("statistics")
	if n > 0 {
		err = errors.Join(err, u.Transactions.Write(context.WithoutCancel(ctx), func(ctx context.Context) error {
			return u.Runs.Count(ctx, countUsage(int64(n)))
		}))
	}
	return more, err
}
