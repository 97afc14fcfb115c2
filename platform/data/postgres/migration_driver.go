package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parley/parley/db/platformdb"
)

const (
	// migrationLockTimeout is how long a migration waits for a lock, during which later sessions wait behind it.
	migrationLockTimeout = "2s"
	// migrationTries is how often a migration is tried that does not get its locks, as while pg_dump runs.
	migrationTries = 100
	migrationPause = 3 * time.Second // between two tries
	lockPause      = 100 * time.Millisecond

	migrationsTable = "schema_migrations" // golang-migrate's name for it

	// standalone begins a migration that runs outside of a transaction: one statement, which can be repeated.
	standalone = "-- standalone:"
)

// migrationDriver is a driver of golang-migrate. Unlike the library's own driver, it commits a migration together with
// the version that it leads to: if the process is killed, the schema is at the version before or after the migration,
// never between them. A process that waits for its lock holds no snapshot, for which CREATE INDEX CONCURRENTLY would
// wait.
type migrationDriver struct {
	ctx  context.Context //nolint:containedctx // the library's interface has none
	conn *pgx.Conn
	log  *slog.Logger
	sums []MigrationSum
	lock int64  // the advisory lock that the library's own driver takes too
	tx   pgx.Tx // of the migration that runs; nil: none does

	began time.Time // when the migration that ran last began
}

// newMigrationDriver connects, and makes the table of the version where there is none.
func newMigrationDriver(ctx context.Context, cfg *pgx.ConnConfig, log *slog.Logger) (_ *migrationDriver, err error) {
	sums, err := migrations()
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("reach the database to migrate it: %w", oneLine{err})
	}
	d := &migrationDriver{ctx: ctx, conn: conn, log: log, sums: sums}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	at, err := platformdb.New(conn).WhereTablesAre(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the schema: %w", err)
	}
	id, err := database.GenerateAdvisoryLockId(at.Database, at.Schema, migrationsTable)
	if err != nil {
		return nil, fmt.Errorf("name the lock of the schema: %w", err)
	}
	if d.lock, err = strconv.ParseInt(id, 10, 64); err != nil {
		return nil, fmt.Errorf("name the lock of the schema: %w", err)
	}
	if at.Versioned {
		return d, nil
	}
	if err := d.Lock(); err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+migrationsTable+" (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)"); err != nil {
		return nil, fmt.Errorf("make the table of the version: %w", err)
	}
	return d, d.Unlock()
}

// Open is not used: newMigrationDriver creates the driver.
func (d *migrationDriver) Open(string) (database.Driver, error) {
	return nil, errors.ErrUnsupported
}

// Close closes the connection, which releases the lock.
func (d *migrationDriver) Close() error { return d.conn.Close(context.WithoutCancel(d.ctx)) }

// Lock waits until no other process migrates.
func (d *migrationDriver) Lock() error {
	for {
		locked, err := platformdb.New(d.conn).TryLockSchema(d.ctx, d.lock)
		if err != nil || locked {
			return err
		}
		if err := pause(d.ctx, lockPause); err != nil {
			return err
		}
	}
}

// Unlock releases the lock, so that the next process can migrate.
func (d *migrationDriver) Unlock() error {
	return platformdb.New(d.conn).UnlockSchema(context.WithoutCancel(d.ctx), d.lock)
}

// Version returns the version of the schema, database.NilVersion if there is none, and whether an earlier release was
// killed between a migration and the storing of its version.
func (d *migrationDriver) Version() (version int, dirty bool, err error) {
	row, err := platformdb.New(d.conn).SchemaVersion(d.ctx)
	if IsMissing(err) {
		return database.NilVersion, false, nil
	}
	return int(row.Version), row.Dirty, err
}

// Drop is not used: the down migrations remove the schema.
func (d *migrationDriver) Drop() error { return errors.ErrUnsupported }

// Run applies a migration. It is committed by the SetVersion that follows.
func (d *migrationDriver) Run(migration io.Reader) error {
	d.began = time.Now()
	text, err := io.ReadAll(migration)
	if err != nil {
		return fmt.Errorf("read the migration: %w", err)
	}
	if strings.HasPrefix(string(text), standalone) {
		return d.runStandalone(string(text))
	}
	for try := 1; ; try++ {
		err := d.runInTransaction(string(text))
		if !isState(err, stateLockTimeout) || try == migrationTries {
			return err
		}
		d.log.Warn("a migration waits for locks that another connection has (a backup, a long transaction); it is tried again",
			"try", try, "of", migrationTries, "again_in", migrationPause, "error", err)
		if err := pause(d.ctx, migrationPause); err != nil {
			return err
		}
	}
}

func (d *migrationDriver) runInTransaction(text string) (err error) {
	tx, err := d.begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback(context.WithoutCancel(d.ctx)))
		}
	}()
	if _, err := tx.Exec(d.ctx, "SET LOCAL lock_timeout = '"+migrationLockTimeout+"'"); err != nil {
		return fmt.Errorf("bound the wait for locks: %w", err)
	}
	if _, err := tx.Exec(d.ctx, text); err != nil {
		return inLine(text, err)
	}
	d.tx = tx
	return nil
}

// runStandalone runs a statement that Postgres requires outside of a transaction. It first drops indexes that an
// earlier attempt has left invalid, so that the statement creates them again.
func (d *migrationDriver) runStandalone(text string) error {
	left, err := platformdb.New(d.conn).InvalidIndexes(d.ctx)
	if err != nil {
		return fmt.Errorf("look for invalid indexes: %w", err)
	}
	for _, index := range left {
		if _, err := d.conn.Exec(d.ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+index); err != nil {
			return fmt.Errorf("drop the invalid index %s: %w", index, err)
		}
	}
	if _, err := d.conn.Exec(d.ctx, text); err != nil {
		return inLine(text, err)
	}
	return nil
}

// begin begins a transaction that alone may move the schema on.
func (d *migrationDriver) begin() (pgx.Tx, error) {
	tx, err := d.conn.Begin(d.ctx)
	if err != nil {
		return nil, fmt.Errorf("begin the migration: %w", err)
	}
	if _, err := platformdb.New(tx).LockSchemaVersion(d.ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the version: %w", err), tx.Rollback(context.WithoutCancel(d.ctx)))
	}
	return tx, nil
}

// SetVersion stores the version of the schema, together with the migration that ran; database.NilVersion is none. It
// does not store that a migration begins (dirty), because the migration and its version are committed in one
// transaction.
func (d *migrationDriver) SetVersion(version int, dirty bool) (err error) {
	if dirty {
		return nil
	}
	tx := d.tx
	d.tx = nil
	if tx == nil { // the migration ran by itself, or is empty
		if tx, err = d.begin(); err != nil {
			return err
		}
	}
	if err := storeVersion(d.ctx, tx, version, d.sums); err != nil {
		return errors.Join(err, tx.Rollback(context.WithoutCancel(d.ctx)))
	}
	if err := tx.Commit(d.ctx); err != nil {
		return fmt.Errorf("commit the migration: %w", err)
	}
	return nil
}

// storeVersion stores the version that the schema has, and the checksum of the migration that led to it. What was applied
// before checksums were kept is known by the schema, so all are stored then.
func storeVersion(ctx context.Context, tx pgx.Tx, version int, sums []MigrationSum) error {
	q := platformdb.New(tx)
	kept, err := q.HasAppliedMigrations(ctx)
	if err != nil {
		return fmt.Errorf("look for the record of migrations: %w", err)
	}
	if kept {
		applied, err := q.AppliedMigrations(ctx)
		if err != nil {
			return fmt.Errorf("read the record of migrations: %w", err)
		}
		if len(applied) == 0 {
			return storeAll(ctx, tx, version, sums)
		}
	}
	return store(ctx, q, version, kept, slices.DeleteFunc(slices.Clone(sums), func(s MigrationSum) bool { return int(s.Version) != version }))
}

// storeAll stores the version that the schema has, and the checksums of all that leads to it.
func storeAll(ctx context.Context, tx pgx.Tx, version int, sums []MigrationSum) error {
	q := platformdb.New(tx)
	kept, err := q.HasAppliedMigrations(ctx)
	if err != nil {
		return fmt.Errorf("look for the record of migrations: %w", err)
	}
	return store(ctx, q, version, kept, slices.DeleteFunc(slices.Clone(sums), func(s MigrationSum) bool { return int(s.Version) > version }))
}

func store(ctx context.Context, q *platformdb.Queries, version int, kept bool, sums []MigrationSum) error {
	if err := q.ClearSchemaVersion(ctx); err != nil {
		return fmt.Errorf("store the version: %w", err)
	}
	if version != database.NilVersion {
		if err := q.SetSchemaVersion(ctx, int64(version)); err != nil {
			return fmt.Errorf("store the version: %w", err)
		}
	}
	if !kept {
		return nil
	}
	if err := q.ForgetMigrations(ctx, int64(version)); err != nil {
		return fmt.Errorf("forget migrations: %w", err)
	}
	var record platformdb.RecordMigrationsParams
	for _, s := range sums {
		record.Versions, record.Checksums = append(record.Versions, int64(s.Version)), append(record.Checksums, s.Checksum)
	}
	if err := q.RecordMigrations(ctx, record); err != nil {
		return fmt.Errorf("record the migration: %w", err)
	}
	return nil
}

// inLine names the line of a migration in which an error is.
func inLine(text string, err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Position < 1 || int(pg.Position) > len([]rune(text)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+strings.Count(string([]rune(text)[:pg.Position-1]), "\n"), err)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
