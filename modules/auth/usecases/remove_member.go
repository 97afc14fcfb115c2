package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// RemoveMember ends a membership.
type RemoveMember struct {
	Members ports.Members
}

// Do removes a member for another. From the commit on no session lets it in.
func (u RemoveMember) Do(ctx context.Context, by, who uuid.UUID) error {
	team, err := u.Members.Lock(ctx, by, who)
	if err != nil {
		return err
	}
	if err := team.Remove(by, who); err != nil {
		return refusal(err)
	}
	return u.Members.Remove(ctx, who)
}

// Leave ends the member's own membership.
func (u RemoveMember) Leave(ctx context.Context, who uuid.UUID) error {
	team, err := u.Members.Lock(ctx, who)
	if err != nil {
		return err
	}
	if err := team.Leave(who); err != nil {
		return refusal(err)
	}
	return u.Members.Remove(ctx, who)
}
