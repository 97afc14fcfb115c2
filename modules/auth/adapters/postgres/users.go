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
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Users stores users and registers them.
type Users struct{ db *postgres.DB }

var _ ports.SharedAddresses = (*Users)(nil)

// NewUsers makes Users.
func NewUsers(db *postgres.DB) *Users { return &Users{db} }

func (u *Users) Register(ctx context.Context, r domain.Registration) error {
	q := authdb.New(u.db.In(ctx))
	err := q.CreateWorkspace(ctx, authdb.CreateWorkspaceParams{ID: r.WorkspaceID, Name: r.WorkspaceName, CreatedAt: r.At})
	if err != nil {
		return fmt.Errorf("create the workspace: %w", err)
	}
	if err := u.RegisterInvited(ctx, r); err != nil {
		return err
	}
	return q.CreateMember(ctx, authdb.CreateMemberParams{
		WorkspaceID: r.WorkspaceID, UserID: r.UserID, Role: string(domain.Owner), CreatedAt: r.At,
	})
}

func (u *Users) RegisterInvited(ctx context.Context, r domain.Registration) error {
	if !r.SharesAddress && len(r.Email.Forms()) > 1 { // an older account may have another form of it
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
		SharesAddress: r.SharesAddress,
	})
	if postgres.Violates(err, "users_email_key") || postgres.Violates(err, "users_registration") {
		return ports.ErrEmailExists
	}
	if err != nil {
		return fmt.Errorf("create the user: %w", err)
	}
	return nil
}

func (u *Users) FindLogin(ctx context.Context, email domain.Email, workspace uuid.UUID) (*domain.Login, error) {
	found, err := u.FindLogins(ctx, email, workspace, 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (u *Users) FindLogins(ctx context.Context, email domain.Email, workspace uuid.UUID, maxUnverified int) ([]domain.Login, error) {
	rows, err := authdb.New(u.db.InPipeline(ctx)).FindLogins(ctx, authdb.FindLoginsParams{
		Addresses: email.Forms(), Wanted: known(workspace), MaxUnverified: int32(maxUnverified),
	})
	if err != nil {
		return nil, fmt.Errorf("find the users: %w", err)
	}
	list := make([]domain.Login, len(rows))
	for i, row := range rows {
		list[i] = domain.Login{
			UserID: row.UserID, WorkspaceID: row.WorkspaceID, PasswordHash: row.PasswordHash, OperationID: row.OperationID, Verified: row.Verified,
		}
	}
	return list, nil
}

func (u *Users) FindRegistration(ctx context.Context, email domain.Email, operation uuid.UUID) (*domain.Login, error) {
	row, err := authdb.New(u.db.InPipeline(ctx)).FindRegistration(ctx, authdb.FindRegistrationParams{Address: email.String(), Operation: operation})
	if postgres.IsMissing(err) {
		return nil, nil //nolint:nilnil // the operation has registered nobody
	}
	if err != nil {
		return nil, fmt.Errorf("find the registered user: %w", err)
	}
	return &domain.Login{
		UserID: row.UserID, WorkspaceID: row.WorkspaceID, PasswordHash: row.PasswordHash, OperationID: operation, Verified: row.Verified,
	}, nil
}

func (u *Users) Profile(ctx context.Context) (domain.Profile, error) {
	p := callctx.From(ctx).Principal
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
		UserID: row.ID, Email: row.Email, Proof: domain.ProofOf(row.VerifiedAt, row.VerifiedByLink), HasPassword: row.HasPassword,
		WorkspaceID: row.WorkspaceID, WorkspaceName: row.WorkspaceName, Role: domain.Role(row.Role), Memberships: memberships, CreatedAt: row.CreatedAt,
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
	p := domain.Profile{UserID: row.ID, Email: row.Email, Proof: domain.ProofOf(row.VerifiedAt, row.VerifiedByLink), HasPassword: row.HasPassword, CreatedAt: row.CreatedAt}
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
