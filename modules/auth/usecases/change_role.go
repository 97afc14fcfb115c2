package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/fail"
)

// ChangeRole gives a member another role.
type ChangeRole struct {
	Members ports.Members
}

// RoleChange is what ChangeRole is asked for.
type RoleChange struct {
	By, Who uuid.UUID
	To      domain.Role
}

// Do changes the role and tells what it was before. The owners are locked, so that of two who step down at once one stays.
func (u ChangeRole) Do(ctx context.Context, in RoleChange) (changed domain.Member, before domain.Role, err error) {
	team, err := u.Members.Lock(ctx, in.By, in.Who)
	if err != nil {
		return domain.Member{}, "", err
	}
	before = team[in.Who]
	if err := team.ChangeRole(in.By, in.Who, in.To); err != nil {
		return domain.Member{}, "", refusal(err)
	}
	if err := u.Members.ChangeRole(ctx, in.Who, in.To); err != nil {
		return domain.Member{}, "", err
	}
	changed, err = u.Members.Get(ctx, in.Who)
	return changed, before, err
}

// refusal is what a caller is told of a rule of teams.
func refusal(err error) error {
	for rule, failure := range map[error]*fail.Error{
		domain.ErrNotPermitted: fail.ErrNotAllowed,
		domain.ErrNoMember:     ports.ErrMemberNotFound,
		domain.ErrOwnRole:      ports.ErrOwnRole,
		domain.ErrRoleTooHigh:  ports.ErrRoleTooHigh,
		domain.ErrLastOwner:    ports.ErrLastOwner,
	} {
		if errors.Is(err, rule) {
			return failure
		}
	}
	return err
}
