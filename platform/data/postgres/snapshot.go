package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/request/fail"
)

// errSnapshotOver says that reading from a snapshot took longer than it may.
var errSnapshotOver = errors.New("postgres: the snapshot was read from for too long")

// Snapshot runs fn in one read-only transaction for the caller in the context, whose queries all see the data as of the
// first of them (REPEATABLE READ). It takes no locks that changes wait for. It keeps a connection and holds back vacuum, so
// it ends after the timeout, with fail.ErrUnavailable. Rows that a query returns are read from the connection one by one,
// and fn must close them before its next query.
func (db *DB) Snapshot(ctx context.Context, timeout time.Duration, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errSnapshotOver)
	defer cancel()
	t := &tx{db: db, reads: true, begin: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"}
	err := db.write(ctx, t, func(ctx context.Context) error {
		milliseconds := strconv.FormatInt(timeout.Milliseconds(), 10)
		if err := platformdb.New(db.In(ctx)).BoundRead(ctx, milliseconds); err != nil {
			return err
		}
		return fn(ctx)
	})
	if err != nil && errors.Is(context.Cause(ctx), errSnapshotOver) {
		return fail.ErrUnavailable.Because(errors.Join(errSnapshotOver, err))
	}
	return err
}
