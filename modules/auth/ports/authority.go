package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
)

// Authorities lists and stops what depends on the authority of members of the workspace of the context.
type Authorities interface {
	// End stops what a member gave or made beyond the authority that is left, in the transaction of the context. It
	// revokes invitations, suspends API keys and holds webhook subscriptions, including those that the member's keys
	// made.
	End(ctx context.Context, member uuid.UUID, left domain.Authority) (domain.Ended, error)
	// Resources lists what a member or an API key is responsible for, newest first, one page at a time. For a member the
	// list includes what the member's keys are responsible for.
	Resources(ctx context.Context, of uuid.UUID, before *uuid.UUID, limit int) ([]domain.Resource, error)
	// WasMember reports whether a user is a member, or was a member and still has resources there.
	WasMember(ctx context.Context, user uuid.UUID) (bool, error)
	// Guests returns the members whose membership came from an invitation of a member, or of somebody whom that one invited, and
	// so on.
	Guests(ctx context.Context, member uuid.UUID) ([]uuid.UUID, error)
	// LockInviter returns the role that the inviter has now, and locks it until the transaction ends. The role is empty
	// where the inviter is no longer a member.
	LockInviter(ctx context.Context, invitation uuid.UUID) (domain.Role, error)
}
