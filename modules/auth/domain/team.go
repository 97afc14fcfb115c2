package domain

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// Member is a person in a workspace.
type Member struct {
	UserID   uuid.UUID
	Email    string
	Role     Role
	JoinedAt time.Time
}

// Team has the members that a change of a workspace's members depends on, with their roles: all owners, the member who
// makes the change, and the member whom it is about.
type Team map[uuid.UUID]Role

// Errors of Team.
var (
	ErrNotPermitted = errors.New("your role does not allow it")
	ErrNoMember     = errors.New("is no member of the workspace")
	ErrOwnRole      = errors.New("nobody raises their own role")
	ErrRoleTooHigh  = errors.New("nobody gives a role above their own, or changes who has one")
	ErrLastOwner    = errors.New("a workspace keeps an owner")
)

// ChangeRole checks and makes the change when one member gives another, or itself, another role.
func (t Team) ChangeRole(by, who uuid.UUID, to Role) error {
	switch err := t.manage(by, who); {
	case err != nil:
		return err
	case to.Above(t[by]) && by == who:
		return ErrOwnRole
	case to.Above(t[by]):
		return ErrRoleTooHigh
	case to != Owner && t.isLastOwner(who):
		return ErrLastOwner
	}
	t[who] = to
	return nil
}

// Assign checks and makes the change when an identity provider gives a member another role.
func (t Team) Assign(who uuid.UUID, to Role) error {
	switch {
	case t[who] == "":
		return ErrNoMember
	case to != Owner && t.isLastOwner(who):
		return ErrLastOwner
	}
	t[who] = to
	return nil
}

// Invite returns an error where a member may not invite a person with a role.
func (t Team) Invite(by uuid.UUID, role Role) error {
	switch {
	case !t[by].May(manageMembers):
		return ErrNotPermitted
	case role.Above(t[by]):
		return ErrRoleTooHigh
	default:
		return nil
	}
}

// Remove checks and makes the change when one member removes another, or itself.
func (t Team) Remove(by, who uuid.UUID) error {
	if err := t.manage(by, who); err != nil {
		return err
	}
	return t.Leave(who)
}

// Leave checks and makes the change when a member leaves.
func (t Team) Leave(who uuid.UUID) error {
	if t[who] == "" {
		return ErrNoMember
	}
	if t.isLastOwner(who) {
		return ErrLastOwner
	}
	delete(t, who)
	return nil
}

func (t Team) manage(by, who uuid.UUID) error {
	switch {
	case !t[by].May(manageMembers):
		return ErrNotPermitted
	case t[who] == "":
		return ErrNoMember
	case t[who].Above(t[by]):
		return ErrRoleTooHigh
	default:
		return nil
	}
}

func (t Team) isLastOwner(who uuid.UUID) bool {
	for member, role := range t {
		if role == Owner && member != who {
			return false
		}
	}
	return t[who] == Owner
}
