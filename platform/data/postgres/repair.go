package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	"github.com/jackc/pgx/v5"

	"github.com/parley/parley/db"
)

// Drift returns a DriftError if the schema was created by other migrations than those of this program.
func (m *Migrator) Drift(ctx context.Context) error {
	return m.run(ctx, func(mg *migrate.Migrate, d *migrationDriver) error {
		at, err := soundVersion(mg)
		if err != nil {
			return err
		}
		return checkDrift(ctx, d.conn, at, d.sums)
	})
}

// Differences returns the lines in which the schema differs from that of the newest migration of this program
// (SchemaDifferences). It does not compare a schema of another version.
func (m *Migrator) Differences(ctx context.Context) (different []string, err error) {
	conn, err := pgx.Connect(ctx, m.url)
	if err != nil {
		return nil, fmt.Errorf("reach the database to compare its schema: %w", oneLine{err})
	}
	defer conn.Close(context.WithoutCancel(ctx))
	live, err := DescribeSchema(ctx, conn)
	if err != nil {
		return nil, err
	}
	return SchemaDifferences(live), nil
}

// errNotTheSchema rolls a trial back.
var errNotTheSchema = errors.New("postgres: the schema is still another one")

// Repair determines the version of the schema by comparing it with the schemas that the migrations of this program
// create, and stores that version. A migration that was left out before newer ones were applied is applied, if the
// schema then matches its version. If no version matches, Repair changes nothing and returns an error and the lines
// that differ from the newest version. With force it then stores the version that the database records. report says in
// one line what was done.
func (m *Migrator) Repair(ctx context.Context, force bool) (report string, different []string, err error) {
	err = m.run(ctx, func(mg *migrate.Migrate, d *migrationDriver) error {
		if err := d.Lock(); err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		defer func() { _ = d.Unlock() }()
		at, _, err := mg.Version()
		if errors.Is(err, migrate.ErrNilVersion) {
			report = "nothing was applied yet: run parley migrate up"
			return nil
		}
		if err != nil {
			return err
		}
		live, err := DescribeSchema(ctx, d.conn)
		if err != nil {
			return err
		}
		fits := slices.IndexFunc(d.sums, func(s MigrationSum) bool { return s.Schema == SchemaChecksum(live) })
		newest := d.sums[len(d.sums)-1].Version
		if fits >= 0 {
			report = fmt.Sprintf("the schema is that of version %d: stored", d.sums[fits].Version)
			return d.store(int(d.sums[fits].Version))
		}
		if report, err = d.applyMissing(at); err != nil || report != "" {
			return err
		}
		if force {
			report = fmt.Sprintf("the schema is taken for that of version %d, as you say", min(at, newest))
			return d.store(int(at))
		}
		different = SchemaDifferences(live)
		return fmt.Errorf("the schema is that of no version of this program: make it so by hand (what differs from version %d is above: - should be there, + should not), "+
			"or run parley migrate repair --yes to have it taken for version %d as it is", newest, at)
	})
	return report, different, err
}

// store stores a version with all that led to it.
func (d *migrationDriver) store(version int) error {
	return pgx.BeginFunc(d.ctx, d.conn, func(tx pgx.Tx) error {
		return storeAll(d.ctx, tx, version, d.sums)
	})
}

// applyMissing applies the migrations that were left out before newer ones were applied, if that results in the schema
// of the version. It returns an empty report if there are none, or if the schema does not match.
func (d *migrationDriver) applyMissing(at uint) (report string, err error) {
	drift, ok := errors.AsType[*DriftError](checkDrift(d.ctx, d.conn, at, d.sums))
	if !ok || len(drift.Missing) == 0 {
		return "", nil
	}
	err = pgx.BeginFunc(d.ctx, d.conn, func(tx pgx.Tx) error {
		for _, version := range drift.Missing {
			text, err := migrationText(version)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(d.ctx, text); err != nil {
				return errors.Join(errNotTheSchema, inLine(text, err))
			}
		}
		live, err := DescribeSchema(d.ctx, tx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(d.sums, func(s MigrationSum) bool { return s.Version == at && s.Schema == SchemaChecksum(live) }) {
			return errNotTheSchema
		}
		return storeAll(d.ctx, tx, int(at), d.sums)
	})
	if errors.Is(err, errNotTheSchema) {
		return "", nil
	}
	return fmt.Sprintf("migrations %v were left out: applied, and the schema is that of version %d", drift.Missing, at), err
}

// migrationText is the up file of a migration.
func migrationText(version uint) (string, error) {
	names, err := fs.Glob(db.Migrations, fmt.Sprintf("migrations/%06d_*.up.sql", version))
	if err != nil || len(names) != 1 {
		return "", fmt.Errorf("migration %d: %d files", version, len(names))
	}
	text, err := fs.ReadFile(db.Migrations, names[0])
	if err != nil {
		return "", fmt.Errorf("migration %d: %w", version, err)
	}
	return strings.TrimSpace(string(text)), nil
}
