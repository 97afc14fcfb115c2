package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/modules/activity/usecases"
	platform "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// attic is a workspace with old rows.
type attic struct {
	db        *platform.DB
	su        *pgx.Conn
	store     Retentions
	workspace uuid.UUID
	in        context.Context
}

func newAttic(t *testing.T) *attic {
	t.Helper()
	url := pg.URL(t)
	a := &attic{db: pg.Open(t, url), su: pg.Superuser(t, url), workspace: uuid.New()}
	a.store, a.in = Retentions{DB: a.db, Audit: audit.NewLog(a.db)}, callctx.As(t.Context(), a.workspace, uuid.Nil)
	a.exec(t, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", a.workspace)
	days := int32(5)
	require.NoError(t, a.db.Write(a.in, func(ctx context.Context) error {
		now := time.Now().Add(-time.Second)
		_, err := a.store.Put(ctx, domain.Retention{EventsDays: &days, JobsDays: &days}, &now)
		return err
	}))
	return a
}

func (a *attic) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := a.su.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (a *attic) number(t *testing.T, sql string) (n int) {
	t.Helper()
	require.NoError(t, a.su.QueryRow(t.Context(), sql).Scan(&n))
	return n
}

// fill makes so many old deliveries, each with an attempt and a body, and as many old jobs that are done.
func (a *attic) fill(t *testing.T, n int) {
	t.Helper()
	a.exec(t, `INSERT INTO webhook_subscriptions (workspace_id, id, url, events, secrets, status, created_by, created_at)
		VALUES ($1, $1, 'https://example.com', '{turn.completed}', '[]', 'active', $1, now())`, a.workspace)
	const id = `(lpad(to_hex(floor(extract(epoch FROM now() - interval '9 days') * 1000)::bigint), 12, '0') || lpad(to_hex(n), 20, '0'))::uuid`
	a.exec(t, `INSERT INTO webhook_deliveries (workspace_id, id, subscription_id, event_id, event_type, status, created_at, finished_at)
		SELECT $1, `+id+`, $1, `+id+`, 'turn.completed', 'delivered', now() - interval '9 days', now() - interval '9 days' FROM generate_series(1, $2::integer) n`, a.workspace, n)
	a.exec(t, `INSERT INTO webhook_attempts SELECT workspace_id, id, 1, now(), 200, 1, repeat('x', 200), NULL FROM webhook_deliveries`)
	a.exec(t, `INSERT INTO event_bodies SELECT workspace_id, event_id, repeat('x', 500), created_at FROM webhook_deliveries`)
	a.exec(t, `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, status, created_at, finished_at)
		SELECT $1, `+id+`, 'kind', n::text, '{}', 't', 3, 'done', now() - interval '9 days', now() - interval '9 days' FROM generate_series(1, $2::integer) n`, a.workspace, n)
}

// noThreads has no threads.
type noThreads struct{}

func (noThreads) DeleteSome(context.Context, time.Time, time.Time, uuid.UUID) (int, time.Time, uuid.UUID, error) {
	return 0, time.Time{}, uuid.Nil, nil
}

func (a *attic) apply(reach func(point string)) usecases.ApplyRetention {
	return usecases.ApplyRetention{
		Runs: a.store, Rows: a.store, Usage: a.store, Threads: noThreads{}, Audit: a.store, Transactions: a.db, Now: time.Now,
		In: func(ctx context.Context, workspace uuid.UUID) context.Context {
			return callctx.As(ctx, workspace, uuid.Nil)
		},
		Pause: func(context.Context) {}, Reach: reach,
	}
}

// errKilled is what ends a goroutine in the place of its process.
var errKilled = errors.New("killed")

func TestARunThatWasKilledAnywhereGoesOnAndCountsEachRowOnce(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"begun", ports.OldDeliveries, ports.OldEventBodies, ports.OldJobs} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			a := newAttic(t)
			a.fill(t, 2500)
			kill := a.apply(func(at string) {
				if at == point {
					panic(errKilled)
				}
			})
			require.PanicsWithError(t, errKilled.Error(), func() { _ = kill.Do(t.Context()) })
			state, err := a.store.Get(a.in)
			require.NoError(t, err)
			require.Nil(t, state.LastRun.EndedAt)

			whole := a.apply(func(string) {})
			require.NoError(t, whole.Do(t.Context()))
			require.Positive(t, a.number(t, `SELECT count(*) FROM job_queue`), "the lease of the process that died is not over")
			a.exec(t, `UPDATE workspace_retention SET lease_until = now() - interval '1 second'`)
			require.NoError(t, whole.Do(t.Context()))
			for _, table := range []string{"webhook_deliveries", "webhook_attempts", "event_bodies", "job_queue"} {
				require.Zero(t, a.number(t, `SELECT count(*) FROM `+table), table)
			}
			state, err = a.store.Get(a.in)
			require.NoError(t, err)
			require.NotNil(t, state.LastRun.EndedAt)
			require.Equal(t, domain.RetentionCounts{Events: 2500, Jobs: 2500}, state.LastRun.Removed)
			require.Equal(t, 1, a.number(t, `SELECT count(*) FROM audit_log WHERE action = 'retention.run' AND changes = '{"threads": 0, "events": 2500, "jobs": 2500, "audit": 0, "usage": 0}'`))
		})
	}
}

func TestOfTwoProcessesOneWorksOnAWorkspace(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.fill(t, 1500)
	var begun atomic.Int32
	u := a.apply(func(at string) {
		if at == "begun" {
			begun.Add(1)
		}
	})
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { _ = u.Slice(a.in, a.workspace) })
	}
	all.Wait()
	require.EqualValues(t, 1, begun.Load())
	require.Equal(t, 1, a.number(t, `SELECT count(*) FROM audit_log WHERE action = 'retention.run'`))
}

// A store that fails once is followed by another run within the hour, and its other kinds are removed all the same.
type failing struct{ ports.OldRows }

func (f failing) Remove(ctx context.Context, kind string, before time.Time, after uuid.UUID) (int, uuid.UUID, error) {
	if kind == ports.OldDeliveries {
		return 0, uuid.Nil, errors.New("away")
	}
	return f.OldRows.Remove(ctx, kind, before, after)
}

func TestAKindThatFailsKeepsNoOtherFromBeingRemoved(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.fill(t, 10)
	u := a.apply(func(string) {})
	u.Rows = failing{a.store}
	require.ErrorContains(t, u.Do(t.Context()), "away")
	state, err := a.store.Get(a.in)
	require.NoError(t, err)
	require.NotEmpty(t, state.LastRun.Failure)
	require.NotContains(t, state.LastRun.Failure, "away")
	require.EqualValues(t, 10, state.LastRun.Removed.Jobs)
	require.WithinDuration(t, time.Now().Add(time.Hour), *state.NextRunAt, 10*time.Minute)
}

func TestARunLooksAtABatchOfRowsInAStep(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.fill(t, 10*removeBatch)
	steps := map[string]int{}
	require.NoError(t, a.apply(func(at string) { steps[at]++ }).Do(t.Context()))
	for _, kind := range []string{ports.OldDeliveries, ports.OldEventBodies, ports.OldJobs} {
		require.Equal(t, 11, steps[kind], kind)
	}
	require.Zero(t, a.number(t, `SELECT count(*) FROM webhook_attempts`))
}

// cutter is an audit log of some rows, of which a call removes 10 at the most.
type cutter struct {
	rows      int
	workspace uuid.UUID
	before    time.Time
}

func (c *cutter) Cut(_ context.Context, workspace uuid.UUID, before, _ time.Time) (removed int, more bool, err error) {
	removed = min(c.rows, 10)
	c.rows, c.workspace, c.before = c.rows-removed, workspace, before
	return removed, c.rows > 0, nil
}

func TestTheAuditLogIsCutUntilNothingIsLeftThatIsTooOld(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	_, err := a.su.Exec(t.Context(), `UPDATE workspace_retention SET audit_days = 89`)
	require.ErrorContains(t, err, "workspace_retention_audit_days_check")
	a.exec(t, `UPDATE workspace_retention SET audit_days = 90`)
	u, log := a.apply(func(string) {}), &cutter{rows: 25}
	u.Log = log
	require.NoError(t, u.Do(t.Context()))
	require.Zero(t, log.rows)
	require.Equal(t, a.workspace, log.workspace)
	require.WithinDuration(t, time.Now().AddDate(0, 0, -90), log.before, time.Hour)
	state, err := a.store.Get(a.in)
	require.NoError(t, err)
	require.Equal(t, domain.RetentionCounts{Audit: 25}, state.LastRun.Removed)
}

// count makes so many counters of each kind and month for a workspace, of this month (0) and of months before.
func (a *attic) count(t *testing.T, workspace uuid.UUID, n int, months ...int) {
	t.Helper()
	for _, ago := range months {
		const first = `(date_trunc('month', now() AT TIME ZONE 'UTC') - $2::integer * interval '1 month')`
		for _, sql := range []string{
			`INSERT INTO usage_counters (workspace_id, month, slot, turns, tokens, messages, webhook_events, storage_bytes) SELECT $1, ` + first + `, n, 1, 1, 1, 1, 0 FROM generate_series(1, least($3::integer, 32)) n`,
			`INSERT INTO usage_warnings (workspace_id, month, metric) SELECT $1, ` + first + `, 'turns' WHERE $3::integer > 0`,
			`INSERT INTO analytics_daily SELECT $1, ` + first + `, gen_random_uuid(), 1, 1, 0, 2, 0, 0, 0, 0, 0 FROM generate_series(1, $3::integer)`,
			`INSERT INTO analytics_latency SELECT $1, ` + first + `, gen_random_uuid(), 1, 1 FROM generate_series(1, $3::integer)`,
			`INSERT INTO analytics_quarters SELECT $1, ` + first + ` AT TIME ZONE 'UTC', gen_random_uuid(), 1, 1, 0, 2, 0, 0, 0, 0, 0 FROM generate_series(1, $3::integer)`,
			`INSERT INTO analytics_latency_quarters SELECT $1, ` + first + ` AT TIME ZONE 'UTC', gen_random_uuid(), 1, 1 FROM generate_series(1, $3::integer)`,
		} {
			a.exec(t, sql, workspace, ago, n)
		}
	}
}

// counters has every table of counters with the column that says of when a row is, in UTC.
var counters = map[string]string{
	"usage_counters": "month", "usage_warnings": "month", "analytics_daily": "day", "analytics_latency": "day",
	"analytics_quarters": "quarter AT TIME ZONE 'UTC'", "analytics_latency_quarters": "quarter AT TIME ZONE 'UTC'",
}

func TestCountersOfOldMonthsGoAndThoseOfThisMonthAndOfStorageStay(t *testing.T) {
	t.Parallel()
	a, other := newAttic(t), uuid.New()
	a.exec(t, "INSERT INTO workspaces VALUES ($1, 'Other', now())", other)
	a.count(t, a.workspace, 450, 0, 1, 2, 5)
	a.count(t, other, 1, 5)
	a.exec(t, `INSERT INTO usage_counters (workspace_id, month, slot, turns, tokens, messages, webhook_events, storage_bytes) VALUES ($1, '0001-01-01', 1, 0, 0, 0, 0, 4711)`, a.workspace)
	a.exec(t, `UPDATE workspace_retention SET usage_months = 1`)
	require.NoError(t, a.apply(func(string) {}).Do(t.Context()))
	const kept = `date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month'`
	for table, when := range counters {
		require.Zero(t, a.number(t, `SELECT count(*) FROM `+table+` WHERE workspace_id = '`+a.workspace.String()+`' AND `+when+` < `+kept+` AND `+when+` > '0001-01-01'`), table)
		require.Equal(t, 2, a.number(t, `SELECT count(DISTINCT `+when+`) FROM `+table+` WHERE workspace_id = '`+a.workspace.String()+`' AND `+when+` > '0001-01-01'`), "%s: this month and the one before", table)
		require.Positive(t, a.number(t, `SELECT count(*) FROM `+table+` WHERE workspace_id = '`+other.String()+`'`), "%s of another workspace", table)
	}
	require.Equal(t, 4711, a.number(t, `SELECT storage_bytes FROM usage_counters WHERE month = '0001-01-01'`))
	state, err := a.store.Get(a.in)
	require.NoError(t, err)
	require.Equal(t, domain.RetentionCounts{Usage: 2 * (4*450 + 32 + 1)}, state.LastRun.Removed)
}

// Whatever a caller asks for: limits are held by what the current month has counted, and storage has no month.
func TestTheCountersOfTheCurrentMonthCannotBeRemoved(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.count(t, a.workspace, 3, 0)
	a.exec(t, `INSERT INTO usage_counters (workspace_id, month, slot, turns, tokens, messages, webhook_events, storage_bytes) VALUES ($1, '0001-01-01', 1, 0, 0, 0, 0, 4711)`, a.workspace)
	require.NoError(t, a.db.Write(a.in, func(ctx context.Context) error {
		for _, kind := range []string{ports.OldLatencyQuarters, ports.OldQuarters, ports.OldLatencies, ports.OldDays, ports.OldUsageWarnings, ports.OldUsageCounters} {
			removed, more, err := a.store.RemoveUsage(ctx, kind, time.Now().AddDate(1, 0, 0))
			require.NoError(t, err, kind)
			require.Zero(t, removed, kind)
			require.False(t, more, kind)
		}
		return nil
	}))
	require.Equal(t, 4, a.number(t, `SELECT count(*) FROM usage_counters`))
}

// waitForLock waits until a session of the test's database waits for a lock.
func (a *attic) waitForLock(t *testing.T) {
	t.Helper()
	watch := pg.Superuser(t, a.su.Config().ConnString())
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
		return n > 0
	}, 30*time.Second, 10*time.Millisecond)
}

// An export that began before the run does not know that the old months are closed. The run waits for it and then removes what it has counted.
func TestARunRemovesWhatAnExportCountsThatBeganBefore(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.exec(t, `UPDATE workspace_retention SET usage_months = 1`)
	a.exec(t, `INSERT INTO analytics_outbox (workspace_id, kind, count, at) VALUES ($1, 'audit', 7, now() - interval '100 days')`, a.workspace)
	export, err := a.su.Begin(t.Context())
	require.NoError(t, err)
	_, err = export.Exec(t.Context(), `SELECT app.roll_up_analytics(10, '{0}')`)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- a.apply(func(string) {}).Do(t.Context()) }()
	a.waitForLock(t)
	require.NoError(t, export.Commit(t.Context()))
	require.NoError(t, <-done)
	require.Zero(t, a.number(t, `SELECT count(*) FROM analytics_daily`))
	require.Zero(t, a.number(t, `SELECT count(*) FROM analytics_quarters`))
	state, err := a.store.Get(a.in)
	require.NoError(t, err)
	require.Equal(t, domain.RetentionCounts{Usage: 2}, state.LastRun.Removed)
}

// server is another server with statistics, which fails once.
type server struct {
	fails bool
	rows  int
}

func (s *server) RemoveSome(context.Context, time.Time) (removed int, more bool, err error) {
	if s.fails {
		s.fails = false
		return 0, false, errors.New("away")
	}
	removed = min(s.rows, 10)
	s.rows -= removed
	return removed, removed > 0, nil
}

func TestARunThatFailedIsNotRepeatedWhereEverythingIsKeptByThen(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]bool{"kept": true, "not kept": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttic(t)
			a.exec(t, `UPDATE workspace_retention SET usage_months = 1`)
			away := &server{fails: true, rows: 25}
			u := a.apply(func(point string) {
				if point == "begun" && kept {
					require.NoError(t, a.db.Write(a.in, func(ctx context.Context) error {
						_, err := a.store.Put(ctx, domain.Retention{}, nil)
						return err
					}))
				}
			})
			u.Statistics = away
			require.ErrorContains(t, u.Do(t.Context()), "away")
			state, err := a.store.Get(a.in)
			require.NoError(t, err)
			require.NotEmpty(t, state.LastRun.Failure)
			if kept {
				require.Nil(t, state.NextRunAt)
				a.exec(t, `UPDATE workspace_retention SET lease_until = now() - interval '1 second'`)
				require.NoError(t, u.Do(t.Context()))
				require.Equal(t, 25, away.rows)
				return
			}
			require.WithinDuration(t, time.Now().Add(time.Hour), *state.NextRunAt, 10*time.Minute)
			a.exec(t, `UPDATE workspace_retention SET lease_until = now() - interval '1 second', next_run_at = now()`)
			require.NoError(t, u.Do(t.Context()))
			require.Zero(t, away.rows)
		})
	}
}
