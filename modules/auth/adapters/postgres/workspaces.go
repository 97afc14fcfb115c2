package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Workspaces stores workspaces, deletes them, and purges them.
type Workspaces struct{ db *postgres.DB }

// NewWorkspaces makes Workspaces.
func NewWorkspaces(db *postgres.DB) *Workspaces { return &Workspaces{db} }

func (s *Workspaces) Create(ctx context.Context, w domain.Workspace) error {
	q := authdb.New(s.db.In(ctx))
	if err := q.CreateWorkspace(ctx, authdb.CreateWorkspaceParams{ID: w.ID, Name: w.Name, CreatedAt: w.CreatedAt}); err != nil {
		return fmt.Errorf("create the workspace: %w", err)
	}
	_, err := q.JoinWorkspace(ctx, authdb.JoinWorkspaceParams{
		WorkspaceID: w.ID, UserID: callctx.From(ctx).Principal.UserID, Role: string(w.Role), CreatedAt: w.JoinedAt,
	})
	if postgres.Violates(err, "workspace_members_user_id_fkey") { // the account was deleted meanwhile
		return fail.ErrUnauthorized
	}
	if err != nil {
		return fmt.Errorf("become the owner of the workspace: %w", err)
	}
	return nil
}

func (s *Workspaces) Get(ctx context.Context) (domain.Workspace, error) {
	p := callctx.From(ctx).Principal
	row, err := authdb.New(s.db.In(ctx)).GetWorkspace(ctx, authdb.GetWorkspaceParams{WorkspaceID: p.WorkspaceID, UserID: p.UserID})
	if postgres.IsMissing(err) {
		return domain.Workspace{}, ports.ErrWorkspaceNotFound
	}
	if err != nil {
		return domain.Workspace{}, fmt.Errorf("read the workspace: %w", err)
	}
	return domain.Workspace{
		ID: row.ID, Name: row.Name, Role: domain.Role(row.Role), CreatedAt: row.CreatedAt, JoinedAt: row.JoinedAt, DeletedAt: row.DeletedAt,
	}, nil
}

func (s *Workspaces) Rename(ctx context.Context, w domain.Workspace) error {
	return authdb.New(s.db.In(ctx)).RenameWorkspace(ctx, authdb.RenameWorkspaceParams{WorkspaceID: w.ID, Name: w.Name})
}

func (s *Workspaces) List(ctx context.Context, after *ports.Position, limit int) ([]domain.Workspace, error) {
	params := authdb.ListWorkspacesParams{Count: int32(limit)}
	params.AfterAt, params.AfterID = parts(after)
	rows, err := authdb.New(s.db.In(ctx)).ListWorkspaces(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the workspaces: %w", err)
	}
	list := make([]domain.Workspace, len(rows))
	for i, r := range rows {
		list[i] = domain.Workspace{ID: r.ID, Name: r.Name, Role: domain.Role(r.Role), CreatedAt: r.CreatedAt, JoinedAt: r.JoinedAt}
		if r.DeletedAt.Unix() != 0 {
			list[i].DeletedAt = &r.DeletedAt
		}
	}
	return list, nil
}

func (s *Workspaces) FactorDemanded(ctx context.Context) (bool, error) {
	demanded, err := authdb.New(s.db.In(ctx)).GetFactorDemand(ctx, callctx.From(ctx).Principal.WorkspaceID)
	if err != nil {
		return false, fmt.Errorf("read whether the workspace demands a second factor: %w", err)
	}
	return demanded, nil
}

func (s *Workspaces) DemandFactor(ctx context.Context, demanded bool) error {
	return authdb.New(s.db.In(ctx)).SetFactorDemand(ctx, authdb.SetFactorDemandParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, SecondFactor: demanded,
	})
}

func parts(p *ports.Position) (*time.Time, *uuid.UUID) {
	if p == nil {
		return nil, nil
	}
	return &p.At, &p.ID
}

func (s *Workspaces) Delete(ctx context.Context, at time.Time) error {
	return authdb.New(s.db.In(ctx)).DeleteWorkspace(ctx, authdb.DeleteWorkspaceParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, DeletedAt: &at,
	})
}

func (s *Workspaces) Restore(ctx context.Context) error {
	return authdb.New(s.db.In(ctx)).RestoreWorkspace(ctx, callctx.From(ctx).Principal.WorkspaceID)
}

// Due returns the workspaces that were deleted 30 days ago or earlier, the longest deleted first.
func (s *Workspaces) Due(ctx context.Context, limit int) ([]uuid.UUID, error) {
	due, err := authdb.New(s.db.In(ctx)).WorkspacesToPurge(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("look for workspaces to purge: %w", err)
	}
	return due, nil
}

// purgeStep is how long one transaction of a purge removes rows, in seconds. Vacuum and standbys wait at most that long
// for the removed rows and their WAL.
const purgeStep = 2

// Purge removes rows of a workspace for two seconds.
func (s *Workspaces) Purge(ctx context.Context, workspace uuid.UUID) (step ports.PurgeStep, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		row, err := authdb.New(s.db.In(ctx)).PurgeSome(ctx, authdb.PurgeSomeParams{WorkspaceID: workspace, Seconds: purgeStep})
		step = ports.PurgeStep{Done: row.State == "done", More: row.State == "more", Rows: row.Removed}
		return err
	})
	if err != nil {
		return step, fmt.Errorf("purge the workspace %s: %w", workspace, err)
	}
	return step, nil
}
