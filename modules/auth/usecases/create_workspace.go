package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// CreateWorkspace makes another workspace for a user.
type CreateWorkspace struct {
	Workspaces ports.Workspaces
	Now        func() time.Time
}

// Do makes the workspace with this id. The context must already be in the tenant of that workspace.
func (u CreateWorkspace) Do(ctx context.Context, id uuid.UUID, name string) (domain.Workspace, error) {
	w, err := domain.NewWorkspace(id, name, u.Now())
	if err != nil {
		return domain.Workspace{}, wrongName(err)
	}
	return w, u.Workspaces.Create(ctx, w)
}
