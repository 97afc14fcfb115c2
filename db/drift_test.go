package db_test

import (
	"context"
	"errors"
	"io/fs"
	osexec "os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db"
	"github.com/parley/parley/platform/data/postgres"
)

// recorded is the migration that makes the table of what was applied.
func recorded(t *testing.T) int {
	t.Helper()
	files, err := fs.Glob(db.Migrations, "migrations/*_applied_migrations.up.sql")
	require.NoError(t, err)
	require.Len(t, files, 1)
	n, err := strconv.Atoi(strings.TrimPrefix(files[0], "migrations/")[:6])
	require.NoError(t, err)
	return n
}

// leftOut is a migration that others after it do not need.
const leftOut = "000059_mail_limits"

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(db.Migrations, "migrations/"+name)
	require.NoError(t, err)
	return string(text)
}

// migrated gives a database at the newest version.
func migrated(t *testing.T) (*pgx.Conn, *postgres.Migrator) {
	t.Helper()
	url := pg.EmptyURL(t)
	m := migrator(url)
	require.NoError(t, m.Up(t.Context()))
	return pg.Superuser(t, url), m
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func requireDrift(t *testing.T, m *postgres.Migrator) *postgres.DriftError {
	t.Helper()
	var drift *postgres.DriftError
	require.ErrorAs(t, m.Up(t.Context()), &drift)
	require.ErrorAs(t, m.Drift(t.Context()), &drift)
	require.ErrorContains(t, drift, "parley migrate repair")
	return drift
}

func requireSound(t *testing.T, m *postgres.Migrator) {
	t.Helper()
	newest, err := postgres.Newest()
	require.NoError(t, err)
	require.NoError(t, m.Up(t.Context()))
	at, _, dirty, err := m.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{newest, false}, []any{at, dirty})
	different, err := m.Differences(t.Context())
	require.NoError(t, err)
	require.Empty(t, different)
}

func TestAMigrationThatWasAnotherWhenItWasAppliedIsFound(t *testing.T) {
	t.Parallel()
	conn, m := migrated(t)
	exec(t, conn, `UPDATE applied_migrations SET checksum = repeat('0', 64) WHERE version = 24`)
	require.Equal(t, []uint{24}, requireDrift(t, m).Changed)
	report, _, err := m.Repair(t.Context(), false)
	require.NoError(t, err, "the schema is the same")
	require.Contains(t, report, "stored")
	requireSound(t, m)

	exec(t, conn, `UPDATE applied_migrations SET checksum = repeat('0', 64) WHERE version = 24; ALTER TABLE bots ADD COLUMN other text`)
	requireDrift(t, m)
	_, different, err := m.Repair(t.Context(), false)
	require.Error(t, err)
	require.Equal(t, []string{"+ column bots.other: text"}, different)
	_, _, err = m.Repair(t.Context(), true)
	require.NoError(t, err)
	require.NoError(t, m.Up(t.Context()))
}

func TestAMigrationThatWasLeftOutIsFoundAndMadeUpFor(t *testing.T) {
	t.Parallel()
	conn, m := migrated(t)
	exec(t, conn, file(t, leftOut+".down.sql"))
	exec(t, conn, `DELETE FROM applied_migrations WHERE version = 59`)
	require.Equal(t, []uint{59}, requireDrift(t, m).Missing)
	report, _, err := m.Repair(t.Context(), false)
	require.NoError(t, err)
	require.Contains(t, report, "[59]")
	requireSound(t, m)
}

// Databases from before checksums are known by their schema.
func TestADatabaseFromBeforeChecksumsIsTakenIfItsSchemaIsRight(t *testing.T) {
	t.Parallel()
	before := func() (*pgx.Conn, *postgres.Migrator) {
		conn, m := migrated(t)
		var since int // numbers have gaps
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM applied_migrations WHERE version >= $1`, recorded(t)).Scan(&since))
		require.NoError(t, m.Down(t.Context(), since))
		return conn, m
	}
	conn, m := before()
	requireSound(t, m)
	files, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	var applied int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM applied_migrations`).Scan(&applied))
	require.Equal(t, len(files), applied)

	conn, m = before()
	exec(t, conn, `DROP TABLE mail_counts CASCADE`)
	require.True(t, requireDrift(t, m).Unknown)
	_, different, err := m.Repair(t.Context(), false)
	require.Error(t, err)
	require.Contains(t, strings.Join(different, "\n"), "- table mail_counts")
}

// A release from before migrations were committed with their version left this when it was killed.
func TestWhatAnEarlierReleaseLeftWhenItWasKilledIsRepaired(t *testing.T) {
	t.Parallel()
	conn, m := migrated(t)
	exec(t, conn, `UPDATE schema_migrations SET dirty = true`)
	require.ErrorContains(t, m.Up(t.Context()), "parley migrate repair")
	_, _, err := m.Repair(t.Context(), false)
	require.NoError(t, err, "it was done")
	requireSound(t, m)

	require.NoError(t, m.Down(t.Context(), 1))
	newest, err := postgres.Newest()
	require.NoError(t, err)
	exec(t, conn, `UPDATE schema_migrations SET dirty = true, version = $1`, newest)
	report, _, err := m.Repair(t.Context(), false)
	require.NoError(t, err, "it was not done")
	require.Contains(t, report, "stored")
	requireSound(t, m)
}

// A backup keeps a lock on every table for as long as it takes. A migration that waited behind it would keep everybody
// waiting behind itself.
func TestAMigrationBehindABackupKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	conn, m := migrated(t)
	var later int // numbers have gaps
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM applied_migrations WHERE version > 35`).Scan(&later))
	require.NoError(t, m.Down(t.Context(), later)) // 36 changes tables
	backup := pg.Superuser(t, conn.Config().ConnString())
	tx, err := backup.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `LOCK TABLE webhook_subscriptions, webhook_endpoints, api_keys, invitations IN ACCESS SHARE MODE`)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- m.Up(context.WithoutCancel(t.Context())) }()
	require.Eventually(t, func() bool {
		var waiting bool
		err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
			WHERE d.datname = current_database() AND NOT l.granted)`).Scan(&waiting)
		return err == nil && waiting
	}, 20*time.Second, 5*time.Millisecond, "the migration does not wait")
	exec(t, conn, `SET statement_timeout = '20s'`) // the migration gives way after 2
	exec(t, conn, `SELECT count(*) FROM webhook_subscriptions; SELECT count(*) FROM webhook_endpoints; SELECT count(*) FROM api_keys; SELECT count(*) FROM invitations`)
	select {
	case err := <-done:
		require.NoError(t, err)
		t.Fatal("it did not wait for the backup")
	default:
	}
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-done)
	requireSound(t, m)
}

// Whoever restores a dump has the schema that he dumped, as check sees it.
func TestASchemaThatWasDumpedAndRestoredIsTheExpectedOne(t *testing.T) {
	t.Parallel()
	url := pg.EmptyURL(t)
	require.NoError(t, migrator(url).Up(t.Context()))
	dump, err := osexec.CommandContext(t.Context(), "pg_dump", "--schema-only", url).Output()
	if failed := (*osexec.ExitError)(nil); errors.Is(err, osexec.ErrNotFound) || errors.As(err, &failed) && strings.Contains(string(failed.Stderr), "version mismatch") {
		t.Skipf("dump: no pg_dump for this server is on this machine: %v", err)
	}
	require.NoError(t, err)
	restored := pg.EmptyURL(t)
	statements := regexp.MustCompile(`(?m)^\\.*$`).ReplaceAllString(string(dump), "") // of psql
	_, err = pg.Superuser(t, restored).PgConn().Exec(t.Context(), statements).ReadAll()
	require.NoError(t, err)
	different, err := migrator(restored).Differences(t.Context())
	require.NoError(t, err)
	require.Empty(t, different)
}
