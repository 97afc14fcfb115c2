package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of invitations.
var (
	ErrInvitationNotFound = fail.New(fail.NotFound, "INVITATION_NOT_FOUND", "there is no such invitation, or it was revoked: ask for another")
	ErrInvitationUsed     = fail.New(fail.Conflict, "INVITATION_USED", "this invitation was accepted before: log in")
	ErrInvitationExpired  = fail.New(fail.Conflict, "INVITATION_EXPIRED", "this invitation has expired: ask for another")
)

// Invitations stores invitations to workspaces.
type Invitations interface {
	// Create queues an invitation of the workspace of the context, stored as the hash of its token. It replaces an open
	// invitation of the same address; ErrAlreadyMember where a member has the address.
	Create(ctx context.Context, i domain.Invitation, hash []byte) error
	// List returns a page of the invitations, newest first.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.Invitation, error)
	// Revoke revokes an invitation; ErrInvitationNotFound where none is open.
	Revoke(ctx context.Context, id uuid.UUID) error
	// Find looks up a token by its hash, outside of any workspace; ErrInvitationNotFound where there is no such token or
	// it was revoked.
	Find(ctx context.Context, hash []byte) (domain.Guest, error)
	// Accept makes a user a member, and uses the invitation up; ErrInvitationUsed where another call has used it first.
	// The commit fails with LIMIT_REACHED where the workspace may not have one more member.
	Accept(ctx context.Context, g domain.Guest, user, operation uuid.UUID, at time.Time) error
}
