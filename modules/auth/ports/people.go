package ports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/fail"
)

// Errors of workspaces and members.
var (
	ErrWorkspaceNotFound  = fail.New(fail.NotFound, "WORKSPACE_NOT_FOUND", "you are in no such workspace")
	ErrRestoreOver        = fail.New(fail.Forbidden, "WORKSPACE_DELETED", "this workspace was deleted more than 30 days ago: it cannot be restored any more")
	ErrMemberNotFound     = fail.New(fail.NotFound, "MEMBER_NOT_FOUND", "there is no such member in this workspace")
	ErrOwnRole            = fail.New(fail.Forbidden, "OWN_ROLE", "you cannot raise your own role: ask somebody who has that role")
	ErrRoleTooHigh        = fail.New(fail.Forbidden, "ROLE_TOO_HIGH", "you cannot give a role above your own, nor change or remove who has one")
	ErrKeyNotFound        = fail.New(fail.NotFound, "API_KEY_NOT_FOUND", "there is no such API key in this workspace, or it is revoked")
	ErrBotNotFound        = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
	ErrInvitationNotFound = fail.New(fail.NotFound, "INVITATION_NOT_FOUND", "there is no such invitation, or it was revoked: ask for another")
	ErrInvitationUsed     = fail.New(fail.Conflict, "INVITATION_USED", "this invitation was accepted before: log in")
	ErrInvitationExpired  = fail.New(fail.Conflict, "INVITATION_EXPIRED", "this invitation has expired: ask for another")
	ErrMembershipEnded    = fail.New(fail.Forbidden, "MEMBERSHIP_ENDED", "your membership of this workspace has ended: ask for another invitation")
	ErrAlreadyMember      = fail.New(fail.Conflict, "ALREADY_MEMBER", "somebody with this e-mail address is a member already")
	ErrLastOwner          = fail.New(fail.Conflict, "LAST_OWNER", "a workspace keeps an owner: make somebody else one first")
)

// Workspaces stores workspaces.
type Workspaces interface {
	// Create stores a workspace, which is that of the context, with the caller as its owner.
	Create(ctx context.Context, w domain.Workspace) error
	// Get returns the workspace of the context; ErrWorkspaceNotFound where the caller is not a member.
	Get(ctx context.Context) (domain.Workspace, error)
	// Rename queues the change of the name.
	Rename(ctx context.Context, w domain.Workspace) error
	// List returns a page of the caller's workspaces, in the order in which the caller joined them.
	List(ctx context.Context, after *Position, limit int) ([]domain.Workspace, error)
}

// Removal deletes, restores and purges workspaces.
type Removal interface {
	// Delete queues the deletion of the workspace of the context. It does nothing for a workspace that is already
	// deleted.
	Delete(ctx context.Context, at time.Time) error
	// Restore queues the restoration of the workspace. A workspace that is due for its purge stays deleted.
	Restore(ctx context.Context) error
	// Due returns at most limit workspaces that can no longer be restored, the longest deleted first.
	Due(ctx context.Context, limit int) ([]uuid.UUID, error)
	// Purge removes some rows of a workspace, and the workspace itself after its last row.
	Purge(ctx context.Context, workspace uuid.UUID) (PurgeStep, error)
}

// PurgeStep is the result of one step of a purge. If neither Done nor More is set, another process is purging the
// workspace.
type PurgeStep struct {
	Done bool // nothing is left
	More bool // there are rows left
	Rows int64
}

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

// Keys stores API keys.
type Keys interface {
	// Create queues a key, stored as the hash of its text; ErrBotNotFound where one of its bots is not in the workspace.
	// The commit fails with LIMIT_REACHED where the workspace may not have one more key, and with FORBIDDEN where the
	// creator was removed or demoted in the meantime.
	Create(ctx context.Context, k domain.APIKey, hash []byte) error
	// List returns a page of the keys, newest first.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.APIKey, error)
	// Revoke ends a key and holds the webhook subscriptions that it is responsible for. It returns the key's name and
	// how many subscriptions it held; ErrKeyNotFound where there is no such key or it is already revoked.
	Revoke(ctx context.Context, id uuid.UUID) (name string, held int, err error)
	// Adopt makes a member responsible for a key, and a suspended key works again; ErrKeyNotFound where there is no such
	// key or it is revoked.
	Adopt(ctx context.Context, id, member uuid.UUID) (domain.APIKey, error)
	// Has reports whether there is, or was, such a key.
	Has(ctx context.Context, id uuid.UUID) (bool, error)
}

// Invitations stores invitations to workspaces.
type Invitations interface {
	// Create queues an invitation of the workspace of the context, stored as the hash of its token. It replaces an open
	// invitation of the same address; ErrAlreadyMember where a member has the address.
	Create(ctx context.Context, i domain.Invitation, hash []byte) error
	// List returns a page of the invitations, newest first.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.Invitation, error)
	// Revoke revokes an invitation and returns its address; ErrInvitationNotFound where none is open.
	Revoke(ctx context.Context, id uuid.UUID) (email string, err error)
	// Find looks up a token by its hash, outside of any workspace; ErrInvitationNotFound where there is no such token or
	// it was revoked.
	Find(ctx context.Context, hash []byte) (domain.Guest, error)
	// Accept makes a user a member, and uses the invitation up; ErrInvitationUsed where another call has used it first.
	// The commit fails with LIMIT_REACHED where the workspace may not have one more member.
	Accept(ctx context.Context, g domain.Guest, user, operation uuid.UUID, at time.Time) error
}

// Newcomers stores users who register with an invitation.
type Newcomers interface {
	// Welcome stores a user without a workspace of its own; ErrEmailExists where the address is taken.
	Welcome(ctx context.Context, r domain.Registration) error
}

// MailLimits limits how many emails are sent. Each purpose has its own counters, so that no purpose uses up the limit
// of another.
type MailLimits interface {
	// CountInvitation counts an invitation of today, for the workspace and for the inviter, in the transaction of the
	// context; fail.ErrLimitReached where either has already made as many as daily allows. A daily limit of 0 is no
	// limit.
	CountInvitation(ctx context.Context, workspace, inviter uuid.UUID, daily int64) error
	// Announce reports whether an email about an invitation may be sent to an address, and counts the email in the
	// transaction of the context. It returns false while too many invitations to the address are open, or after it has
	// received too many emails today.
	Announce(ctx context.Context, email domain.Email) (bool, error)
}

// Outbox sends emails after the commit of the change that they belong to.
type Outbox interface {
	// Post queues an email in the transaction of the context. It is stored encrypted.
	Post(ctx context.Context, l domain.Letter) error
}

// Mailer sends emails.
type Mailer interface {
	// Send sends an email at once. A failure that a retry cannot fix is ErrUndeliverable.
	Send(ctx context.Context, l domain.Letter) error
}

// ErrUndeliverable means that an email will never be delivered.
var ErrUndeliverable = errors.New("the letter cannot be delivered")

// Position is a place in a list of people or workspaces.
type Position struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}
