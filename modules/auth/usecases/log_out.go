package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// LogOut ends a session.
type LogOut struct {
	Sessions ports.Sessions
	Now      func() time.Time
}

// Do ends the session at once: its access tokens are refused from the commit on.
func (u LogOut) Do(ctx context.Context, id uuid.UUID) error {
	session, err := u.Sessions.Lock(ctx, id)
	if err != nil {
		return err
	}
	session.Revoke(u.Now())
	return u.Sessions.Save(ctx, session)
}
