package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// RefreshSession exchanges a refresh token for new tokens.
type RefreshSession struct {
	Sessions     ports.Sessions
	Settler      ports.Settler
	Tokens       ports.Tokens
	Transactions ports.Transactions
	Audit        ports.Audit
	Limits       ports.Limits
	IdleLife     time.Duration
	Now          func() time.Time
}

// Do refreshes a session. A used token counts as stolen, except within the grace period: its session is revoked for
// good before the error is returned. A session that was opened in no workspace moves into the first workspace of its
// user, if there is one by now. Do looks for the session only in the workspace that the token names. For a token that
// names none, made by an older release, it first searches for the session.
func (u RefreshSession) Do(ctx context.Context, token string) (Grant, error) {
	given, err := u.Tokens.ReadRefresh(token)
	if err != nil {
		return Grant{}, err
	}
	if err := u.Limits.Allow(ctx, given.SessionID.String()); err != nil {
		return Grant{}, err
	}
	if given.WorkspaceID != uuid.Nil {
		return u.refresh(ctx, given.WorkspaceID, given.UserID, given)
	}
	if given.WithoutWorkspace {
		grant, err := u.refresh(ctx, uuid.Nil, given.UserID, given)
		if !errors.Is(err, ports.ErrBadRefreshToken) {
			return grant, err
		} // otherwise the session has moved
	}
	workspace, user, err := u.Settler.Owner(ctx, given.SessionID)
	if err != nil {
		return Grant{}, err
	}
	return u.refresh(ctx, workspace, user, given)
}

func (u RefreshSession) refresh(ctx context.Context, workspace, user uuid.UUID, given ports.RefreshClaims) (Grant, error) {
	var session domain.Session
	outcome := domain.Stolen
	err := u.Transactions.As(ctx, workspace, user, func(ctx context.Context) (err error) {
		if session, err = u.Sessions.Lock(ctx, given.SessionID); err != nil {
			return err
		}
		now := u.Now()
		if session.UserID != user || !session.Alive(now) {
			return ports.ErrBadRefreshToken
		}
		outcome = session.Refresh(given.Generation, u.Tokens.KeyID(), u.IdleLife, now)
		if err := u.keep(ctx, session, outcome); err != nil {
			return err
		}
		if workspace == uuid.Nil && outcome == domain.Rotated {
			session.WorkspaceID, err = u.settle(ctx, session)
		}
		return err
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

// settle moves a session into a workspace of its user, where there is one.
func (u RefreshSession) settle(ctx context.Context, s domain.Session) (workspace uuid.UUID, err error) {
	workspace, err = u.Settler.Settle(ctx, s.ID)
	if err != nil || workspace == uuid.Nil {
		return uuid.Nil, err
	}
	return workspace, u.Transactions.As(ctx, workspace, s.UserID, func(ctx context.Context) error {
		return u.Audit.Session(ctx, "session.open", s.ID)
	})
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
