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
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// Identities stores which subjects of identity providers sign in to which accounts.
type Identities struct{ db *postgres.DB }

var _ ports.Identities = (*Identities)(nil)

// NewIdentities makes Identities.
func NewIdentities(db *postgres.DB) *Identities { return &Identities{db} }

func (s *Identities) Find(ctx context.Context, issuer, subject string) (uuid.UUID, error) {
	user, err := authdb.New(s.db.InPipeline(ctx)).FindIdentity(ctx, authdb.FindIdentityParams{Issuer: issuer, Subject: subject})
	if postgres.IsMissing(err) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find an identity: %w", err)
	}
	return user, nil
}

func (s *Identities) Owner(ctx context.Context) (domain.AccountOwner, error) {
	row, err := authdb.New(s.db.In(ctx)).LockUser(ctx, callctx.From(ctx).Principal.UserID)
	if err != nil {
		return domain.AccountOwner{}, orNoUser(err, "lock the user")
	}
	return domain.AccountOwner{
		User: domain.User{
			ID: row.ID, Email: row.Email, CreatedAt: row.CreatedAt, DisabledAt: row.DisabledAt, VerifiedAt: row.VerifiedAt, VerifiedByLink: row.VerifiedByLink,
		},
		HasPassword: row.HasPassword,
	}, nil
}

func (s *Identities) Save(ctx context.Context, i domain.Identity) error {
	err := authdb.New(s.db.In(ctx)).SaveIdentity(ctx, authdb.SaveIdentityParams{
		UserID: i.UserID, ID: i.ID, Provider: i.Provider, Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, UsedAt: i.UsedAt,
	})
	if err != nil {
		return fmt.Errorf("store an identity: %w", err)
	}
	return nil
}

func (s *Identities) List(ctx context.Context) ([]domain.Identity, error) {
	user := callctx.From(ctx).Principal.UserID
	rows, err := authdb.New(s.db.In(ctx)).ListIdentities(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list the identities: %w", err)
	}
	list := make([]domain.Identity, len(rows))
	for i, r := range rows {
		list[i] = domain.Identity{
			ID: r.ID, UserID: user, Provider: r.Provider, Issuer: r.Issuer, Subject: r.Subject, Email: r.Email, CreatedAt: r.CreatedAt, UsedAt: r.UsedAt,
		}
	}
	return list, nil
}

func (s *Identities) Remove(ctx context.Context, id uuid.UUID) error {
	return authdb.New(s.db.In(ctx)).RemoveIdentity(ctx, authdb.RemoveIdentityParams{UserID: callctx.From(ctx).Principal.UserID, ID: id})
}

// Joins makes users members of workspaces without invitations.
type Joins struct {
	db    *postgres.DB
	quota quota
}

var _ ports.Joins = (*Joins)(nil)

// NewJoins makes Joins.
func NewJoins(db *postgres.DB, q quota) *Joins { return &Joins{db, q} }

func (s *Joins) Open(ctx context.Context) (bool, error) {
	_, err := authdb.New(s.db.In(ctx)).OpenWorkspace(ctx, callctx.From(ctx).Principal.WorkspaceID)
	if postgres.IsMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the workspace: %w", err)
	}
	return true, nil
}

func (s *Joins) Join(ctx context.Context, user uuid.UUID, role domain.Role, at time.Time) error {
	if err := s.quota.Reserve(ctx, usage.Members); err != nil {
		return err
	}
	_, err := authdb.New(s.db.In(ctx)).JoinWorkspace(ctx, authdb.JoinWorkspaceParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, UserID: user, Role: string(role), CreatedAt: at,
	})
	if postgres.Violates(err, "workspace_members_pkey") {
		return ports.ErrAlreadyMember
	}
	if err != nil {
		return fmt.Errorf("join the workspace: %w", err)
	}
	return nil
}
