package rest

import (
	"context"
	"errors"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/page"
)

// Workspaces has what the calls about workspaces need.
type Workspaces struct {
	Create  usecases.CreateWorkspace
	Rename  usecases.RenameWorkspace
	Store   ports.Workspaces
	Removal ports.Removal
}

// ListWorkspaces lists the workspaces of the caller.
func (s Server) ListWorkspaces(ctx context.Context, r ListWorkspacesRequestObject) (ListWorkspacesResponseObject, error) {
	p, err := page.List[domain.Workspace, ports.Position]{
		Name: "workspaces", Filter: callctx.From(ctx).Principal.UserID.String(),
		Read:     s.Workspaces.Store.List,
		Position: func(w domain.Workspace) ports.Position { return ports.Position{At: w.JoinedAt, ID: w.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListWorkspaces200JSONResponse{Items: page.Map(p.Items, toWorkspace), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// CreateWorkspace makes a workspace of the caller. The call is first checked in the workspace in which the caller is
// signed in. It is then stored as an operation of the new workspace.
func (s Server) CreateWorkspace(ctx context.Context, r CreateWorkspaceRequestObject) (CreateWorkspaceResponseObject, error) {
	if _, err := s.Users.Profile(ctx); err != nil {
		return nil, err
	}
	c := callctx.From(ctx)
	id := domain.WorkspaceOf(c.Principal.UserID, c.Operation.ID)
	answer, err := s.Commands.Run(callctx.As(ctx, id, c.Principal.UserID), func(ctx context.Context) (command.Outcome, error) {
		w, err := s.Workspaces.Create.Do(ctx, id, r.Body.Name)
		location := "/v1/workspaces/" + id.String()
		return command.Outcome{
			Answer: CreateWorkspace201JSONResponse{Body: toWorkspace(w), Headers: CreateWorkspace201ResponseHeaders{Location: &location}}.VisitCreateWorkspaceResponse,
			Audit:  audit.Entry{Action: "workspace.create", Resource: "workspace", ResourceID: id, Changes: map[string]any{"name": w.Name}},
		}, err
	})
	return stored{answer}, err
}

// GetWorkspace returns a workspace.
func (s Server) GetWorkspace(ctx context.Context, _ GetWorkspaceRequestObject) (GetWorkspaceResponseObject, error) {
	w, err := s.Workspaces.Store.Get(ctx)
	return GetWorkspace200JSONResponse(toWorkspace(w)), foreign(err)
}

// ChangeWorkspace renames a workspace.
func (s Server) ChangeWorkspace(ctx context.Context, r ChangeWorkspaceRequestObject) (ChangeWorkspaceResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		w, before, err := s.Workspaces.Rename.Do(ctx, r.Body.Name)
		return command.Outcome{
			Answer: ChangeWorkspace200JSONResponse(toWorkspace(w)).VisitChangeWorkspaceResponse,
			Audit: audit.Entry{Action: "workspace.rename", Resource: "workspace", ResourceID: w.ID, Changes: map[string]any{
				"name": map[string]string{"from": before, "to": w.Name},
			}},
		}, err
	})
	return stored{answer}, foreign(err)
}

// DeleteWorkspace deletes a workspace; it can be restored for 30 days.
func (s Server) DeleteWorkspace(ctx context.Context, r DeleteWorkspaceRequestObject) (DeleteWorkspaceResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: DeleteWorkspace204Response{}.VisitDeleteWorkspaceResponse,
			Audit:  audit.Entry{Action: "workspace.delete", Resource: "workspace", ResourceID: r.WorkspaceID},
		}, s.Workspaces.Removal.Delete(ctx, s.Workspaces.Create.Now())
	})
	return stored{answer}, foreign(err)
}

// RestoreWorkspace restores a deleted workspace.
func (s Server) RestoreWorkspace(ctx context.Context, r RestoreWorkspaceRequestObject) (RestoreWorkspaceResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		if err := s.Workspaces.Removal.Restore(ctx); err != nil {
			return command.Outcome{}, err
		}
		w, err := s.Workspaces.Store.Get(ctx)
		if err == nil && w.DeletedAt != nil {
			err = ports.ErrRestoreOver
		}
		return command.Outcome{
			Answer: RestoreWorkspace200JSONResponse(toWorkspace(w)).VisitRestoreWorkspaceResponse,
			Audit:  audit.Entry{Action: "workspace.restore", Resource: "workspace", ResourceID: r.WorkspaceID},
		}, err
	})
	return stored{answer}, foreign(err)
}

// LeaveWorkspace ends the caller's membership.
func (s Server) LeaveWorkspace(ctx context.Context, _ LeaveWorkspaceRequestObject) (LeaveWorkspaceResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		me := callctx.From(ctx).Principal.UserID
		done, err := s.Members.Remove.Leave(ctx, me)
		return command.Outcome{
			Answer: LeaveWorkspace204Response{}.VisitLeaveWorkspaceResponse,
			Audit:  audit.Entry{Action: "member.leave", Resource: "user", ResourceID: me, Changes: ended(done)},
		}, err
	})
	return stored{answer}, foreign(err)
}

// foreign returns the error for a workspace of others, which is the same as for one that does not exist.
func foreign(err error) error {
	if errors.Is(err, fail.ErrForbidden) {
		return ports.ErrWorkspaceNotFound
	}
	return err
}

func toWorkspace(w domain.Workspace) Workspace {
	return Workspace{ID: w.ID, Name: w.Name, Role: Role(w.Role), CreatedAt: w.CreatedAt, JoinedAt: w.JoinedAt, DeletedAt: w.DeletedAt}
}

func toMembership(m domain.Membership) Membership {
	return Membership{WorkspaceID: m.WorkspaceID, Name: m.Name, Role: Role(m.Role), DeletedAt: m.DeletedAt}
}
