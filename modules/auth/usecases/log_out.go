package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// LogOut ends a session.
type LogOut struct {
	Sessions     ports.Sessions
	Transactions ports.Transactions
	Audit        ports.Audit
	Now          func() time.Time
}

// Do ends a session of the user: its tokens are refused from the commit on. It returns ErrSessionNotFound where the
// user has no such session that is alive.
func (u LogOut) Do(ctx context.Context, user, id uuid.UUID) error {
	session, err := u.Sessions.Lock(ctx, id)
	if errors.Is(err, ports.ErrBadRefreshToken) || err == nil && (session.UserID != user || !session.Alive(u.Now())) {
		return ports.ErrSessionNotFound
	}
	if err != nil {
		return err
	}
	session.Revoke(u.Now())
	return u.Sessions.Save(ctx, session)
}

// WithoutWorkspace does the same as Do for the session of a user who is in no workspace, in a transaction of its own.
func (u LogOut) WithoutWorkspace(ctx context.Context, user, id uuid.UUID) error {
	return u.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) error {
		if err := u.Do(ctx, user, id); err != nil {
			return err
		}
		return u.Audit.Session(ctx, "session.close", id)
	})
}
