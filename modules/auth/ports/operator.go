package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors for operators, and for users who are disabled.
var (
	ErrAccountDisabled = fail.New(fail.Forbidden, "ACCOUNT_DISABLED", "this account is disabled: ask whoever runs this service")
	ErrNoUser          = fail.New(fail.NotFound, "NOT_FOUND", "there is no such user")
	ErrNoWorkspace     = fail.New(fail.NotFound, "WORKSPACE_NOT_FOUND", "there is no such workspace")
	ErrNotDeleted      = fail.New(fail.Conflict, "CONFLICT", "the workspace is not deleted: only a deleted one can be purged")
)

// Control changes accounts and workspaces for an operator: of the user or the workspace of the context.
type Control interface {
	// SetPassword replaces the hash of the password; ErrNoUser where there is no such user.
	SetPassword(ctx context.Context, user uuid.UUID, hash string) error
	// Disable prevents the user from logging in; ErrNoUser where there is no such user. It does nothing for a user who
	// is already disabled.
	Disable(ctx context.Context, user uuid.UUID) error
	// Enable undoes Disable; ErrNoUser where there is no such user.
	Enable(ctx context.Context, user uuid.UUID) error
	// RestoreAuthority starts again what was stopped of a member of the workspace of the context since a time.
	RestoreAuthority(ctx context.Context, member uuid.UUID, since time.Time) (domain.Ended, error)
	// EndRestoreTime makes the workspace of the context due for purging now; ErrNotDeleted where it is not deleted.
	EndRestoreTime(ctx context.Context) error
}
