package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures that an operator, or a user who is disabled, gets.
var (
	ErrAccountDisabled = fail.New(fail.Forbidden, "ACCOUNT_DISABLED", "this account is disabled: ask whoever runs this service")
	ErrNoUser          = fail.New(fail.NotFound, "NOT_FOUND", "there is no such user")
	ErrNoWorkspace     = fail.New(fail.NotFound, "WORKSPACE_NOT_FOUND", "there is no such workspace")
	ErrNotDeleted      = fail.New(fail.Conflict, "CONFLICT", "the workspace is not deleted: only a deleted one can be purged")
)

// Control changes the account of the user of the context, on the word of an operator.
type Control interface {
	// SetPassword replaces the hash of the password; ErrNoUser where there is no such user.
	SetPassword(ctx context.Context, user uuid.UUID, hash string) error
	// Disable keeps the user from logging in; ErrNoUser where there is no such user. Disabled already it stays so.
	Disable(ctx context.Context, user uuid.UUID) error
	// Enable takes Disable back; ErrNoUser where there is no such user.
	Enable(ctx context.Context, user uuid.UUID) error
	// RestoreAuthority takes back what was stopped of a member of the workspace of the context since a time.
	RestoreAuthority(ctx context.Context, member uuid.UUID, since time.Time) (domain.Ended, error)
}

// RestoreTime ends the time in which a deleted workspace can be restored.
type RestoreTime interface {
	// EndRestoreTime has the workspace of the context purged from now on; ErrNotDeleted where it is not deleted.
	EndRestoreTime(ctx context.Context) error
}
