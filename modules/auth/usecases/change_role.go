package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// ChangeRole changes the role of a member, and stops what depends on an authority that the member no longer has.
type ChangeRole struct {
	Members     ports.Members
	Authorities ports.Authorities
}

// RoleChange is the input of ChangeRole.
type RoleChange struct {
	By, Who uuid.UUID
	To      domain.Role
}

// ChangedRole is the result of ChangeRole.
type ChangedRole struct {
	Member domain.Member
	Before domain.Role
	Ended  domain.Ended
}

// Do changes the role. It locks the owners, so that of two owners who step down at the same time one stays.
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

// refusal returns the error for the caller where a change breaks a rule of teams.
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
