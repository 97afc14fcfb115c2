package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of end users.
var (
	ErrEndUserNotFound = fail.New(fail.NotFound, "END_USER_NOT_FOUND", "there is no such end user in this workspace, or it is not an anonymous one where one is meant")
	ErrEndUserRevoked  = fail.New(fail.Forbidden, "END_USER_REVOKED", "this end user is revoked: no tokens are made for it any more")
)

// EndUserWanted names the end user of a new token.
type EndUserWanted struct {
	ID         *uuid.UUID // an anonymous end user from before
	ExternalID *string    // nil without an ID: a new anonymous end user
	Name       *string    // nil: as before
	Metadata   json.RawMessage
	Turns      *domain.TurnLimits // nil: as before
}

// EndUserFilter says which end users are listed; nil: any.
type EndUserFilter struct {
	ExternalID *string
	BotID      *uuid.UUID // those that have had a token for it
}

// EndUsers stores end users.
type EndUsers interface {
	// Put makes the end user that is wanted, or notes that it gets another token, and returns its id and the limits of its turns. It fails with ErrBotNotFound where the bot is not in
	// the workspace or the API key is limited to others, ErrEndUserNotFound, ErrEndUserRevoked, and fail.ErrLimitReached where the workspace
	// may have no more. A key that is limited to bots does not change what is said of an end user of other bots.
	Put(ctx context.Context, w EndUserWanted, bot uuid.UUID, now time.Time) (uuid.UUID, domain.TurnLimits, error)
	// Get returns an end user; ErrEndUserNotFound where there is none.
	Get(ctx context.Context, id uuid.UUID) (domain.EndUser, error)
	// List returns a page of the end users that a filter wants, newest first.
	List(ctx context.Context, f EndUserFilter, before *uuid.UUID, limit int) ([]domain.EndUser, error)
	// Revoke ends all tokens of an end user; ErrEndUserNotFound where there is none.
	Revoke(ctx context.Context, id uuid.UUID) (domain.EndUser, error)
}

// EndUserMerges moves what anonymous end users have.
type EndUserMerges interface {
	// Merge moves what an anonymous end user has to the end user with an external id, which is made where it is new, and removes the
	// anonymous one. It returns the known end user. Errors are ErrEndUserNotFound where there is no such anonymous one, ErrEndUserRevoked where
	// one of both is revoked, and fail.ErrNotForKey where one of both is of bots that the API key is not limited to.
	Merge(ctx context.Context, anonymous uuid.UUID, externalID string) (domain.EndUser, error)
}

// EndUserDeletions removes end users.
type EndUserDeletions interface {
	// Delete removes an end user, so that no thread of it is made any more; ErrEndUserNotFound where there is none.
	Delete(ctx context.Context, id uuid.UUID) error
	// Erase removes what stored answers and counts have of a removed end user, whose threads are deleted.
	Erase(ctx context.Context, id uuid.UUID) error
}

// EndUserThreads are the threads of end users.
type EndUserThreads interface {
	// Delete deletes the threads of an end user with everything that was said in them, in the transaction of the context.
	Delete(ctx context.Context, endUser uuid.UUID) error
}

// EndUserFiles are the files of end users.
type EndUserFiles interface {
	// Delete deletes the files that an end user has uploaded, in the transaction of the context.
	Delete(ctx context.Context, endUser uuid.UUID) error
}

// EndUserTokens signs the tokens of end users.
type EndUserTokens interface {
	EndUser(t domain.EndUserToken) (string, error)
}
