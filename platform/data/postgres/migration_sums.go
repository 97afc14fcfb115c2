package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/parley/parley/db"
	"github.com/parley/parley/db/platformdb"
)

// MigrationSum describes a migration of this program, as a line of db/migrations.sum.
type MigrationSum struct {
	Version  uint
	Checksum string // SHA-256 of the up file, in hex
	Schema   string // SHA-256 of the schema after it, in hex, as DescribeSchema describes it
}

// String returns the line of db/migrations.sum.
func (s MigrationSum) String() string {
	return fmt.Sprintf("%06d %s %s", s.Version, s.Checksum, s.Schema)
}

// migrations returns the migrations of this program, in order. Schema is empty if migrations.sum does not contain it
// yet.
func migrations() (list []MigrationSum, err error) {
	ups, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	schemas := map[uint]string{}
	for line := range strings.Lines(db.MigrationSums) {
		var s MigrationSum
		if _, err := fmt.Sscanf(line, "%d %s %s", &s.Version, &s.Checksum, &s.Schema); err != nil {
			return nil, fmt.Errorf("migrations.sum: %q: %w", line, err)
		}
		schemas[s.Version] = s.Schema
	}
	for _, up := range ups {
		text, err := fs.ReadFile(db.Migrations, up)
		if err != nil {
			return nil, fmt.Errorf("read the migrations: %w", err)
		}
		number, _, _ := strings.Cut(path.Base(up), "_")
		version, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("read the migrations: %s: %w", up, err)
		}
		list = append(list, MigrationSum{Version: uint(version), Checksum: Checksum(string(text)), Schema: schemas[uint(version)]})
	}
	return list, nil
}

// DescribeSchema returns a description of the schemas of the program in a database, one line per object, in order.
func DescribeSchema(ctx context.Context, conn interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}) ([]string, error) {
	rows, err := conn.Query(ctx, db.SchemaLines)
	if err != nil {
		return nil, fmt.Errorf("describe the schema: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("describe the schema: %w", err)
	}
	return lines, nil
}

// Checksum returns the SHA-256 of a text, in hex.
func Checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// SchemaChecksum returns the checksum of the lines of DescribeSchema.
func SchemaChecksum(lines []string) string { return Checksum(strings.Join(lines, "\n")) }

// DriftError says that a schema was not made by the migrations of this program.
type DriftError struct {
	At      uint
	Missing []uint // migrations before At that were not applied
	Changed []uint // migrations whose files were other ones when they were applied
	Unknown bool   // it is not recorded what was applied, and the schema is not the one of At
}

func (e *DriftError) Error() string {
	var why []string
	if len(e.Missing) > 0 {
		why = append(why, fmt.Sprintf("migrations %v were not applied before %d was", e.Missing, e.At))
	}
	if len(e.Changed) > 0 {
		why = append(why, fmt.Sprintf("migrations %v were others when they were applied", e.Changed))
	}
	if e.Unknown {
		why = append(why, fmt.Sprintf("the schema is not what the migrations up to %d make", e.At))
	}
	return "the database was brought to its version by other migrations than those of this program: " + strings.Join(why, "; ") +
		": run parley migrate repair, which says what is different"
}

// checkDrift returns a DriftError if other migrations than those with these checksums brought a database to a version.
func checkDrift(ctx context.Context, conn *pgx.Conn, at uint, sums []MigrationSum) error {
	if at == 0 {
		return nil
	}
	applied, err := appliedMigrations(ctx, conn)
	if err != nil {
		return err
	}
	drift := &DriftError{At: at}
	if len(applied) == 0 { // from before they were recorded
		lines, err := DescribeSchema(ctx, conn)
		if err != nil {
			return err
		}
		drift.Unknown = !slices.ContainsFunc(sums, func(s MigrationSum) bool { return s.Version == at && s.Schema == SchemaChecksum(lines) })
	}
	for _, s := range sums {
		checksum, ok := applied[s.Version]
		switch {
		case s.Version > at || len(applied) == 0:
		case !ok:
			drift.Missing = append(drift.Missing, s.Version)
		case checksum != s.Checksum:
			drift.Changed = append(drift.Changed, s.Version)
		}
	}
	if drift.Unknown || len(drift.Missing) > 0 || len(drift.Changed) > 0 {
		return drift
	}
	return nil
}

// appliedMigrations returns the checksums of the applied migrations; none if they were not recorded.
func appliedMigrations(ctx context.Context, conn *pgx.Conn) (map[uint]string, error) {
	q := platformdb.New(conn)
	kept, err := q.HasAppliedMigrations(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the record of migrations: %w", err)
	}
	if !kept {
		return nil, nil
	}
	rows, err := q.AppliedMigrations(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the record of migrations: %w", err)
	}
	applied := map[uint]string{}
	for _, r := range rows {
		applied[uint(r.Version)] = r.Checksum
	}
	return applied, nil
}

// SchemaDifferences returns the lines in which a schema differs from that of the newest migration: "- " for what is
// missing, and "+ " for what should not exist. Tables and indexes that an operator has added are left out.
func SchemaDifferences(live []string) (different []string) {
	want := strings.Split(strings.TrimSuffix(db.Schema, "\n"), "\n")
	for _, line := range want {
		if !slices.Contains(live, line) {
			different = append(different, "- "+line)
		}
	}
	ours := map[string]bool{}
	for _, line := range want {
		if name, ok := strings.CutPrefix(line, "table "); ok {
			name, _, _ = strings.Cut(name, ":")
			ours[name] = true
		}
	}
	for _, line := range live {
		if !slices.Contains(want, line) && !additional(line, ours) {
			different = append(different, "+ "+line)
		}
	}
	return different
}

// additional reports whether a line describes something that an operator may add: an index, or a table with everything
// that belongs to it.
func additional(line string, ours map[string]bool) bool {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "index":
		return true
	case "table", "view":
		name, _, _ := strings.Cut(rest, ":")
		return !ours[name]
	case "column":
		name, _, _ := strings.Cut(rest, ".")
		return !ours[name]
	case "right":
		_, name, _ := strings.Cut(rest, " on table ")
		name, _, _ = strings.Cut(name, " to ")
		return name != "" && !ours[name]
	case "constraint", "policy", "trigger":
		_, name, _ := strings.Cut(rest, " on ")
		name, _, _ = strings.Cut(name, ":")
		return !ours[name]
	}
	return false
}
