package jobs_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/testing/pgtest"
	"github.com/parley/parley/platform/work/jobs"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

const (
	timeout = time.Minute
	tick    = 2 * time.Millisecond
)

// bundle is a queue with two tenants.
type bundle struct {
	db       *postgres.DB
	url      string
	su       *pgx.Conn // the superuser, whom row-level security does not bind
	registry *jobs.Registry
	queue    *jobs.Queue
	a, b     context.Context
	aID, bID uuid.UUID
}

type note struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

func setup(t testing.TB) *bundle {
	t.Helper()
	s := &bundle{url: pg.URL(t), aID: uuid.New(), bID: uuid.New(), registry: jobs.NewRegistry()}
	s.db, s.su = pg.Open(t, s.url), pg.Superuser(t, s.url)
	s.queue = jobs.NewQueue(s.db, s.registry)
	_, err := s.su.Exec(t.Context(), "INSERT INTO workspaces VALUES ($1, 'A', now()), ($2, 'B', now())", s.aID, s.bID)
	require.NoError(t, err)
	s.a, s.b = s.of(t, s.aID), s.of(t, s.bID)
	return s
}

// of is a call in a workspace, under an operation of its own.
func (s *bundle) of(t testing.TB, workspace uuid.UUID) context.Context {
	t.Helper()
	return callctx.With(t.Context(), &callctx.Call{
		TraceID: "trace-1", Principal: callctx.Principal{WorkspaceID: workspace, UserID: uuid.New()}, Operation: callctx.Operation{ID: uuid.New()},
	})
}

// register says what is done with a kind.
func (s *bundle) register(t testing.TB, kind string, o jobs.KindOptions, do func(ctx context.Context, j jobs.Job[note]) error) {
	t.Helper()
	require.NoError(t, jobs.Register(s.registry, kind, o, do))
}

// enqueue queues a job in a transaction of its own.
func (s *bundle) enqueue(ctx context.Context, t testing.TB, kind string, n int, o jobs.Options) {
	t.Helper()
	require.NoError(t, s.db.Write(ctx, func(ctx context.Context) error { return s.queue.Enqueue(ctx, kind, note{N: n}, o) }))
}

// many queues n jobs, n in one transaction.
func (s *bundle) many(ctx context.Context, t testing.TB, kind string, n int) {
	t.Helper()
	require.NoError(t, s.db.Write(ctx, func(ctx context.Context) error {
		for i := range n {
			if err := s.queue.Enqueue(ctx, kind, note{N: i}, jobs.Options{Key: uuid.NewString()}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// quick are the options of tests that wait for a lease or for the next look.
func (s *bundle) quick() jobs.RunnerOptions {
	return jobs.RunnerOptions{
		DB: s.db, Registry: s.registry, Log: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond, Lease: 300 * time.Millisecond,
		Random: func() float64 { return 0 },
	}
}

// run starts a runner that is stopped with the test.
func (s *bundle) run(t testing.TB, o jobs.RunnerOptions) *jobs.Runner {
	t.Helper()
	r := jobs.NewRunner(o)
	r.Start()
	t.Cleanup(func() { stop(r, 0) })
	return r
}

func stop(r *jobs.Runner, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	r.Stop(ctx)
}

// value reads one value as the superuser.
func value[T any](t testing.TB, s *bundle, sql string, args ...any) (v T) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.url) // of its own: conditions are asked from other goroutines
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, conn.QueryRow(context.Background(), sql, args...).Scan(&v))
	return v
}

func (s *bundle) count(t testing.TB, status string) int {
	t.Helper()
	return value[int](t, s, "SELECT count(*) FROM job_queue WHERE status = $1", status)
}

func (s *bundle) deadLetters(t testing.TB) int {
	t.Helper()
	return value[int](t, s, "SELECT count(*) FROM dead_letter_queue")
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(timeout)
	for !condition() {
		select {
		case <-deadline:
			t.Fatal("in vain: " + what)
		case <-time.After(tick):
		}
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(timeout):
		t.Fatal("in vain: " + what)
	}
	return v
}
