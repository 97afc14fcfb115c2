package db_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// What removes a row looks for rows that point to it, by their foreign keys. An index that begins with the workspace alone leads
// to all of its rows, for each row that is removed: a workspace with many was never purged. One that leaves out NULL is as good
// as one that does not, as NULL points nowhere.
func TestEveryForeignKeyHasAnIndex(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	rows, err := conn.Query(t.Context(), `
		SELECT format('%s on %s', f.conname, f.conrelid::regclass) FROM pg_constraint f
		 WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace AND cardinality(f.conkey) > 1
		   AND NOT EXISTS (SELECT FROM pg_index i
		                    WHERE i.indrelid = f.conrelid AND i.indisvalid AND i.indkey[0] = ANY (f.conkey)
		                      AND (i.indpred IS NULL OR EXISTS (
		                          SELECT FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)
		                             AND pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname)))
		                      AND ((SELECT a.attname <> 'workspace_id' FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attnum = i.indkey[0])
		                           OR i.indnkeyatts > 1 AND i.indkey[1] = ANY (f.conkey)))
		 ORDER BY 1`)
	require.NoError(t, err)
	without, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Empty(t, without)
}
