package usecases

import (
	"context"
	"time"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// RefreshSession changes a refresh token for new tokens.
type RefreshSession struct {
	Sessions     ports.Sessions
	Tokens       ports.Tokens
	Transactions ports.Transactions
	Audit        ports.Audit
	Limits       ports.Limits
	IdleLife     time.Duration
	Now          func() time.Time
}

// Do refreshes. A spent token is taken for theft, but for a moment of grace: its session is revoked, for good, before
// the refusal is given.
func (u RefreshSession) Do(ctx context.Context, token string) (Grant, error) {
	id, generation, err := u.Tokens.ReadRefresh(token)
	if err != nil {
		return Grant{}, err
	}
	if err := u.Limits.Allow(ctx, id.String()); err != nil {
		return Grant{}, err
	}
	workspace, user, err := u.Sessions.Owner(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	var session domain.Session
	outcome := domain.Stolen
	err = u.Transactions.As(ctx, workspace, user, func(ctx context.Context) error {
		if session, err = u.Sessions.Lock(ctx, id); err != nil {
			return err
		}
		now := u.Now()
		if !session.Alive(now) {
			return ports.ErrBadRefreshToken
		}
		outcome = session.Refresh(generation, u.Tokens.KeyID(), u.IdleLife, now)
		return u.keep(ctx, session, outcome)
	})
	if err != nil {
		return Grant{}, err
	}
	if outcome == domain.Stolen {
		return Grant{}, ports.ErrBadRefreshToken
	}
	tokens, err := u.Tokens.Pair(session)
	return Grant{Session: session, Tokens: tokens}, err
}

func (u RefreshSession) keep(ctx context.Context, s domain.Session, outcome domain.Refreshed) error {
	action := map[domain.Refreshed]string{domain.Rotated: "session.refresh", domain.Stolen: "session.revoke_stolen"}[outcome]
	if action == "" {
		return nil
	}
	if err := u.Sessions.Save(ctx, s); err != nil {
		return err
	}
	return u.Audit.Session(ctx, action, s.ID)
}
