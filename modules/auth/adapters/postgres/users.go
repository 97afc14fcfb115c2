// Package postgres keeps users, workspaces and sessions in Postgres.
package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/postgres"
)

// Users stores users and registers them.
type Users struct{ db *postgres.DB }

// NewUsers makes Users.
func NewUsers(db *postgres.DB) *Users { return &Users{db} }

func (u *Users) Register(ctx context.Context, r domain.Registration) error {
	q := authdb.New(u.db.In(ctx))
	err := q.CreateWorkspace(ctx, authdb.CreateWorkspaceParams{ID: r.WorkspaceID, Name: r.WorkspaceName, CreatedAt: r.At})
	if err != nil {
		return fmt.Errorf("create the workspace: %w", err)
	}
	if err := u.Welcome(ctx, r); err != nil {
		return err
	}
	return q.CreateMember(ctx, authdb.CreateMemberParams{
		WorkspaceID: r.WorkspaceID, UserID: r.UserID, Role: string(domain.Owner), CreatedAt: r.At,
	})
}

func (u *Users) Welcome(ctx context.Context, r domain.Registration) error {
	if len(r.Email.Forms()) > 1 { // an older account may have another form of it
		other, err := u.FindLogin(ctx, r.Email, uuid.Nil)
		if err != nil {
			return err
		}
		if other != nil {
			return ports.ErrEmailExists
		}
	}
	_, err := authdb.New(u.db.In(ctx)).CreateUser(ctx, authdb.CreateUserParams{
		ID: r.UserID, Email: r.Email.String(), PasswordHash: r.PasswordHash, OperationID: r.OperationID, CreatedAt: r.At,
	})
	if postgres.Violates(err, "users_email_key") {
		return ports.ErrEmailExists
	}
	if err != nil {
		return fmt.Errorf("create the user: %w", err)
	}
	return nil
}

func (u *Users) FindLogin(ctx context.Context, email domain.Email, workspace uuid.UUID) (*domain.Login, error) {
	row, err := authdb.New(u.db.InPipeline(ctx)).FindLogin(ctx, authdb.FindLoginParams{Addresses: email.Forms(), Wanted: known(workspace)})
	if postgres.IsMissing(err) {
		return nil, nil //nolint:nilnil // nobody has the address
	}
	if err != nil {
		return nil, fmt.Errorf("find the user: %w", err)
	}
	return &domain.Login{
		UserID: row.UserID, WorkspaceID: row.WorkspaceID, PasswordHash: row.PasswordHash, OperationID: row.OperationID,
	}, nil
}

func (u *Users) Profile(ctx context.Context) (domain.Profile, error) {
	p := call.From(ctx).Principal
	if p.WorkspaceID == uuid.Nil {
		return u.profileWithoutWorkspace(ctx, p.UserID)
	}
	row, err := authdb.New(u.db.InPipeline(ctx)).GetProfile(ctx, authdb.GetProfileParams{WorkspaceID: p.WorkspaceID, UserID: p.UserID})
	if postgres.IsMissing(err) {
		return domain.Profile{}, fail.ErrForbidden
	}
	if err != nil {
		return domain.Profile{}, fmt.Errorf("read the profile: %w", err)
	}
	var memberships []domain.Membership
	if err := json.Unmarshal(row.Memberships, &memberships); err != nil {
		return domain.Profile{}, fmt.Errorf("read the memberships: %w", err)
	}
	return domain.Profile{
		UserID: row.ID, Email: row.Email, WorkspaceID: row.WorkspaceID, WorkspaceName: row.WorkspaceName,
		Role: domain.Role(row.Role), Memberships: memberships, CreatedAt: row.CreatedAt,
	}, nil
}

func (u *Users) profileWithoutWorkspace(ctx context.Context, user uuid.UUID) (domain.Profile, error) {
	row, err := authdb.New(u.db.InPipeline(ctx)).GetAccountProfile(ctx, user)
	if postgres.IsMissing(err) {
		return domain.Profile{}, fail.ErrUnauthorized
	}
	if err != nil {
		return domain.Profile{}, fmt.Errorf("read the profile: %w", err)
	}
	p := domain.Profile{UserID: row.ID, Email: row.Email, CreatedAt: row.CreatedAt}
	if err := json.Unmarshal(row.Memberships, &p.Memberships); err != nil {
		return domain.Profile{}, fmt.Errorf("read the memberships: %w", err)
	}
	return p, nil
}

// known returns nil, which is NULL in SQL, for the zero id.
func known(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
