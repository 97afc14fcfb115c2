package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of members.
var (
	ErrMemberNotFound  = fail.New(fail.NotFound, "MEMBER_NOT_FOUND", "there is no such member in this workspace")
	ErrOwnRole         = fail.New(fail.Forbidden, "OWN_ROLE", "you cannot raise your own role: ask somebody who has that role")
	ErrRoleTooHigh     = fail.New(fail.Forbidden, "ROLE_TOO_HIGH", "you cannot give a role above your own, nor change or remove who has one")
	ErrMembershipEnded = fail.New(fail.Forbidden, "MEMBERSHIP_ENDED", "your membership of this workspace has ended: ask for another invitation")
	ErrAlreadyMember   = fail.New(fail.Conflict, "ALREADY_MEMBER", "somebody with this e-mail address is a member already")
	ErrLastOwner       = fail.New(fail.Conflict, "LAST_OWNER", "a workspace keeps an owner: make somebody else one first")
)

// Members stores the members of the workspace of the context.
type Members interface {
	// List returns a page of the members, in the order in which they joined.
	List(ctx context.Context, after *Position, limit int) ([]domain.Member, error)
	// Get returns a member; ErrMemberNotFound where there is none.
	Get(ctx context.Context, user uuid.UUID) (domain.Member, error)
	// Lock returns the owners and the named people, and locks them until the transaction ends.
	Lock(ctx context.Context, people ...uuid.UUID) (domain.Team, error)
	// ChangeRole queues the change of a member's role.
	ChangeRole(ctx context.Context, user uuid.UUID, role domain.Role) error
	// Remove queues the end of a membership, and of the sessions that depend on it.
	Remove(ctx context.Context, user uuid.UUID) error
}
