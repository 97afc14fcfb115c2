package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
)

// Authorities ends what works by the authority of the members of the workspace of the context, and lists it.
type Authorities interface {
	// End ends what a member gave or made beyond what is left to it, in the transaction of the context: it revokes
	// invitations, suspends API keys and holds webhook subscriptions, also those that the member's keys made.
	End(ctx context.Context, member uuid.UUID, left domain.Authority) (domain.Ended, error)
	// Resources leafs through what a member or an API key is responsible for, newest first; for a member with what its keys are.
	Resources(ctx context.Context, of uuid.UUID, before *uuid.UUID, limit int) ([]domain.Resource, error)
	// WasMember tells whether a user is a member, or was one and has left something.
	WasMember(ctx context.Context, user uuid.UUID) (bool, error)
}

// Inviters looks at who gave an invitation.
type Inviters interface {
	// LockInviter gives the role that the inviter has now, and keeps others from changing it until the transaction ends. It is
	// empty where the inviter is no member any more.
	LockInviter(ctx context.Context, invitation uuid.UUID) (domain.Role, error)
}
