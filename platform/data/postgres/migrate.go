package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parley/parley/db"
	"github.com/parley/parley/db/platformdb"
)

// Migrator migrates a database to a version of the schema. Several processes may do so at once: with the advisory lock
// of golang-migrate, one of them migrates and the others find the work done. It needs a direct connection, not a
// pooler's.
type Migrator struct {
	url string
	log *slog.Logger
}

// NewMigrator returns a Migrator for the database behind a URL, whose user owns the schema.
func NewMigrator(url string, log *slog.Logger) *Migrator { return &Migrator{url: url, log: log} }

// migrationWait is how long a process waits for another one that is migrating: as long as there is data.
const migrationWait = time.Hour

// Up creates the roles and applies every missing migration. It leaves a schema that is newer than this program as it
// is: migrations expand first, so that the previous release can run on the newer schema. It returns a DriftError if
// other migrations than those of this program were applied.
func (m *Migrator) Up(ctx context.Context) error {
	if err := m.ensureRoles(ctx); err != nil {
		return err
	}
	return m.run(ctx, func(mg *migrate.Migrate, d *migrationDriver) error {
		if err := d.Lock(); err != nil { // counted: the library locks once more
			return fmt.Errorf("lock the schema: %w", err)
		}
		defer func() { _ = d.Unlock() }()
		at, err := soundVersion(mg)
		if err != nil {
			return err
		}
		if err := checkDrift(ctx, d.conn, at, d.sums); err != nil {
			return err
		}
		if newest := d.sums[len(d.sums)-1].Version; at > newest {
			m.log.Info("the schema is newer than this program", "version", at, "newest_known", newest)
			return nil
		}
		return mg.Up()
	})
}

// soundVersion returns the version of the schema, 0 for none. It returns an error if an earlier release was killed during a migration.
func soundVersion(mg *migrate.Migrate) (uint, error) {
	at, dirty, err := mg.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if dirty {
		return 0, fmt.Errorf("an earlier release was killed while it brought the database to version %d: run parley migrate repair, "+
			"which finds out whether that was done", at)
	}
	return at, nil
}

// Down reverts the newest steps migrations; steps 0 reverts all of them. The roles stay.
func (m *Migrator) Down(ctx context.Context, steps int) error {
	return m.run(ctx, func(mg *migrate.Migrate, _ *migrationDriver) error {
		if steps == 0 {
			return mg.Down()
		}
		return mg.Steps(-steps)
	})
}

// Status returns the version of the database (0: empty), the newest version that this program has, and whether a
// migration was interrupted (dirty).
func (m *Migrator) Status(ctx context.Context) (at, newest uint, dirty bool, err error) {
	if newest, err = Newest(); err != nil {
		return 0, 0, false, err
	}
	err = m.run(ctx, func(mg *migrate.Migrate, _ *migrationDriver) error {
		var err error
		at, dirty, err = mg.Version()
		return err
	})
	return at, newest, dirty, err
}

// Newest returns the number of the last migration of the program.
func Newest() (uint, error) {
	sums, err := migrations()
	if err != nil || len(sums) == 0 {
		return 0, err
	}
	return sums[len(sums)-1].Version, nil
}

func (m *Migrator) run(ctx context.Context, step func(*migrate.Migrate, *migrationDriver) error) error {
	cfg, err := pgx.ParseConfig(m.url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	// A migration that row security would silently show no rows to fails instead.
	cfg.RuntimeParams["row_security"] = "off"
	// Creating an SQL function over a table with row-level security is no such query, but its check treats it as one and refuses
	// it to an owner who is no superuser. (pg_dump, whose files have both settings too, does the same.)
	cfg.RuntimeParams["check_function_bodies"] = "off"
	driver, err := newMigrationDriver(ctx, cfg, m.log)
	if err != nil {
		return err
	}
	source, err := iofs.New(db.Migrations, "migrations")
	if err != nil {
		return errors.Join(fmt.Errorf("read the migrations: %w", err), driver.Close())
	}
	mg, err := migrate.NewWithInstance("embedded", source, "pgx5", driver)
	if err != nil {
		return errors.Join(fmt.Errorf("prepare the migration: %w", err), driver.Close())
	}
	mg.LockTimeout = migrationWait
	mg.Log = migrateLog{log: m.log, driver: driver}
	stop := context.AfterFunc(ctx, func() { mg.GracefulStop <- true })
	defer stop()
	err = step(mg, driver)
	if errors.Is(err, migrate.ErrNoChange) || errors.Is(err, migrate.ErrNilVersion) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("migrate: %w", err)
	}
	sourceErr, driverErr := mg.Close()
	return errors.Join(err, sourceErr, driverErr)
}

// ensureRoles makes the roles that the migrations grant to. They are the cluster's, so no migration makes or drops them.
func (m *Migrator) ensureRoles(ctx context.Context) (err error) {
	conn, err := pgx.Connect(ctx, m.url)
	if err != nil {
		return fmt.Errorf("reach the database to make its roles: %w", oneLine{err})
	}
	defer conn.Close(context.WithoutCancel(ctx))
	q := platformdb.New(conn)
	if err := q.LockRoles(ctx); err != nil {
		return fmt.Errorf("lock the making of roles: %w", err)
	}
	defer func() { err = errors.Join(err, q.UnlockRoles(ctx)) }()
	missing, err := q.MissingRoles(ctx)
	if err != nil {
		return fmt.Errorf("look up the roles: %w", err)
	}
	for _, role := range missing {
		name := pgx.Identifier{role.Name}.Sanitize()
		if role.Absent {
			// Another database of this cluster may be at the same: then the role is there, which is all we want.
			if _, err := conn.Exec(ctx, "CREATE ROLE "+name+" NOLOGIN NOINHERIT"); err != nil && !isDuplicate(err) {
				return fmt.Errorf("make the role %s (the user of DATABASE_URL needs CREATEROLE, or make it beforehand): %w", name, err)
			}
		}
		if _, err := conn.Exec(ctx, "GRANT "+name+" TO CURRENT_USER"); err != nil {
			return fmt.Errorf("let the user of DATABASE_URL work as %s, which another user has made (a superuser can: GRANT %s TO that user, as "+
				"db/create-owner.sh does): %w", name, name, err)
		}
	}
	return nil
}

func isDuplicate(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42710" || pg.Code == stateUniqueViolation)
}

// migrateLog logs each migration that golang-migrate applied, with how long it ran. The library's own duration begins when it
// reads the file, which it does for many migrations in advance.
type migrateLog struct {
	log    *slog.Logger
	driver *migrationDriver
}

// Printf logs one message of golang-migrate. The message of a migration contains its name and the duration that
// golang-migrate measured.
func (l migrateLog) Printf(format string, args ...any) {
	if len(args) == 2 && format == "%v (%v)\n" {
		l.log.Info("migration", "step", args[0], "took", time.Since(l.driver.began))
		return
	}
	l.log.Info("migration", "step", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l migrateLog) Verbose() bool { return false }

// Rebuild removes the schema of the program from the database, including its rows, and creates the schema of a version.
func (m *Migrator) Rebuild(ctx context.Context, version uint) error {
	if err := m.ensureRoles(ctx); err != nil {
		return err
	}
	return m.run(ctx, func(mg *migrate.Migrate, _ *migrationDriver) error {
		if _, err := soundVersion(mg); err != nil {
			return err
		}
		if err := mg.Down(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
			return err
		}
		return mg.Migrate(version)
	})
}
