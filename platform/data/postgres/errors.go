package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parley/parley/platform/request/fail"
)

// SQLSTATEs that our own functions raise, and those of the standard that we act on
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	stateSessionEnded    = "PY401"
	stateNotMember       = "PY403"
	stateMissing         = "PY404"
	stateRefused         = "PY409"
	stateDeleted         = "PY410"
	stateRole            = "PYROL"
	stateKey             = "PYKEY"
	stateLimitReached    = "PYLIM"
	stateTooMany         = "PYRAT" // the detail is after how many seconds it is allowed
	stateNoFactor        = "PY2FA"
	stateStale           = "PYREA"
	stateUniqueViolation = "23505"
	stateForeignKey      = "23503"
	stateLockTimeout     = "55P03"
	stateCanceled        = "57014"
)

// detailSuspended is the detail of stateSessionEnded for an API key that is suspended, not revoked.
const detailSuspended = "suspended"

// translate converts driver errors to errors of the program if the database itself decides: access was refused, or the
// database is unavailable. All other errors are left to the adapter, which knows its constraints: see Violates and
// IsMissing.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*pgconn.ConnectError](err); refused { // whatever the reason
		return fail.ErrUnavailable.Because(err)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pg.Code == stateSessionEnded && pg.Detail == detailSuspended:
			return fail.ErrSuspended
		case pg.Code == stateSessionEnded:
			return fail.ErrUnauthorized
		case pg.Code == stateNotMember:
			return fail.ErrForbidden
		case pg.Code == stateDeleted:
			return fail.ErrDeleted
		case pg.Code == stateRole:
			return fail.ErrNotAllowed.With("role", pg.Detail)
		case pg.Code == stateKey:
			return fail.ErrNotForKey.With("role", pg.Detail)
		case pg.Code == stateNoFactor:
			return fail.ErrFactorNeeded
		case pg.Code == stateStale:
			return fail.ErrReauthenticate
		case pg.Code == stateLimitReached:
			return limitReached(pg)
		case pg.Code == stateTooMany:
			seconds, _ := strconv.Atoi(pg.Detail) // 0, which becomes a second, where it is none
			return fail.ErrTooMany.After(max(1, time.Duration(seconds)) * time.Second)
		case isNotNow(pg.Code):
			return fail.ErrUnavailable.Because(err)
		}
		return err
	}
	var network net.Error
	if errors.As(err, &network) || slices.ContainsFunc([]error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed, context.DeadlineExceeded, context.Canceled,
	}, func(target error) bool { return errors.Is(err, target) }) {
		return fail.ErrUnavailable.Because(err)
	}
	return err
}

// isRefusal reports whether one of our own SQL functions raised err. Such an error stays the same when the query is
// repeated.
func isRefusal(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(pg.Code, "PY")
}

// limitReached is what app.use, app.make_room and app.reserve_cost raise, with its details.
func limitReached(pg *pgconn.PgError) error {
	var details map[string]json.RawMessage
	if err := json.Unmarshal([]byte(pg.Detail), &details); err != nil {
		return fail.ErrLimitReached.Because(pg)
	}
	e := fail.ErrLimitReached
	for _, key := range []string{"metric", "limit", "used", "resets_at"} {
		e = e.With(key, details[key])
	}
	for _, key := range []string{"reserved", "needed"} { // of costs alone
		if value, ok := details[key]; ok {
			e = e.With(key, value)
		}
	}
	return e
}

// isNotNow reports whether an SQLSTATE says that the query may be tried again later: 08 connection; 25006 a server that
// only reads, as after a failover; 40 rolled back; 53 resources; 57014 canceled by statement_timeout; 57P operator; 58
// system; 25P03 idle in transaction.
func isNotNow(code string) bool {
	return slices.ContainsFunc([]string{"08", "25006", "40", "53", "57014", "57P", "58", "25P03"}, func(class string) bool {
		return strings.HasPrefix(code, class)
	})
}

// oneLine is an error on one line, for an operator: the driver writes each address that it tried on a line of its own.
type oneLine struct{ error }

func (e oneLine) Error() string {
	return strings.NewReplacer(":\n\t", ": ", "\n\t", "; ", "\n", "; ").Replace(e.error.Error())
}

func (e oneLine) Unwrap() error { return e.error }

// Violates reports whether err is a violation of this unique or foreign key constraint.
func Violates(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == stateUniqueViolation || pg.Code == stateForeignKey) && pg.ConstraintName == constraint
}

// IsMissing reports whether the query found no row, or app.require raised because it found none.
func IsMissing(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == stateMissing || errors.Is(err, pgx.ErrNoRows)
}

// RefusedFor returns the reason that app.refuse gave in err; "" if app.refuse did not raise err.
func RefusedFor(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == stateRefused {
		return pg.Message
	}
	return ""
}

// isCanceled reports whether the database canceled a statement before its end, as at its timeout.
func isCanceled(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == stateCanceled
}

// IsLockTimeout reports whether a statement gave up waiting for a lock.
func IsLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == stateLockTimeout
}
