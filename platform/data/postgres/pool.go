// Package postgres provides access to the database: a bounded connection pool, transactions that are carried in the
// context and belong to a caller, the conversion of driver errors, and migrations.
//
// A transaction needs as few round trips as possible. Statements without a result (sqlc's :exec) are queued and sent
// together with the next query, or with the commit. A change that needs no result from the database is therefore one
// round trip: entry, claim, effects, audit, response and commit. The entry is always the first statement. It checks the
// session and sets the tenant; if it refuses the call, no later statement runs.
//
// Short reads (DB.InPipeline) share round trips under load. Each of them is still a transaction of its own: see
// pipelines.
package postgres

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley/parley/db/platformdb"
)

// DB is a pool of connections that work as the role parley_app. It is safe for concurrent use.
type DB struct {
	pool      *pgxpool.Pool
	pipelines *pipelines // nil: each read goes alone
	slowReads *slowReads
}

// Options configure the connection to a server and the size of the pool.
type Options struct {
	URL      string
	MaxConns int32           // 0: 20
	Tracer   pgx.QueryTracer // sees every statement; nil: none
	Lazy     bool            // do not wait for an answer: whether the server is there shows at the first use
	// Pooled says that a pooler is between the program and the server, which may run each transaction on another
	// connection. Statements are then not prepared, unless the URL contains default_query_exec_mode=cache_statement
	// (PgBouncer supports that since 1.21).
	Pooled bool
	// Spans creates the spans of the statements, without their values; nil: no spans are created.
	Spans trace.TracerProvider
	// Statements measures the statements; nil: they are not measured.
	Statements *Statements
}

// tracer is what sees every statement; nil: nothing does.
func (o Options) tracer() pgx.QueryTracer {
	var all []pgx.QueryTracer
	if o.Tracer != nil {
		all = append(all, o.Tracer)
	}
	if o.Spans != nil {
		all = append(all, otelpgx.NewTracer(
			otelpgx.WithTracerProvider(o.Spans), otelpgx.WithSpanNameFunc(nameOf), otelpgx.WithDisableConnectionDetailsInAttributes(),
		))
	}
	if o.Statements != nil {
		all = append(all, o.Statements)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return multitracer.New(all...)
}

// settings apply to every connection: the role of the program, so that row-level security applies even when the URL
// names a superuser, and timeouts for statements and idle transactions.
const settings = `SET ROLE parley_app; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '15s'`

// Open creates the pool and waits until the server answers.
func Open(ctx context.Context, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg.MaxConns = o.MaxConns
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 20
	}
	if o.Pooled && !strings.Contains(o.URL, "default_query_exec_mode") {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	cfg.ConnConfig.Tracer = o.tracer()
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		c.TypeMap().RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
		c.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		_, err := c.Exec(ctx, settings)
		return err
	}
	cfg.PrepareConn = func(_ context.Context, c *pgx.Conn) (bool, error) { return !hungUp(c), nil }
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database pool: %w", err)
	}
	db := &DB{pool: pool, slowReads: newSlowReads(cfg.MaxConns)}
	if cfg.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		db.pipelines = newPipelines(pool, min(runtime.GOMAXPROCS(0), int(cfg.MaxConns)/2)) // the other half is for changes
	}
	if o.Lazy {
		return db, nil
	}
	if err := db.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach the database: %w", oneLine{err})
	}
	return db, nil
}

// nameOf is the name that sqlc has written into a statement, else its first word.
func nameOf(sql string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(sql, "-- name: "), " ")
	return name
}

// Ping returns an error if the server does not answer.
func (db *DB) Ping(ctx context.Context) error {
	_, err := platformdb.New(db.pool).Ping(ctx)
	return translate(err)
}

// Pool is the usage of the connection pool.
type Pool struct {
	Busy, Idle, Most int
	Waited           time.Duration // for a connection, by all callers since the start
	Waits            int64         // how often one had to

	// Pipelined is the number of pipelined reads since the start, Rounds the number of round trips that carried them,
	// and Dropped the number of connections that were closed on the way.
	Pipelined, Rounds, Dropped int64
}

// Pool returns the current usage of the connection pool.
func (db *DB) Pool() Pool {
	s := db.pool.Stat()
	pool := Pool{
		Busy: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Most: int(s.MaxConns()),
		Waited: s.EmptyAcquireWaitTime(), Waits: s.EmptyAcquireCount(),
	}
	if p := db.pipelines; p != nil {
		pool.Pipelined, pool.Rounds, pool.Dropped = p.reads.Load(), p.rounds.Load(), p.dropped.Load()
	}
	return pool
}

// Close waits for running statements and closes every connection.
func (db *DB) Close() {
	if db.pipelines != nil {
		db.pipelines.close()
	}
	db.pool.Close()
}
