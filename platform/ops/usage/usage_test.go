package usage_test

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

var november = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

// bundle is a Quota with two tenants, and its clock.
type bundle struct {
	*usage.Quota
	url  string
	su   *pgx.Conn // not subject to row-level security
	a, b context.Context
	now  time.Time
}

func setup(t *testing.T, limits usage.Limits) *bundle {
	t.Helper()
	url, a, b := pg.URL(t), uuid.New(), uuid.New()
	s := &bundle{url: url, su: pg.Superuser(t, url), now: november}
	s.Quota = &usage.Quota{DB: pg.Open(t, url), Limits: limits, Now: func() time.Time { return s.now }}
	s.exec(t, "INSERT INTO workspaces VALUES ($1, 'A', now()), ($2, 'B', now())", a, b)
	s.a, s.b = callctx.As(t.Context(), a, uuid.New()), callctx.As(t.Context(), b, uuid.New())
	return s
}

func (s *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := s.su.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (s *bundle) use(ctx context.Context, metric usage.Metric, n int64) error {
	return s.DB.Write(ctx, func(ctx context.Context) error { return s.Add(ctx, metric, n) })
}

// used is what the report says of a metric.
func (s *bundle) used(ctx context.Context, t *testing.T, metric usage.Metric) usage.Used {
	t.Helper()
	list, err := s.Report(ctx, usage.Month(s.now))
	require.NoError(t, err)
	require.Len(t, list, len(usage.Metrics()))
	for _, u := range list {
		if u.Metric == metric {
			return u
		}
	}
	t.Fatalf("the report lacks %s", metric)
	return usage.Used{}
}

// warnings counts the jobs that warn of a metric.
func (s *bundle) warnings(t *testing.T, metric usage.Metric) (n int) {
	t.Helper()
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT count(*) FROM job_queue WHERE kind = $1 AND payload ->> 'metric' = $2", usage.Kind, metric).Scan(&n))
	return n
}

func TestWhatIsUsedAtOnceIsAllCounted(t *testing.T) {
	t.Parallel()
	s := setup(t, nil)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 10 {
				require.NoError(t, s.use(s.a, usage.Turns, 3))
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 960, s.used(s.a, t, usage.Turns).Amount)
	require.Zero(t, s.used(s.b, t, usage.Turns).Amount, "another workspace's")
	var slots int
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT count(*) FROM usage_counters").Scan(&slots))
	require.Greater(t, slots, 1, "all counted in one row")
}

// Two connections may share a slot, and both may find that it has no row yet.
func TestTheFirstTwoOfASlotAreBothCounted(t *testing.T) {
	t.Parallel()
	s := setup(t, nil)
	first, err := s.su.Begin(t.Context())
	require.NoError(t, err)
	_, err = first.Exec(t.Context(), `INSERT INTO usage_counters SELECT $1, '2026-11-01', slot, 1, 1, 1, 1, 0 FROM generate_series(0, 31) slot`,
		callctx.From(s.a).Principal.WorkspaceID)
	require.NoError(t, err)
	second := make(chan error, 1)
	go func() { second <- s.use(s.a, usage.Turns, 10) }()
	other := pg.Superuser(t, s.url)
	require.Eventually(t, func() bool {
		var waiting int
		err := other.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		return err == nil && waiting == 1
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, first.Commit(t.Context()))
	require.NoError(t, <-second)
	require.EqualValues(t, 42, s.used(s.a, t, usage.Turns).Amount)
	require.EqualValues(t, 32, s.used(s.a, t, usage.Tokens).Amount)
}

func TestALimitHoldsExactlyAndLeavesNothingOfWhatItRefuses(t *testing.T) {
	t.Parallel()
	s := setup(t, usage.Limits{usage.Storage: 100, usage.Turns: 0})
	require.NoError(t, s.use(s.a, usage.Storage, 60))
	require.NoError(t, s.use(s.a, usage.Storage, 40), "to the last byte")
	require.NoError(t, s.use(s.a, usage.Turns, 1_000_000), "0 is no limit")
	err := s.DB.Write(s.a, func(ctx context.Context) error {
		if err := s.Add(ctx, usage.Turns, 1); err != nil {
			return err
		}
		return s.Add(ctx, usage.Storage, 1)
	})
	require.ErrorIs(t, err, fail.ErrLimitReached)
	require.EqualValues(t, 1_000_000, s.used(s.a, t, usage.Turns).Amount, "a part of it has stayed")

	require.NoError(t, s.Check(s.a, usage.Turns, usage.MaxLimit))
	require.ErrorIs(t, s.Check(s.a, usage.Storage, 1), fail.ErrLimitReached)
	require.ErrorIs(t, s.Check(s.a, usage.Storage, 0), fail.ErrLimitReached, "it is full")
	require.NoError(t, s.Check(s.b, usage.Storage, 100))
	require.ErrorIs(t, s.Check(s.b, usage.Storage, 101), fail.ErrLimitReached)
	most, left := int64(100), int64(0)
	require.Equal(t, usage.Used{Metric: usage.Storage, Amount: 100, Limit: &most}, s.used(s.a, t, usage.Storage))
	require.Equal(t, &left, s.used(s.a, t, usage.Storage).Remaining())
	require.NoError(t, s.use(s.b, usage.Storage, 100), "another workspace is held to what this one uses")

	require.NoError(t, s.use(s.a, usage.Storage, -30))
	require.ErrorIs(t, s.use(s.a, usage.Storage, 31), fail.ErrLimitReached)
	require.NoError(t, s.use(s.a, usage.Storage, 30))
	require.NoError(t, s.SetLimit(s.a, usage.Storage, 10))
	require.NoError(t, s.use(s.a, usage.Storage, -1), "who is over a limit could not give back")
}

func TestAMonthBeginsAnewInUTCAndALevelDoesNot(t *testing.T) {
	t.Parallel()
	s := setup(t, usage.Limits{usage.Turns: 2, usage.Storage: 2})
	west := time.FixedZone("west", -5*3600)
	s.now = time.Date(2026, 10, 31, 18, 59, 59, 0, west) // a second before November in UTC
	for range 2 {
		require.NoError(t, s.use(s.a, usage.Turns, 1))
		require.NoError(t, s.use(s.a, usage.Storage, 1))
	}
	refused := s.use(s.a, usage.Turns, 1)
	var e *fail.Error
	require.ErrorAs(t, refused, &e)
	require.JSONEq(t, `"2026-11-01T00:00:00Z"`, string(mustRaw(t, e.Details["resets_at"])))
	require.NotNil(t, s.used(s.a, t, usage.Turns).Resets)
	require.Equal(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), *s.used(s.a, t, usage.Turns).Resets)

	s.now = s.now.Add(time.Second)
	require.NoError(t, s.use(s.a, usage.Turns, 1), "the new month starts at zero")
	require.ErrorIs(t, s.use(s.a, usage.Storage, 1), fail.ErrLimitReached, "what is kept is kept on")
	require.EqualValues(t, 1, s.used(s.a, t, usage.Turns).Amount)
	require.EqualValues(t, 2, s.used(s.a, t, usage.Storage).Amount)
	require.Nil(t, s.used(s.a, t, usage.Storage).Resets)

	past, err := s.Report(s.a, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, usage.Used{Metric: usage.Turns, Amount: 2}, past[0], "a month that is over has no limit")
	require.Len(t, past, len(usage.Metrics())-11, "of levels only the present one is known")
}

func TestAWorkspacesOwnLimitGoesBeforeTheSettings(t *testing.T) {
	t.Parallel()
	s := setup(t, usage.Limits{usage.Turns: 1})
	require.NoError(t, s.SetLimit(s.a, usage.Turns, 3))
	require.NoError(t, s.SetLimit(s.a, usage.Messages, 1))
	require.NoError(t, s.use(s.a, usage.Turns, 3))
	require.ErrorIs(t, s.use(s.a, usage.Turns, 1), fail.ErrLimitReached)
	require.NoError(t, s.use(s.a, usage.Messages, 1))
	require.ErrorIs(t, s.use(s.a, usage.Messages, 1), fail.ErrLimitReached, "one that the settings do not have")
	require.ErrorIs(t, s.use(s.b, usage.Turns, 2), fail.ErrLimitReached, "another workspace has the settings'")

	require.NoError(t, s.SetLimit(s.a, usage.Turns, 0))
	require.NoError(t, s.use(s.a, usage.Turns, 100), "0 is no limit, whatever the settings say")
	require.Nil(t, s.used(s.a, t, usage.Turns).Limit)
	require.NoError(t, s.UnsetLimit(s.a, usage.Turns))
	require.ErrorIs(t, s.use(s.a, usage.Turns, 1), fail.ErrLimitReached, "the settings hold again")
	require.Error(t, s.SetLimit(s.a, "tea", 1))
	require.Error(t, s.SetLimit(s.a, usage.Turns, usage.MaxLimit+1))
}

func TestAWarningIsQueuedOnceAMonth(t *testing.T) {
	t.Parallel()
	s := setup(t, usage.Limits{usage.Turns: 100, usage.Storage: 10})
	require.NoError(t, s.use(s.a, usage.Turns, 79))
	require.Zero(t, s.warnings(t, usage.Turns), "before 80 %")
	require.ErrorIs(t, s.use(s.a, usage.Turns, 22), fail.ErrLimitReached)
	require.Zero(t, s.warnings(t, usage.Turns), "by what was refused")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { require.NoError(t, s.use(s.a, usage.Turns, 1)) })
	}
	all.Wait()
	require.Equal(t, 1, s.warnings(t, usage.Turns))
	for range 3 { // up, down and up again
		require.NoError(t, s.use(s.a, usage.Storage, 8))
		require.NoError(t, s.use(s.a, usage.Storage, -8))
	}
	require.Equal(t, 1, s.warnings(t, usage.Storage))
	s.now = s.now.AddDate(0, 1, 0)
	require.NoError(t, s.use(s.a, usage.Turns, 80))
	require.NoError(t, s.use(s.a, usage.Storage, 8))
	require.Equal(t, []int{2, 2}, []int{s.warnings(t, usage.Turns), s.warnings(t, usage.Storage)}, "in a new month")
}

func TestTheRefusalSaysOfWhatAndHowMuch(t *testing.T) {
	t.Parallel()
	s := setup(t, usage.Limits{usage.Tokens: usage.MaxLimit})
	require.NoError(t, s.use(s.a, usage.Tokens, usage.MaxLimit-1))
	var e *fail.Error
	require.ErrorAs(t, s.use(s.a, usage.Tokens, 2), &e)
	require.JSONEq(t, `"tokens"`, string(mustRaw(t, e.Details["metric"])))
	require.Equal(t, "1000000000000000000", string(mustRaw(t, e.Details["limit"])))
	require.Equal(t, "999999999999999999", string(mustRaw(t, e.Details["used"])), "to the last digit")
}

// mustRaw gives a detail as it will be sent.
func mustRaw(t *testing.T, detail any) []byte {
	t.Helper()
	raw, err := json.Marshal(detail)
	require.NoError(t, err)
	return raw
}
