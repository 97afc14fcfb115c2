package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/fail"
)

// ChangeRole gives a member another role, and ends what works by an authority that the member has no longer.
type ChangeRole struct {
	Members     ports.Members
	Authorities ports.Authorities
}

// RoleChange is what ChangeRole is asked for.
type RoleChange struct {
	By, Who uuid.UUID
	To      domain.Role
}

// ChangedRole is what ChangeRole has done.
type ChangedRole struct {
	Member domain.Member
	Before domain.Role
	Ended  domain.Ended
}

// Do changes the role. The owners are locked, so that of two who step down at once one stays.
func (u ChangeRole) Do(ctx context.Context, in RoleChange) (done ChangedRole, err error) {
	team, err := u.Members.Lock(ctx, in.By, in.Who)
	if err != nil {
		return ChangedRole{}, err
	}
	done.Before = team[in.Who]
	if err := team.ChangeRole(in.By, in.Who, in.To); err != nil {
		return ChangedRole{}, refusal(err)
	}
	if err := u.Members.ChangeRole(ctx, in.Who, in.To); err != nil {
		return ChangedRole{}, err
	}
	if done.Before.Above(in.To) {
		if done.Ended, err = u.Authorities.End(ctx, in.Who, domain.AuthorityOf(in.To)); err != nil {
			return ChangedRole{}, err
		}
	}
	done.Member, err = u.Members.Get(ctx, in.Who)
	return done, err
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
