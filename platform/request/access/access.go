// Package access ends long responses, such as streams, downloads and exports, when the right of the caller ends: its
// session or key, its membership, its role, or its workspace. The first statement of a transaction checks the caller
// only once. The Watcher stops responses that are still being written long after that.
package access

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Reason says why a caller's right has ended. Its text is part of the API.
type Reason string

// The reasons.
const (
	SessionEnded     Reason = "session_ended"    // log-out, theft of a refresh token, change of password, expiry
	KeyRevoked       Reason = "key_revoked"      // or suspended, or expired
	EndUserRevoked   Reason = "end_user_revoked" // or its bot deleted, or the key of its token revoked
	MembershipEnded  Reason = "membership_ended" // the user is no member of the workspace any more
	PermissionLost   Reason = "permission_lost"  // the role no longer has what the call needs, or the workspace demands a second factor
	WorkspaceDeleted Reason = "workspace_deleted"
	Unverified       Reason = "access_unverified" // the database could not be asked for MaxUnverified
)

const (
	// Interval is how often Check has to be called. It is also the longest time until a right that has ended is
	// noticed.
	Interval = time.Second
	// MaxUnverified is how long responses continue while the database cannot be queried.
	MaxUnverified = 15 * time.Second

	checkTimeout = 3 * time.Second // for one statement
	maxBatch     = 500             // callers in one statement
)

// End is the error of a caller whose right has ended. It wraps the error that a new call of the caller would receive,
// such as fail.ErrUnauthorized.
type End struct {
	Reason Reason
	cause  error
}

func (e *End) Error() string {
	return "the caller's right has ended (" + string(e.Reason) + "): " + e.cause.Error()
}

// Unwrap returns the error that a new call of the caller would receive.
func (e *End) Unwrap() error { return e.cause }

// EndOf returns the End in err, or the End that is the cause of a context of Watch. It returns nil if the caller's
// right has not ended. An error in which the database has refused the call of the context is an End too.
func EndOf(ctx context.Context, err error) *End {
	if end, ok := errors.AsType[*End](context.Cause(ctx)); ok {
		return end
	}
	return endOf(callctx.From(ctx), err)
}

func endOf(c *callctx.Call, err error) *End {
	e, ok := errors.AsType[*fail.Error](err)
	switch {
	case !ok:
		return nil
	case e.Kind == fail.Unauthenticated && c.Principal.EndUser != nil:
		return &End{EndUserRevoked, err}
	case e.Kind == fail.Unauthenticated && c.Principal.KeyID != uuid.Nil:
		return &End{KeyRevoked, err}
	case e.Kind == fail.Unauthenticated:
		return &End{SessionEnded, err}
	case errors.Is(err, fail.ErrForbidden):
		return &End{MembershipEnded, err}
	case errors.Is(err, fail.ErrDeleted):
		return &End{WorkspaceDeleted, err}
	case errors.Is(err, fail.ErrNotAllowed), errors.Is(err, fail.ErrNotForKey), errors.Is(err, fail.ErrFactorNeeded):
		return &End{PermissionLost, err}
	}
	return nil
}

// Watcher tracks the callers of all long responses in this process, and checks them together. It is safe for concurrent
// use.
type Watcher struct {
	refused func(ctx context.Context, calls []*callctx.Call) ([]error, error)
	now     func() time.Time
	log     *slog.Logger

	mu      sync.Mutex
	callers map[caller]*answers
	failing time.Time // since when no check could be made; zero: the last one was
}

// caller is what the right of a call depends on.
type caller struct {
	session, user, key, home, workspace uuid.UUID
	roles                               string
	keys                                callctx.Keys
	deleted, withoutFactor              bool
	bot, madeBy                         uuid.UUID // of an end user
}

// answers are the long responses of one caller.
type answers struct {
	call    *callctx.Call
	cancels map[*context.CancelCauseFunc]struct{}
}

// NewWatcher returns a Watcher. refused returns one error for each call, nil if the call would be admitted now, as
// postgres.DB.Refused does.
func NewWatcher(refused func(ctx context.Context, calls []*callctx.Call) ([]error, error), now func() time.Time, log *slog.Logger) *Watcher {
	return &Watcher{refused: refused, now: now, log: log, callers: map[caller]*answers{}}
}

// Watch returns a context that is canceled, with an *End as its cause, when the right of the caller in ctx ends. stop
// must be called when the response is complete. A caller whose right is already settled is not watched.
func (w *Watcher) Watch(ctx context.Context) (watched context.Context, stop func()) {
	c := callctx.From(ctx)
	if c.Principal.SessionID == uuid.Nil {
		return ctx, func() {}
	}
	p := c.Principal
	key := caller{p.SessionID, p.UserID, p.KeyID, p.HomeID, p.WorkspaceID, strings.Join(c.Needs.Roles, ","), c.Needs.Keys, c.Needs.Deleted, c.Needs.WithoutFactor, uuid.Nil, uuid.Nil}
	if p.EndUser != nil {
		key.bot, key.madeBy = p.EndUser.BotID, p.EndUser.KeyID
	}
	watched, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.callers[key]
	if a == nil {
		a = &answers{call: c, cancels: map[*context.CancelCauseFunc]struct{}{}}
		w.callers[key] = a
	}
	a.cancels[&cancel] = struct{}{}
	return watched, func() {
		cancel(nil)
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(a.cancels, &cancel); len(a.cancels) == 0 && w.callers[key] == a {
			delete(w.callers, key)
		}
	}
}

// Watched returns how many responses are watched.
func (w *Watcher) Watched() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.callers {
		n += len(a.cancels)
	}
	return n
}

// Check queries the rights of all callers once, in batches, and ends the responses of callers whose right has ended. It
// has to be called every Interval. If the query fails, responses continue for MaxUnverified; the failure is logged and
// not returned.
func (w *Watcher) Check(ctx context.Context) error {
	w.mu.Lock()
	keys, calls := make([]caller, 0, len(w.callers)), make([]*callctx.Call, 0, len(w.callers))
	for key, a := range w.callers {
		keys, calls = append(keys, key), append(calls, a.call)
	}
	w.mu.Unlock()
	for first := 0; first < len(keys); first += maxBatch {
		last := min(first+maxBatch, len(keys))
		w.checkBatch(ctx, keys[first:last], calls[first:last])
	}
	return nil
}

func (w *Watcher) checkBatch(ctx context.Context, keys []caller, calls []*callctx.Call) {
	asking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	refused, err := w.refused(asking, calls)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.failing = time.Time{}
	case w.failing.IsZero():
		w.failing = w.now()
		w.log.Warn("access of open streams could not be checked", "callers", len(calls), "error", err)
	}
	unverified := err != nil && w.now().Sub(w.failing) >= MaxUnverified
	for i, key := range keys {
		a := w.callers[key]
		switch {
		case a == nil: // its answers are over
		case unverified:
			w.end(key, a, &End{Unverified, fail.ErrUnavailable.Because(err)})
		case err == nil && refused[i] != nil:
			end := endOf(a.call, refused[i])
			if end == nil { // for a reason that is new
				end = &End{PermissionLost, refused[i]}
			}
			w.end(key, a, end)
		}
	}
}

// end ends the long responses of a caller. The lock must be held.
func (w *Watcher) end(key caller, a *answers, end *End) {
	for cancel := range a.cancels {
		(*cancel)(end)
	}
	delete(w.callers, key)
}
