package db_test

import (
	"flag"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db"
	"github.com/parley/parley/platform/data/postgres"
)

var update = flag.Bool("update", false, "write migrations.sum, schema.txt and schema.sql anew")

// A migration that has landed has been applied somewhere: it is never changed, and none is put before it.
func TestMigrationsAreThoseOfTheirSums(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.EmptyURL(t))
	ups, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	var sums, schema []string
	before := ""
	for _, up := range ups {
		sql, err := fs.ReadFile(db.Migrations, up)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), string(sql))
		require.NoError(t, err, up)
		schema, err = postgres.DescribeSchema(t.Context(), conn)
		require.NoError(t, err)
		number, err := strconv.ParseUint(strings.TrimPrefix(up, "migrations/")[:6], 10, 32)
		require.NoError(t, err)
		sum := postgres.MigrationSum{Version: uint(number), Checksum: postgres.Checksum(string(sql)), Schema: postgres.SchemaChecksum(schema)}
		require.NotEqual(t, before, sum.Schema, "%s: the schema after it equals the one before", up)
		before = sum.Schema
		sums = append(sums, sum.String())
	}
	files := map[string][]string{"migrations.sum": sums, "schema.txt": schema}
	var version int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int / 10000").Scan(&version))
	if version == readableMajor {
		files["schema.sql"] = readableSchema(t, conn)
	}
	for name, lines := range files {
		text := strings.Join(lines, "\n") + "\n"
		if *update {
			require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
			continue
		}
		kept, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(kept), text, "go test ./db -run TestMigrationsAreThoseOfTheirSums -update writes %s anew; never for a migration that has landed", name)
	}
	if !*update {
		require.Empty(t, postgres.SchemaDifferences(schema))
	}
}

// readableMajor is the major version of Postgres that writes schema.sql: others spell the same definitions in other ways.
const readableMajor = 15

// readableSchema returns the schema as SQL, for people: the definition in force of each table, index, policy and function, by name.
func readableSchema(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	query, err := os.ReadFile("schema-sql.sql")
	require.NoError(t, err)
	rows, err := conn.Query(t.Context(), string(query))
	require.NoError(t, err)
	objects, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	head := "-- The schema after the last migration, as it is in force. Generated from db/migrations (go test ./db -update): never edited."
	return strings.Split(head+"\n\n"+strings.Join(objects, "\n\n"), "\n")
}
