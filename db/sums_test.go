package db_test

import (
	"flag"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db"
	"github.com/parley/parley/platform/postgres"
)

var update = flag.Bool("update", false, "write migrations.sum and schema.txt anew")

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
		require.NotEqual(t, before, sum.Schema, "%s: the schema after it cannot be told from the one before", up)
		before = sum.Schema
		sums = append(sums, sum.String())
	}
	for name, lines := range map[string][]string{"migrations.sum": sums, "schema.txt": schema} {
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
