package db_test

import (
	"io/fs"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db"
)

// The migration fills in, as an owner whom row-level security binds, what was true of all bots before it.
func TestABotOfBeforeAnswersAsBeforeAndHasAHistory(t *testing.T) {
	t.Parallel()
	url := owner(t)
	require.NoError(t, migrator(url).Up(t.Context()))
	conn := pg.Superuser(t, url) // no superuser here: the owner
	run := func(file string) {
		sql, err := fs.ReadFile(db.Migrations, "migrations/"+file)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "SET row_security = off;"+string(sql))
		require.NoError(t, err)
	}
	_, err := conn.Exec(t.Context(), "DROP VIEW app.bot_knowledge, app.bot_tools") // of later migrations
	require.NoError(t, err)
	run("000017_bot_versions.down.sql")
	id := uuid.NewString()
	open := func(force string) string {
		return "ALTER TABLE workspaces " + force + "; ALTER TABLE bots " + force + "; ALTER TABLE bot_versions " + force + ";"
	}
	_, err = conn.Exec(t.Context(), open("NO FORCE ROW LEVEL SECURITY")+`
		INSERT INTO workspaces VALUES ('`+id+`', 'Acme', now());
		WITH b AS (INSERT INTO bots VALUES ('`+id+`', '`+id+`', 'Ada', 'draft', 2, '`+id+`', now(), now()))
		INSERT INTO bot_versions SELECT '`+id+`', '`+id+`', n, n::text, '{}', '`+id+`', '2026-01-01Z'::timestamptz + n * interval '1 day' FROM generate_series(1, 2) n`)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), open("FORCE ROW LEVEL SECURITY"))
	require.NoError(t, err)
	run("000017_bot_versions.up.sql")

	_, err = conn.Exec(t.Context(), "ALTER TABLE bots NO FORCE ROW LEVEL SECURITY; ALTER TABLE bot_pointer_moves NO FORCE ROW LEVEL SECURITY")
	require.NoError(t, err)
	var published int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT published_version FROM bots").Scan(&published))
	require.Equal(t, 2, published)
	rows, err := conn.Query(t.Context(), `SELECT format('%s %s %s-%s %s %s', number, pointer, from_version, to_version, cause, to_char(moved_at AT TIME ZONE 'UTC', 'DD'))
		FROM bot_pointer_moves ORDER BY number`)
	require.NoError(t, err)
	moves, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"1 current -1 create 02", "2 published -1 create 02", "3 current 1-2 edit 03", "4 published 1-2 edit 03"}, moves)
}
