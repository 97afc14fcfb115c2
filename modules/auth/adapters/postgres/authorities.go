package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Authorities stores which member's authority invitations, API keys and webhook subscriptions depend on.
type Authorities struct{ db *postgres.DB }

var _ ports.Authorities = (*Authorities)(nil)

// NewAuthorities makes Authorities.
func NewAuthorities(db *postgres.DB) *Authorities { return &Authorities{db} }

// End stops what a member gave or made beyond the authority that is left.
func (s *Authorities) End(ctx context.Context, member uuid.UUID, left domain.Authority) (domain.Ended, error) {
	row, err := authdb.New(s.db.In(ctx)).EndAuthority(ctx, authdb.EndAuthorityParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Member: member, Invites: names(left.Invites), Keys: names(left.Keys),
		Subscribes: left.Subscribes,
	})
	if err != nil {
		return domain.Ended{}, fmt.Errorf("end the authority of a member: %w", err)
	}
	return domain.Ended{Invitations: int(row.Invitations), Keys: int(row.ApiKeys), Subscriptions: int(row.Subscriptions)}, nil
}

// names returns roles as SQL expects them. For no roles it returns an empty list, not NULL.
func names(roles []domain.Role) []string {
	list := make([]string, len(roles))
	for i, r := range roles {
		list[i] = string(r)
	}
	return list
}

// Resources lists what a member or an API key is responsible for.
func (s *Authorities) Resources(ctx context.Context, of uuid.UUID, before *uuid.UUID, limit int) ([]domain.Resource, error) {
	rows, err := authdb.New(s.db.In(ctx)).ListResources(ctx, authdb.ListResourcesParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ResponsibleID: of, Before: before, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the resources: %w", err)
	}
	list := make([]domain.Resource, len(rows))
	for i, r := range rows {
		list[i] = domain.Resource(r)
	}
	return list, nil
}

func (s *Authorities) Guests(ctx context.Context, member uuid.UUID) ([]uuid.UUID, error) {
	guests, err := authdb.New(s.db.In(ctx)).ListGuests(ctx, authdb.ListGuestsParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Member: member,
	})
	if err != nil {
		return nil, fmt.Errorf("list whom a member has invited: %w", err)
	}
	return guests, nil
}

func (s *Authorities) WasMember(ctx context.Context, user uuid.UUID) (bool, error) {
	was, err := authdb.New(s.db.In(ctx)).WasMember(ctx, authdb.WasMemberParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, UserID: user,
	})
	if err != nil {
		return false, fmt.Errorf("look for a member: %w", err)
	}
	return was, nil
}

// LockInviter returns the role that the inviter has now.
func (s *Authorities) LockInviter(ctx context.Context, invitation uuid.UUID) (domain.Role, error) {
	row, err := authdb.New(s.db.In(ctx)).LockInviter(ctx, authdb.LockInviterParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: invitation,
	})
	if postgres.IsMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("lock the inviter: %w", err)
	}
	return domain.Role(row.Role), nil
}
