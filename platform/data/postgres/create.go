package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	stateNoDatabase     = "3D000"
	stateDatabaseExists = "42P04"
	stateNotAllowed     = "42501"
	stateTemplateInUse  = "55006"
)

// maintenance is the database that every server has and that others are made from.
const maintenance = "postgres"

// EnsureDatabase creates the database of the URL if the server has none of that name. It may be called concurrently.
func (m *Migrator) EnsureDatabase(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(m.url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		return conn.Close(ctx)
	}
	if !isState(err, stateNoDatabase) {
		return fmt.Errorf("reach the database: %w", oneLine{err})
	}
	name := cfg.Database
	cfg.Database = maintenance
	if conn, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		return fmt.Errorf("the database %q does not exist, and the database %q, from which it would be made, cannot be reached: %w",
			name, maintenance, oneLine{err})
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return create(ctx, conn, name)
}

// Reaches reports whether a connection to the database can be opened.
func Reaches(ctx context.Context, url string) bool {
	conn, err := pgx.Connect(ctx, url)
	return err == nil && conn.Close(ctx) == nil
}

func create(ctx context.Context, conn *pgx.Conn, name string) error {
	for {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
		switch {
		case err == nil, isState(err, stateDatabaseExists), isState(err, stateUniqueViolation): // somebody was quicker
			return nil
		case isState(err, stateNotAllowed):
			return fmt.Errorf("the database %q does not exist, and the user of DATABASE_URL may not make it "+
				"(a superuser can: CREATE DATABASE, or ALTER ROLE … CREATEDB): %w", name, err)
		case !isState(err, stateTemplateInUse): // somebody is connected to the template, which passes
			return fmt.Errorf("make the database %q: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("make the database %q: %w", name, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func isState(err error, state string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == state
}
