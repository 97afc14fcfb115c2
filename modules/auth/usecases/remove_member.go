package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// RemoveMember ends a membership, and stops what depends on the authority of the member.
type RemoveMember struct {
	Members     ports.Members
	Authorities ports.Authorities
}

// Do removes a member for another. From the commit on the sessions and API keys of the member are refused, and its
// invitations are revoked.
func (u RemoveMember) Do(ctx context.Context, by, who uuid.UUID) (domain.Ended, error) {
	team, err := u.Members.Lock(ctx, by, who)
	if err != nil {
		return domain.Ended{}, err
	}
	if err := team.Remove(by, who); err != nil {
		return domain.Ended{}, refusal(err)
	}
	return u.end(ctx, who)
}

// Leave ends the caller's own membership.
func (u RemoveMember) Leave(ctx context.Context, who uuid.UUID) (domain.Ended, error) {
	team, err := u.Members.Lock(ctx, who)
	if err != nil {
		return domain.Ended{}, err
	}
	if err := team.Leave(who); err != nil {
		return domain.Ended{}, refusal(err)
	}
	return u.end(ctx, who)
}

func (u RemoveMember) end(ctx context.Context, who uuid.UUID) (domain.Ended, error) {
	if err := u.Members.Remove(ctx, who); err != nil {
		return domain.Ended{}, err
	}
	return u.Authorities.End(ctx, who, domain.Authority{})
}
