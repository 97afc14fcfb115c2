package usecases

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// RenameWorkspace changes the name of a workspace.
type RenameWorkspace struct {
	Workspaces ports.Workspaces
}

// Do renames the workspace of the context and returns its previous name.
func (u RenameWorkspace) Do(ctx context.Context, name string) (renamed domain.Workspace, before string, err error) {
	w, err := u.Workspaces.Get(ctx)
	if err != nil {
		return domain.Workspace{}, "", err
	}
	before = w.Name
	if err := w.Rename(name); err != nil {
		return domain.Workspace{}, "", wrongName(err)
	}
	return w, before, u.Workspaces.Rename(ctx, w)
}

func wrongName(err error) error {
	return fail.Fields(fail.Field{Field: "name", Code: "INVALID", Message: err.Error()})
}
