package usecases

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// UnlinkIdentity ends that a subject of an identity provider signs in to an account.
type UnlinkIdentity struct {
	Providers    ports.IdentityProviders
	Identities   ports.Identities
	Events       ports.AccountEvents
	Transactions ports.Transactions
}

// Do removes an identity of a user; ErrLastSignIn where the user could not sign in any more. Sessions go on.
func (u UnlinkIdentity) Do(ctx context.Context, user, id uuid.UUID) error {
	return u.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) error {
		owner, err := u.Identities.Owner(ctx)
		if err != nil {
			return err
		}
		list, err := u.Identities.List(ctx)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(list), func(i domain.Identity) bool { return i.ID == id })
		if len(left) == len(list) {
			return ports.ErrIdentityNotFound
		}
		if !owner.HasPassword && !slices.ContainsFunc(left, u.works) {
			return ports.ErrLastSignIn
		}
		if err := u.Identities.Remove(ctx, id); err != nil {
			return err
		}
		return u.Events.Record(ctx, domain.AccountEvent{UserID: user, Action: "identity.unlink"})
	})
}

// works reports whether somebody can sign in with an identity: its provider is configured.
func (u UnlinkIdentity) works(i domain.Identity) bool {
	return slices.ContainsFunc(u.Providers.List(), func(p domain.IdentityProvider) bool { return p.Issuer == i.Issuer })
}
