package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of workspaces.
var (
	ErrWorkspaceNotFound = fail.New(fail.NotFound, "WORKSPACE_NOT_FOUND", "you are in no such workspace")
	ErrRestoreOver       = fail.New(fail.Forbidden, "WORKSPACE_DELETED", "this workspace was deleted more than 30 days ago: it cannot be restored any more")
)

// Workspaces stores workspaces.
type Workspaces interface {
	// Create stores a workspace, which is that of the context, with the caller as its owner; fail.ErrUnauthorized where the
	// account of the caller is gone.
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

// Position is a place in a list of people or workspaces.
type Position struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}
