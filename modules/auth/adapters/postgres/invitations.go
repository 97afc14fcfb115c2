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

// Invitations stores invitations to workspaces.
type Invitations struct {
	db    *postgres.DB
	quota quota
}

// NewInvitations makes Invitations.
func NewInvitations(db *postgres.DB, q quota) *Invitations { return &Invitations{db, q} }

func (s *Invitations) Create(ctx context.Context, i domain.Invitation, hash []byte) error {
	q, workspace := authdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
	member, err := q.HasMember(ctx, i.Email)
	if err != nil {
		return fmt.Errorf("look for a member: %w", err)
	}
	if member {
		return ports.ErrAlreadyMember
	}
	if err := q.ReplaceInvitation(ctx, authdb.ReplaceInvitationParams{WorkspaceID: workspace, Email: i.Email, CreatedAt: &i.CreatedAt}); err != nil {
		return err
	}
	return q.CreateInvitation(ctx, authdb.CreateInvitationParams{
		WorkspaceID: workspace, ID: i.ID, Email: i.Email, Role: string(i.Role), TokenHash: hash, InvitedBy: i.InvitedBy,
		CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt, Announced: i.Announced,
	})
}

func (s *Invitations) List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.Invitation, error) {
	rows, err := authdb.New(s.db.In(ctx)).ListInvitations(ctx, authdb.ListInvitationsParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Before: before, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the invitations: %w", err)
	}
	list := make([]domain.Invitation, len(rows))
	for i, r := range rows {
		list[i] = domain.Invitation{
			ID: r.ID, Email: r.Email, Role: domain.Role(r.Role), InvitedBy: r.InvitedBy, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
			AcceptedAt: r.AcceptedAt, RevokedAt: r.RevokedAt,
		}
	}
	return list, nil
}

func (s *Invitations) Revoke(ctx context.Context, id uuid.UUID) error {
	_, err := authdb.New(s.db.In(ctx)).RevokeInvitation(ctx, authdb.RevokeInvitationParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id,
	})
	if postgres.IsMissing(err) {
		return ports.ErrInvitationNotFound
	}
	if err != nil {
		return fmt.Errorf("revoke the invitation: %w", err)
	}
	return nil
}

func (s *Invitations) Find(ctx context.Context, hash []byte) (domain.Guest, error) {
	row, err := authdb.New(s.db.In(ctx)).FindInvitation(ctx, hash)
	if postgres.IsMissing(err) {
		return domain.Guest{}, ports.ErrInvitationNotFound
	}
	if err != nil {
		return domain.Guest{}, fmt.Errorf("find the invitation: %w", err)
	}
	guest := domain.Guest{
		Invitation: row.ID, WorkspaceID: row.WorkspaceID, Email: row.Email, Role: domain.Role(row.Role), ExpiresAt: row.ExpiresAt,
		Accepted: row.Accepted, OperationID: row.OperationID, UserID: row.UserID, PasswordHash: row.PasswordHash,
	}
	if guest.UserID != uuid.Nil {
		return guest, nil
	}
	return s.newGuest(ctx, guest)
}

// newGuest looks up whether an older account has another form of the address, and the name of the workspace.
func (s *Invitations) newGuest(ctx context.Context, g domain.Guest) (domain.Guest, error) {
	email, err := domain.GivenEmail(g.Email)
	if err != nil {
		return domain.Guest{}, fmt.Errorf("read the address of the invitation: %w", err)
	}
	if len(email.Forms()) > 1 {
		login, err := NewUsers(s.db).FindLogin(ctx, email, uuid.Nil)
		if err != nil {
			return domain.Guest{}, err
		}
		if login != nil {
			g.UserID, g.PasswordHash = login.UserID, login.PasswordHash
			return g, nil
		}
	}
	g.WorkspaceName, err = authdb.New(s.db.In(callctx.As(ctx, g.WorkspaceID, uuid.Nil))).GetWorkspaceName(ctx, g.WorkspaceID)
	if err != nil && !postgres.IsMissing(err) {
		return domain.Guest{}, fmt.Errorf("read the workspace's name: %w", err)
	}
	return g, nil
}

func (s *Invitations) Accept(ctx context.Context, g domain.Guest, user, operation uuid.UUID, at time.Time) error {
	if err := s.quota.Reserve(ctx, usage.Members); err != nil {
		return err
	}
	q := authdb.New(s.db.In(ctx))
	_, err := q.AcceptInvitation(ctx, authdb.AcceptInvitationParams{
		WorkspaceID: g.WorkspaceID, ID: g.Invitation, AcceptedAt: &at, AcceptedBy: &user, OperationID: &operation,
	})
	if postgres.IsMissing(err) {
		return ports.ErrInvitationUsed
	}
	if err != nil {
		return fmt.Errorf("accept the invitation: %w", err)
	}
	_, err = q.JoinWorkspace(ctx, authdb.JoinWorkspaceParams{WorkspaceID: g.WorkspaceID, UserID: user, Role: string(g.Role), CreatedAt: at})
	if postgres.Violates(err, "workspace_members_pkey") {
		return ports.ErrAlreadyMember
	}
	if err != nil {
		return fmt.Errorf("join the workspace: %w", err)
	}
	return nil
}
