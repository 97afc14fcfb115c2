package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// DistrustAccount stops what an account has made that somebody else than the owner of its address may have made.
type DistrustAccount struct {
	Departure      ports.Departure
	Authorities    ports.Authorities
	Authenticators ports.Authenticators
	Identities     ports.Identities
	Members        ports.Members
	Audit          ports.MemberAudit
}

// Do removes the second factor and the identities, which would lock the owner of the address out or let another in. In each
// workspace it stops the API keys, webhook subscriptions and invitations of the account, and ends the memberships that came from its
// invitations, directly or not. Owners stay where the account is no owner itself. Keys and subscriptions can be adopted. It runs in
// the transaction of the context, which must be that of the account; sessions end with the password.
func (u DistrustAccount) Do(ctx context.Context, user uuid.UUID) error {
	if _, err := u.Authenticators.Remove(ctx); err != nil && !errors.Is(err, ports.ErrNoFactor) {
		return err
	}
	identities, err := u.Identities.List(ctx)
	if err != nil {
		return err
	}
	for _, identity := range identities {
		if err := u.Identities.Remove(ctx, identity.ID); err != nil {
			return err
		}
	}
	homes, err := u.Departure.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, home := range homes {
		if err := u.Departure.In(ctx, home, func(ctx context.Context) error { return u.stop(ctx, user) }); err != nil {
			return err
		}
	}
	return nil
}

// stop stops what the account has made in the workspace of the context.
func (u DistrustAccount) stop(ctx context.Context, user uuid.UUID) error {
	guests, err := u.Authorities.Guests(ctx, user)
	if err != nil {
		return err
	}
	team, err := u.Members.Lock(ctx, append(guests, user)...)
	if err != nil {
		return err
	}
	for _, guest := range guests {
		if team[guest] == "" || team[guest] == domain.Owner && team[user] != domain.Owner {
			continue
		}
		if err := u.Members.Remove(ctx, guest); err != nil {
			return err
		}
		ended, err := u.Authorities.End(ctx, guest, domain.Authority{})
		if err != nil {
			return err
		}
		err = u.Audit.Member(ctx, "member.remove", guest, map[string]any{
			"inviter_distrusted": true, "revoked_invitations": ended.Invitations, "suspended_api_keys": ended.Keys,
			"held_webhook_subscriptions": ended.Subscriptions,
		})
		if err != nil {
			return err
		}
	}
	ended, err := u.Authorities.End(ctx, user, domain.Authority{})
	if err != nil {
		return err
	}
	return u.Departure.Distrusted(ctx, ended)
}
