package analytics

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/parley/parley/db"
)

// Prepare creates the database and the missing tables of db/clickhouse. It is idempotent and may be called
// concurrently. It leaves a schema that is newer than this program unchanged.
func (c *ClickHouse) Prepare(ctx context.Context) error {
	err := execute(ctx, c.conn, "queries/create_versions.sql", nil)
	if isUnknown(err) {
		if err = c.createDatabase(ctx); err == nil {
			err = execute(ctx, c.conn, "queries/create_versions.sql", nil)
		}
	}
	if err != nil {
		return fmt.Errorf("make the database of analytics: %w", err)
	}
	query, err := statement("queries/version.sql")
	if err != nil {
		return err
	}
	var at uint32
	if err := c.conn.QueryRow(ctx, query).Scan(&at); err != nil {
		return fmt.Errorf("read the version of the analytics schema: %w", err)
	}
	files, err := fs.Glob(db.ClickHouse, "clickhouse/schema/*.sql")
	if err != nil {
		return err
	}
	for _, file := range files { // in their order
		if err := c.apply(ctx, path.Base(file), at); err != nil {
			return fmt.Errorf("make the analytics schema, %s: %w", path.Base(file), err)
		}
	}
	c.prepared.Store(true)
	return nil
}

// apply executes a file if it is newer than the present version, and records its version. Repeated or concurrent
// execution of a file is harmless, as each statement says IF NOT EXISTS.
func (c *ClickHouse) apply(ctx context.Context, file string, at uint32) error {
	number, _, _ := strings.Cut(file, "_")
	version, err := strconv.ParseUint(number, 10, 32)
	if err != nil || uint32(version) <= at {
		return err
	}
	if err := execute(ctx, c.conn, "schema/"+file, nil); err != nil {
		return err
	}
	return execute(ctx, c.conn, "queries/note_version.sql", clickhouse.Parameters{"version": strconv.FormatUint(version, 10)})
}

func (c *ClickHouse) createDatabase(ctx context.Context) error {
	conn, err := c.options.open("") // our own cannot be named before it is there
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it has done its work
	return execute(ctx, conn, "queries/create_database.sql", clickhouse.Parameters{"name": c.options.Database})
}

// Ping returns an error if the server does not answer.
func (c *ClickHouse) Ping(ctx context.Context) error { return c.conn.Ping(ctx) }

// Check prepares the server, writes a row and reads it back. The row is not counted.
func (c *ClickHouse) Check(ctx context.Context) error {
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	id := clickhouse.Parameters{"id": uuid.NewString()}
	if err := execute(ctx, c.conn, "queries/write_check.sql", id); err != nil {
		return fmt.Errorf("write to ClickHouse: %w", err)
	}
	query, err := statement("queries/read_check.sql")
	if err != nil {
		return err
	}
	var n uint64
	if err := c.conn.QueryRow(clickhouse.Context(ctx, clickhouse.WithParameters(id)), query).Scan(&n); err != nil {
		return fmt.Errorf("read from ClickHouse: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("wrote one row to ClickHouse and read %d", n)
	}
	return nil
}

// execute runs a statement of db/clickhouse that returns no rows.
func execute(ctx context.Context, conn driver.Conn, name string, p clickhouse.Parameters) error {
	text, err := statement(name)
	if err != nil {
		return err
	}
	return conn.Exec(clickhouse.Context(ctx, clickhouse.WithParameters(p)), text)
}

// statement reads one of db/clickhouse.
func statement(name string) (string, error) {
	text, err := fs.ReadFile(db.ClickHouse, "clickhouse/"+name)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}
