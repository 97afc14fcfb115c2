package ports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures of workspaces and their people.
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

// Workspaces keeps workspaces.
type Workspaces interface {
	// Create stores a workspace, which the context is in, with the caller as its owner.
	Create(ctx context.Context, w domain.Workspace) error
	// Get gives the workspace of the context; ErrWorkspaceNotFound where the caller is no member.
	Get(ctx context.Context) (domain.Workspace, error)
	// Rename queues the change of the name.
	Rename(ctx context.Context, w domain.Workspace) error
	// List leafs through the caller's workspaces, in the order in which it joined them.
	List(ctx context.Context, after *Position, limit int) ([]domain.Workspace, error)
}

// Removal deletes workspaces, and takes that back.
type Removal interface {
	// Delete queues the deletion of the workspace of the context; deleted already it stays so.
	Delete(ctx context.Context, at time.Time) error
	// Restore queues that it is deleted no longer, unless it is due: then it stays deleted.
	Restore(ctx context.Context) error
	// Due gives so many workspaces whose time to be restored is over, the longest deleted first.
	Due(ctx context.Context, limit int) ([]uuid.UUID, error)
	// Purge removes some rows of one, and in the end the workspace.
	Purge(ctx context.Context, workspace uuid.UUID) (PurgeStep, error)
}

// PurgeStep is what one step of a purge has come to. Neither Done nor More: another process is at it.
type PurgeStep struct {
	Done bool // nothing is left
	More bool // there are rows left
	Rows int64
}

// Members keeps who is in the workspace of the context.
type Members interface {
	// List leafs through the members, in the order in which they joined.
	List(ctx context.Context, after *Position, limit int) ([]domain.Member, error)
	// Get gives one; ErrMemberNotFound where there is none.
	Get(ctx context.Context, user uuid.UUID) (domain.Member, error)
	// Lock gives the owners and the people named, and keeps others from changing them until the transaction ends.
	Lock(ctx context.Context, people ...uuid.UUID) (domain.Team, error)
	// ChangeRole queues the change of a member's role.
	ChangeRole(ctx context.Context, user uuid.UUID, role domain.Role) error
	// Remove queues the end of a membership, and of the sessions that were opened by it.
	Remove(ctx context.Context, user uuid.UUID) error
}

// Keys keeps API keys.
type Keys interface {
	// Create queues a key, by the hash of its text; ErrBotNotFound where one of its bots is none of the workspace's. The
	// commit fails with LIMIT_REACHED where there is no room for one more, and with FORBIDDEN where its creator was removed
	// or demoted meanwhile.
	Create(ctx context.Context, k domain.APIKey, hash []byte) error
	// List leafs through the keys, newest first.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.APIKey, error)
	// Revoke ends a key and holds the webhook subscriptions that it is responsible for; it tells the key's name and how many
	// it held. ErrKeyNotFound where there is no key that is not revoked.
	Revoke(ctx context.Context, id uuid.UUID) (name string, held int, err error)
	// Adopt makes a member responsible for a key, which works again; ErrKeyNotFound where there is no key that is not revoked.
	Adopt(ctx context.Context, id, member uuid.UUID) (domain.APIKey, error)
	// Has tells whether there is, or was, a key.
	Has(ctx context.Context, id uuid.UUID) (bool, error)
}

// Invitations keeps who was asked into a workspace.
type Invitations interface {
	// Create queues an invitation of the workspace of the context, in place of an open one of the same address, by the hash
	// of its token; ErrAlreadyMember where a member has the address.
	Create(ctx context.Context, i domain.Invitation, hash []byte) error
	// List leafs through the invitations, newest first.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.Invitation, error)
	// Revoke takes an invitation back and tells whose it was; ErrInvitationNotFound where none is open.
	Revoke(ctx context.Context, id uuid.UUID) (email string, err error)
	// Find looks a token up by its hash, in no workspace; ErrInvitationNotFound where it is none, or was revoked.
	Find(ctx context.Context, hash []byte) (domain.Guest, error)
	// Accept makes a user a member, and uses the invitation up; ErrInvitationUsed where somebody was quicker. The commit
	// fails with LIMIT_REACHED where there is no room for one more member.
	Accept(ctx context.Context, g domain.Guest, user, operation uuid.UUID, at time.Time) error
}

// Newcomers keeps users who register by an invitation.
type Newcomers interface {
	// Welcome stores a user without a workspace of its own; ErrEmailExists where the address is taken.
	Welcome(ctx context.Context, r domain.Registration) error
}

// MailLimits bounds how many emails go out. Each purpose has counts of its own, so that none uses up those of another.
type MailLimits interface {
	// CountInvitation counts an invitation of today, for the workspace and for who invites, in the transaction of the context;
	// fail.ErrLimitReached where one of them has made as many as daily says. 0 is no limit.
	CountInvitation(ctx context.Context, workspace, inviter uuid.UUID, daily int64) error
	// Announce tells whether an email about an invitation goes to an address: not while too many invitations to it are open,
	// or it has had enough of them today. It counts the email in the transaction of the context.
	Announce(ctx context.Context, email domain.Email) (bool, error)
}

// Outbox sends letters after the change that they belong to.
type Outbox interface {
	// Post queues a letter in the transaction of the context. Nobody can read it in the database.
	Post(ctx context.Context, l domain.Letter) error
}

// Mailer sends letters.
type Mailer interface {
	// Send sends a letter at once. A failure that repeating cannot mend is ErrUndeliverable.
	Send(ctx context.Context, l domain.Letter) error
}

// ErrUndeliverable says that a letter will never be delivered.
var ErrUndeliverable = errors.New("the letter cannot be delivered")

// Position is a place in a list of people or workspaces.
type Position struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}
