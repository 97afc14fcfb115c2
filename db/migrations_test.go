package db_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db"
	"github.com/parley/parley/platform/data/postgres"
)

// schema describes everything in our schemas, one line a thing: what a migration may change.
const schema = `
SELECT line FROM (
  SELECT format('table %s kind=%s rls=%s force=%s owner=%s acl=%s options=%s', c.oid::regclass, c.relkind, c.relrowsecurity,
                c.relforcerowsecurity, pg_get_userbyid(c.relowner), c.relacl, c.reloptions)
    FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL
  SELECT format('column %s.%s %s notnull=%s default=%s acl=%s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
                a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attacl)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace::regnamespace::text IN ('public', 'app')
  UNION ALL
  SELECT format('index %s', pg_get_indexdef(i.indexrelid))
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace::regnamespace::text IN ('public', 'app')
  UNION ALL
  SELECT format('policy %s on %s for %s to %s using %s check %s', polname, polrelid::regclass, polcmd, polroles::regrole[],
                pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy
  UNION ALL
  SELECT format('function %s owner=%s acl=%s', pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner), p.proacl)
    FROM pg_proc p WHERE p.pronamespace::regnamespace::text IN ('public', 'app')
  UNION ALL
  SELECT format('view %s: %s', c.oid::regclass, pg_get_viewdef(c.oid))
    FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND c.relkind = 'v'
  UNION ALL
  SELECT format('trigger %s', pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL
  SELECT format('type %s', oid::regtype) FROM pg_type WHERE typnamespace::regnamespace::text IN ('public', 'app') AND typtype IN ('e', 'd')
  UNION ALL
  SELECT format('extension %s', extname) FROM pg_extension
  UNION ALL
  SELECT format('schema %s acl=%s', nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
) things(line)
 WHERE line !~ 'schema_migrations'
 ORDER BY line`

func describe(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), schema)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return lines
}

func migrator(url string) *postgres.Migrator {
	return postgres.NewMigrator(url, slog.New(slog.DiscardHandler))
}

func TestEachMigrationsDownUndoesExactlyItsUp(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.EmptyURL(t))
	ups, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	downs, err := fs.Glob(db.Migrations, "migrations/*.down.sql")
	require.NoError(t, err)
	require.Len(t, downs, len(ups), "a migration without its down")
	run := func(file string) []string {
		t.Helper()
		sql, err := fs.ReadFile(db.Migrations, file)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), string(sql))
		require.NoError(t, err, file)
		return describe(t, conn)
	}
	before := describe(t, conn)
	for _, up := range ups {
		after := run(up)
		require.NotEqual(t, before, after, "%s changes nothing that this test sees", up)
		require.Equal(t, before, run(strings.Replace(up, ".up.", ".down.", 1)), "the down of %s leaves something else than was before", up)
		require.Equal(t, after, run(up), "%s makes something else the second time", up)
		before = after
	}
}

func TestMigratingUpDownUpEndsWithTheSameSchema(t *testing.T) {
	t.Parallel()
	url := pg.EmptyURL(t)
	conn, m := pg.Superuser(t, url), migrator(url)
	empty := describe(t, conn)
	newest, err := postgres.Newest()
	require.NoError(t, err)

	requireStatus := func(want uint) {
		t.Helper()
		at, most, dirty, err := m.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, []any{want, newest, false}, []any{at, most, dirty})
	}
	requireStatus(0)
	require.NoError(t, m.Up(t.Context()))
	requireStatus(newest)
	full := describe(t, conn)
	require.NoError(t, m.Up(t.Context()), "up with nothing to do")
	require.NoError(t, m.Down(t.Context(), 1))
	requireStatus(before(t, newest))
	require.NoError(t, m.Down(t.Context(), 0))
	requireStatus(0)
	require.Equal(t, empty, describe(t, conn))
	require.NoError(t, m.Up(t.Context()))
	require.Equal(t, full, describe(t, conn))
}

// before gives the number of the migration before one.
func before(t *testing.T, number uint) (last uint) {
	t.Helper()
	ups, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	for _, up := range ups { // in their order
		n, err := strconv.ParseUint(strings.TrimPrefix(up, "migrations/")[:6], 10, 32)
		require.NoError(t, err)
		if uint(n) < number {
			last = uint(n)
		}
	}
	return last
}

// owner makes a role that may make roles but is no superuser, with a database of its own.
func owner(t *testing.T) (databaseURL string) {
	t.Helper()
	admin := pg.Superuser(t, pg.EmptyURL(t))
	name := "owner_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	_, err := admin.Exec(t.Context(), "CREATE ROLE "+name+" LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE")
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), "CREATE DATABASE "+name+" OWNER "+name)
	require.NoError(t, err)
	// From Postgres 16 on who may make roles has no right to those that others have made: create-owner.sh gives it.
	_, err = admin.Exec(t.Context(), "GRANT parley_app, parley_door TO "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
		_, err = admin.Exec(context.Background(), "DROP ROLE "+name)
		require.NoError(t, err)
	})
	u, err := url.Parse(admin.Config().ConnString())
	require.NoError(t, err)
	u.Path = "/" + name
	if u.User != nil {
		u.User = url.User(name)
	}
	q := u.Query()
	if q.Has("user") {
		q.Set("user", name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func TestAnOwnerWhoIsNoSuperuserMigratesAndTheWallHoldsAgainstIt(t *testing.T) {
	t.Parallel()
	url := owner(t)
	m := migrator(url)
	require.NoError(t, m.Up(t.Context()))
	require.NoError(t, m.Down(t.Context(), 0))
	require.NoError(t, m.Up(t.Context()))

	conn := pg.Superuser(t, url) // no superuser here: the owner
	var super bool
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&super))
	require.False(t, super)
	problems, err := tenancyProblems(t.Context(), conn)
	require.NoError(t, err)
	require.Empty(t, problems)

	workspace := uuid.New()
	pool := pg.Open(t, url)
	require.NoError(t, insertBots(t, pool, workspace, 1))
	require.Equal(t, 1, countBots(t, pool, workspace))
	require.Zero(t, countBots(t, pool, uuid.New()))
	_, err = conn.Exec(t.Context(), "UPDATE audit_log SET action = 'x'")
	require.NoError(t, err, "the owner has no row of it in sight")
	var seen int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM bots").Scan(&seen))
	require.Zero(t, seen, "row security is forced on the owner too")
}

func TestTwoMigratorsAtOnceDoNotFight(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"superuser": pg.EmptyURL(t), "owner": owner(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const many = 4
			failures := make(chan error, many)
			for range many {
				go func() { failures <- migrator(database).Up(context.Background()) }()
			}
			var all error
			for range many {
				all = errors.Join(all, <-failures)
			}
			require.NoError(t, all)
			at, newest, dirty, err := migrator(database).Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, newest, at)
			require.False(t, dirty)
		})
	}
}

func TestAMigrationThatRowSecurityWouldHideRowsFromFails(t *testing.T) {
	t.Parallel()
	url := owner(t)
	require.NoError(t, migrator(url).Up(t.Context()))
	cfg, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	cfg.RuntimeParams["row_security"] = "off" // as the migrator connects
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "UPDATE bots SET name = name")
	require.ErrorContains(t, err, "row-level security")
}

// Rolling deploys restart processes of the release before beside a newer schema.
func TestAProgramOfTheReleaseBeforeStartsBesideANewerSchema(t *testing.T) {
	t.Parallel()
	url := pg.EmptyURL(t)
	m, conn := migrator(url), pg.Superuser(t, url)
	require.NoError(t, m.Up(t.Context()))
	newest, err := postgres.Newest()
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `UPDATE schema_migrations SET version = $1`, newest+1)
	require.NoError(t, err)
	require.NoError(t, m.Up(t.Context()))
	at, _, dirty, err := m.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{newest + 1, false}, []any{at, dirty}, "the schema is left as it is")
	_, err = conn.Exec(t.Context(), `UPDATE schema_migrations SET dirty = true`)
	require.NoError(t, err)
	require.Error(t, m.Up(t.Context()), "one that broke off is not passed over")
}
