package postgres

import (
	"context"
	"testing"

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
