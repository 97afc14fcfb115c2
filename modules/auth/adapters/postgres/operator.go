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
)

// Operator reads and changes what only an operator may: any user, any workspace.
type Operator struct{ db *postgres.DB }

var _ ports.Control = (*Operator)(nil)

// NewOperator makes an Operator.
func NewOperator(db *postgres.DB) *Operator { return &Operator{db} }

// AllWorkspaces returns at most limit ids of workspaces, including deleted ones, in the order of the ids; nil begins
// with the first.
func (o *Operator) AllWorkspaces(ctx context.Context, after *uuid.UUID, limit int) ([]uuid.UUID, error) {
	ids, err := authdb.New(o.db.In(ctx)).AllWorkspaces(ctx, authdb.AllWorkspacesParams{After: after, Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list all workspaces: %w", err)
	}
	return ids, nil
}

// AllUsers returns at most limit ids of users, in the order of the ids; nil begins with the first.
func (o *Operator) AllUsers(ctx context.Context, after *uuid.UUID, limit int) ([]uuid.UUID, error) {
	ids, err := authdb.New(o.db.In(ctx)).AllUsers(ctx, authdb.AllUsersParams{After: after, Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list all users: %w", err)
	}
	return ids, nil
}

// WorkspacesOf returns the ids of the workspaces of the user of the context, including deleted ones.
func (o *Operator) WorkspacesOf(ctx context.Context) ([]uuid.UUID, error) {
	ids, err := authdb.New(o.db.In(ctx)).OwnWorkspaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the workspaces of a user: %w", err)
	}
	return ids, nil
}

// Workspace reads the workspace of the context; ErrNoWorkspace where there is none.
func (o *Operator) Workspace(ctx context.Context) (domain.WorkspaceSummary, error) {
	row, err := authdb.New(o.db.In(ctx)).DescribeWorkspace(ctx, callctx.From(ctx).Principal.WorkspaceID)
	if postgres.IsMissing(err) {
		return domain.WorkspaceSummary{}, ports.ErrNoWorkspace
	}
	if err != nil {
		return domain.WorkspaceSummary{}, fmt.Errorf("read the workspace: %w", err)
	}
	return domain.WorkspaceSummary(row), nil
}

// User reads the user of the context; ErrNoUser where there is none.
func (o *Operator) User(ctx context.Context) (domain.User, error) {
	return NewAccounts(o.db).User(ctx)
}

// SetPassword replaces the hash of the password.
func (o *Operator) SetPassword(ctx context.Context, user uuid.UUID, hash string) error {
	_, err := authdb.New(o.db.In(ctx)).SetPasswordHash(ctx, authdb.SetPasswordHashParams{ID: user, PasswordHash: hash})
	return orNoUser(err, "set the password")
}

// Disable prevents the user from logging in.
func (o *Operator) Disable(ctx context.Context, user uuid.UUID) error {
	_, err := authdb.New(o.db.In(ctx)).DisableUser(ctx, user)
	return orNoUser(err, "disable the user")
}

// Enable lets the user log in again.
func (o *Operator) Enable(ctx context.Context, user uuid.UUID) error {
	_, err := authdb.New(o.db.In(ctx)).EnableUser(ctx, user)
	return orNoUser(err, "enable the user")
}

func orNoUser(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case postgres.IsMissing(err):
		return ports.ErrNoUser
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// RestoreAuthority starts again what was stopped of a member since a time.
func (o *Operator) RestoreAuthority(ctx context.Context, member uuid.UUID, since time.Time) (domain.Ended, error) {
	row, err := authdb.New(o.db.In(ctx)).RestoreAuthority(ctx, authdb.RestoreAuthorityParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Member: member, Since: since,
	})
	if err != nil {
		return domain.Ended{}, fmt.Errorf("restore the authority of a member: %w", err)
	}
	return domain.Ended{Keys: int(row.ApiKeys), Subscriptions: int(row.Subscriptions)}, nil
}

// EndRestoreTime makes a deleted workspace due for purging now.
func (o *Operator) EndRestoreTime(ctx context.Context) error {
	_, err := authdb.New(o.db.In(ctx)).EndRestoreTime(ctx, callctx.From(ctx).Principal.WorkspaceID)
	if postgres.IsMissing(err) {
		return ports.ErrNotDeleted
	}
	if err != nil {
		return fmt.Errorf("end the time to restore the workspace: %w", err)
	}
	return nil
}
