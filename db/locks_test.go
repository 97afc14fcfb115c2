package db_test

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db"
)

// Migrations before this one had landed when the rule was made.
const firstThatLocksOne = 24

// A migration runs while calls are served. One that keeps calls from two big tables meets one of them that has written the
// second and wants to write the first: one of both is ended by Postgres, and if it is the migration, no process starts any more.
func TestNoMigrationKeepsCallsFromTwoBigTables(t *testing.T) {
	t.Parallel()
	url := pg.EmptyURL(t)
	conn, m := pg.Superuser(t, url), migrator(url)
	require.NoError(t, m.Up(t.Context()))
	files, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	var pending []string
	for _, file := range files {
		number, _, _ := strings.Cut(path.Base(file), "_")
		if n, err := strconv.Atoi(number); err == nil && n >= firstThatLocksOne {
			pending = append(pending, file)
		}
	}
	require.NoError(t, m.Down(t.Context(), len(pending)))
	for _, file := range pending {
		sql, err := fs.ReadFile(db.Migrations, file)
		require.NoError(t, err)
		if strings.HasPrefix(string(sql), "-- standalone:") { // it keeps nobody waiting, and is in no transaction
			_, err = conn.Exec(t.Context(), string(sql))
			require.NoError(t, err)
			continue
		}
		require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), string(sql)); err != nil {
				return err
			}
			rows, err := tx.Query(t.Context(), `SELECT DISTINCT c.relname::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
				WHERE l.pid = pg_backend_pid() AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
				  AND c.relname = ANY ($1)`, big)
			if err != nil {
				return err
			}
			locked, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.LessOrEqual(t, len(locked), 1, "%s locks %v: make a migration of each", file, locked)
			return err
		}))
	}
}
