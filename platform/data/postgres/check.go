package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/request/callctx"
)

var errRehearsed = errors.New("postgres: rolled back as it was meant to be")

// Rehearse runs fn as a user of a workspace that is created for it, in a transaction that is always rolled back. It
// checks that writing works, and leaves nothing behind. It must not be called within Write.
func (db *DB) Rehearse(ctx context.Context, fn func(ctx context.Context) error) error {
	workspace := uuid.New()
	ctx = callctx.As(ctx, workspace, uuid.New())
	err := db.Write(ctx, func(ctx context.Context) error {
		if _, err := platformdb.New(db.In(ctx)).RehearseWorkspace(ctx, workspace); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if err := fn(ctx); err != nil {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// Check writes a row and reads it back under row-level security, as parley_app. It leaves nothing behind.
func (db *DB) Check(ctx context.Context) error {
	return db.Rehearse(ctx, func(ctx context.Context) error {
		sound, err := platformdb.New(db.In(ctx)).SeesOnly(ctx, callctx.From(ctx).Principal.WorkspaceID)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if !sound {
			return errors.New("the program does not work as parley_app, whom row-level security binds")
		}
		return nil
	})
}

// TableBytes returns the size of each table of the program in bytes, including its indexes.
func (db *DB) TableBytes(ctx context.Context) (map[string]int64, error) {
	rows, err := platformdb.New(db.In(ctx)).TableBytes(ctx)
	if err != nil {
		return nil, fmt.Errorf("measure the tables: %w", err)
	}
	sizes := make(map[string]int64, len(rows))
	for _, r := range rows {
		sizes[r.Name] = r.Bytes
	}
	return sizes, nil
}

// Bytes returns the size of the whole database in bytes, without the write-ahead log (WAL).
func (db *DB) Bytes(ctx context.Context) (int64, error) {
	bytes, err := platformdb.New(db.In(ctx)).DatabaseBytes(ctx)
	if err != nil {
		return 0, fmt.Errorf("measure the database: %w", err)
	}
	return bytes, nil
}
