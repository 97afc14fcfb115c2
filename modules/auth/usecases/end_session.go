package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// EndSession ends one of the caller's sessions, in whichever workspace it is.
type EndSession struct {
	Sessions ports.OwnSessions
}

// Do ends a session: its tokens are refused from the commit on. It returns ErrSessionNotFound where the user of the context
// has no such session that is alive.
func (u EndSession) Do(ctx context.Context, session uuid.UUID) error {
	ended, err := u.Sessions.End(ctx, session)
	if err == nil && !ended {
		err = ports.ErrSessionNotFound
	}
	return err
}
