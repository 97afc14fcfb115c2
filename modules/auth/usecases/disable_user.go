package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// DisableUser locks a user out for an operator, and undoes that. Each step is a transaction of its own and may be
// repeated. To disable, call Disable in no workspace, then Suspend in each workspace of the user. To enable, call
// Restore in each workspace, then Enable.
type DisableUser struct {
	Control     ports.Control
	Sessions    ports.Sessions
	Events      ports.AccountEvents
	Members     ports.Members
	Authorities ports.Authorities
}

// Disable prevents the user from logging in and ends all sessions of the user; it returns how many.
func (u DisableUser) Disable(ctx context.Context, user uuid.UUID) (sessions int, err error) {
	if err := u.Control.Disable(ctx, user); err != nil {
		return 0, err
	}
	if sessions, err = u.Sessions.EndOthers(ctx, uuid.Nil); err != nil {
		return 0, err
	}
	return sessions, u.Events.Record(ctx, domain.AccountEvent{UserID: user, Action: "user.disable"})
}

// Suspend stops what depends on the authority of the user in the workspace of the context, as when a member is removed:
// API keys are suspended, webhook subscriptions held, invitations revoked. The user stays a member.
func (u DisableUser) Suspend(ctx context.Context, user uuid.UUID) (domain.Ended, error) {
	if _, err := u.Members.Lock(ctx, user); err != nil { // waits for what the user is being made responsible for
		return domain.Ended{}, err
	}
	return u.Authorities.End(ctx, user, domain.Authority{})
}

// Restore starts again in the workspace of the context what was stopped since the user was disabled. Invitations stay
// revoked.
func (u DisableUser) Restore(ctx context.Context, user uuid.UUID, since time.Time) (domain.Ended, error) {
	return u.Control.RestoreAuthority(ctx, user, since)
}

// Enable lets the user log in again.
func (u DisableUser) Enable(ctx context.Context, user uuid.UUID) error {
	if err := u.Control.Enable(ctx, user); err != nil {
		return err
	}
	return u.Events.Record(ctx, domain.AccountEvent{UserID: user, Action: "user.enable"})
}
