// Package usecases has the use cases of auth, one file each.
package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// Grant is a signed-in session with its tokens.
type Grant struct {
	Session     domain.Session
	Tokens      ports.Pair
	DeviceToken string // for the next log-in of this client; "" where no password was sent
}

// SessionIssuer opens sessions. The use cases that sign a user in share it.
type SessionIssuer struct {
	Sessions     ports.Sessions
	Tokens       ports.Tokens
	Transactions ports.Transactions
	Audit        ports.Audit
	IdleLife     time.Duration // how long an unused session lives
	Now          func() time.Time
}

// Open signs a user in, in a workspace or, with the zero id, in none. It runs first, if it is not nil, in the same
// transaction.
func (o SessionIssuer) Open(ctx context.Context, workspace, user uuid.UUID, client domain.Client, action string, first func(ctx context.Context) error) (Grant, error) {
	session := domain.NewSession(workspace, user, o.Tokens.KeyID(), client, o.IdleLife, o.Now())
	tokens, err := o.Tokens.Pair(session)
	if err != nil {
		return Grant{}, err
	}
	err = o.Transactions.As(ctx, workspace, user, func(ctx context.Context) error {
		if first != nil {
			if err := first(ctx); err != nil {
				return err
			}
		}
		if err := o.Sessions.Create(ctx, session); err != nil {
			return err
		}
		return o.Audit.Session(ctx, action, session.ID)
	})
	return Grant{Session: session, Tokens: tokens}, err
}
