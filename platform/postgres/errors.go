package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parley/parley/platform/fail"
)

// SQLSTATEs that our own functions raise, and those of the standard that we act on
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	stateSessionEnded    = "PY401"
	stateNotMember       = "PY403"
	stateMissing         = "PY404"
	stateUniqueViolation = "23505"
	stateForeignKey      = "23503"
	stateLockTimeout     = "55P03"
)

// translate turns what a driver says into our errors where the database itself is the one to know: refused entry,
// database away. The rest is for the adapter, which knows its constraints: see Violates and IsMissing.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pg.Code == stateSessionEnded:
			return fail.ErrUnauthorized
		case pg.Code == stateNotMember:
			return fail.ErrForbidden
		case isNotNow(pg.Code):
			return fail.ErrUnavailable.Because(err)
		}
		return err
	}
	var network net.Error
	var connect *pgconn.ConnectError
	if errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fail.ErrUnavailable.Because(err)
	}
	return err
}

// isNotNow tells whether a state says: try again later. 08 connection, 40 rolled back, 53 resources, 57014 canceled by
// statement_timeout, 57P operator, 58 system, 25P03 idle in transaction.
func isNotNow(code string) bool {
	return slices.ContainsFunc([]string{"08", "40", "53", "57014", "57P", "58", "25P03"}, func(class string) bool {
		return strings.HasPrefix(code, class)
	})
}

// Violates tells whether err is the violation of this unique or foreign key constraint.
func Violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == stateUniqueViolation || pg.Code == stateForeignKey) && pg.ConstraintName == constraint
}

// IsMissing tells whether the query found no row, or app.require raised because it did not.
func IsMissing(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, pgx.ErrNoRows) || errors.As(err, &pg) && pg.Code == stateMissing
}

// IsLockTimeout tells whether a statement gave up waiting for a lock.
func IsLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == stateLockTimeout
}
