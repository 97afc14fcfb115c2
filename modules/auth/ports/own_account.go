package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// ErrSoleOwner means that a user who wants to go is the only owner of workspaces, which its details name.
var ErrSoleOwner = fail.New(fail.Conflict, "LAST_OWNER", "you are the only owner of workspaces: make somebody else an owner of each, or delete it, and then send the call again")

// Departure removes the user of the context, in the transaction of the context.
type Departure interface {
	// Lock keeps away what would give the user a session, a membership or another password, until the transaction ends. It
	// returns ErrPasswordChanged where the hash is no longer the one that was read, or the user is gone.
	Lock(ctx context.Context, hash string) error
	// Workspaces returns the ids of the user's workspaces in their order, deleted ones too.
	Workspaces(ctx context.Context) ([]uuid.UUID, error)
	// In runs work in one of these workspaces, and returns to that of the context.
	In(ctx context.Context, workspace uuid.UUID, work func(ctx context.Context) error) error
	// Left records in the audit log of the workspace of the context that the user has left it, and what ended with that.
	Left(ctx context.Context, ended domain.Ended) error
	// Distrusted records in the audit log of the workspace of the context that what the user had made was stopped, as the user
	// has reset the password of an account that somebody else may have made.
	Distrusted(ctx context.Context, ended domain.Ended) error
	// Remove removes the account with all that belongs to it alone, and its address from invitations that it has accepted. The
	// user must be in no workspace any more.
	Remove(ctx context.Context) error
}

// OwnData reads what is stored about the user of the context.
type OwnData interface {
	// Account returns the account of the user with all that is not a list of actions.
	Account(ctx context.Context) (domain.AccountData, error)
	// Actions returns a page of what the user has done, newest first.
	Actions(ctx context.Context, after *SessionPosition, limit int) ([]domain.OwnAction, error)
}
