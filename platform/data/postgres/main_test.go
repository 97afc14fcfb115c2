package postgres_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// bundle is a database with two tenants, and a pool on it that counts what it sends.
type bundle struct {
	db    *postgres.DB
	url   string
	su    *pgx.Conn // the superuser, whom row-level security does not bind
	trips *trips
	a, b  context.Context
	aID   uuid.UUID
	bID   uuid.UUID
	ctx   context.Context // of nobody
}

func setup(t *testing.T, conns int32) *bundle {
	t.Helper()
	s := &bundle{url: pg.URL(t), trips: &trips{}, aID: uuid.New(), bID: uuid.New(), ctx: t.Context()}
	var err error
	s.db, err = postgres.Open(t.Context(), postgres.Options{URL: s.url, MaxConns: conns, Tracer: s.trips})
	require.NoError(t, err)
	t.Cleanup(s.db.Close)
	s.su = pg.Superuser(t, s.url)
	s.a, s.b = callctx.As(t.Context(), s.aID, uuid.New()), callctx.As(t.Context(), s.bID, uuid.New())
	_, err = s.su.Exec(t.Context(), "INSERT INTO workspaces VALUES ($1, 'A', now()), ($2, 'B', now())", s.aID, s.bID)
	require.NoError(t, err)
	for _, w := range []uuid.UUID{s.aID, s.bID} {
		_, err = s.su.Exec(t.Context(), `INSERT INTO threads (workspace_id, id, status, created_by, created_at)
			VALUES ($1, gen_random_uuid(), 'active', $1, now())`, w)
		require.NoError(t, err)
	}
	return s
}

// insert stores a thread; the workspace is the one given, which may not be the caller's.
func (s *bundle) insert(ctx context.Context, workspace uuid.UUID) error {
	_, err := s.db.In(ctx).Exec(ctx, insertThread, workspace, uuid.New())
	return err
}

const insertThread = `INSERT INTO threads (workspace_id, id, status, created_by, created_at) VALUES ($1, $2, 'active', $1, now())`

// seen gives the workspaces of all threads in sight: a query that forgets its WHERE workspace_id.
func (s *bundle) seen(t *testing.T, ctx context.Context) []uuid.UUID { //nolint:revive // t first, as everywhere
	t.Helper()
	rows, err := s.db.In(ctx).Query(ctx, "SELECT DISTINCT workspace_id FROM threads")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	return all
}

// stored counts the threads of a workspace, as the superuser.
func (s *bundle) stored(t *testing.T, workspace uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, s.su.QueryRow(context.Background(), "SELECT count(*) FROM threads WHERE workspace_id = $1", workspace).Scan(&n))
	return n
}

// trips counts round trips: batches and single queries.
type trips struct {
	mu      sync.Mutex
	batches int
	queries int
	open    int // queries that have not ended
}

func (c *trips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queries++
	c.open++
	return ctx
}

func (c *trips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
}

func (c *trips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches++
	return ctx
}
func (c *trips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *trips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// take gives the counts since the last take.
func (c *trips) take() (batches, queries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	batches, queries = c.batches, c.queries
	c.batches, c.queries = 0, 0
	return batches, queries
}

const (
	timeout = time.Minute
	tick    = time.Millisecond
)

// requireNoneOut waits until every connection is back; a broken one is closed in the background.
func (s *bundle) requireNoneOut(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return s.db.Acquired() == 0 }, timeout, tick, "a connection is not given back")
}
