package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// Acquired is how many connections are out of the pool.
func (db *DB) Acquired() int32 { return db.pool.Stat().AcquiredConns() }

// Raw takes a connection out of the pool, until the end of the test.
func (db *DB) Raw(ctx context.Context, t *testing.T) *pgxpool.Conn {
	t.Helper()
	conn, err := db.pool.Acquire(ctx)
	require.NoError(t, err)
	t.Cleanup(conn.Release)
	return conn
}

// Waits tells whether somebody has waited for a connection, or does.
func (db *DB) Waits() bool { return db.pool.Stat().EmptyAcquireCount() > 0 }

// HungUp is hungUp for the connection of an acquired one.
func HungUp(c *pgxpool.Conn) bool { return hungUp(c.Conn()) }

// Pipelines gives the pool other pipelines.
func (db *DB) Pipelines(n int, stalled, timeout time.Duration) {
	db.pipelines = newPipelines(db.pool, n)
	db.pipelines.stalled, db.pipelines.timeout = stalled, timeout
}

// Queued is how many reads wait for a pipeline.
func (db *DB) Queued() int {
	db.pipelines.mu.Lock()
	defer db.pipelines.mu.Unlock()
	return len(db.pipelines.waiting)
}

// FreePipelines is how many pipelines nobody uses.
func (db *DB) FreePipelines() int {
	db.pipelines.mu.Lock()
	defer db.pipelines.mu.Unlock()
	return db.pipelines.free
}

// Mistaken reads through a pipeline as one whose entry says another's tag.
func (db *DB) Mistaken(ctx context.Context, sql string) error {
	t := &tx{db: db, once: true, reads: true}
	t.enter(ctx, "on", 1)
	rows, err := db.pipelines.query(ctx, 2, t.queue[0], statement{sql: sql})
	if err == nil {
		rows.Close()
	}
	return err
}

// InListFor is InList with another time for its statement.
func (db *DB) InListFor(ctx context.Context, timeout time.Duration) Conn {
	return db.inSlow(ctx, timeout, true)
}

// InReportFor is InReport with another time for its statement.
func (db *DB) InReportFor(ctx context.Context, timeout time.Duration) Conn {
	return db.inSlow(ctx, timeout, false)
}

// SlowReads has slow reads wait this long for their turn, and takes those for slow that take as long.
func (db *DB) SlowReads(wait, slow time.Duration) { db.slowReads.wait, db.slowReads.slow = wait, slow }

// SlowReaders is how many workspaces have slow reads that run or wait.
func (db *DB) SlowReaders() int {
	db.slowReads.mu.Lock()
	defer db.slowReads.mu.Unlock()
	return len(db.slowReads.workspaces)
}
