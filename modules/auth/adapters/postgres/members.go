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

// Members stores the members of workspaces.
type Members struct{ db *postgres.DB }

// NewMembers makes Members.
func NewMembers(db *postgres.DB) *Members { return &Members{db} }

func (s *Members) List(ctx context.Context, after *ports.Position, limit int) ([]domain.Member, error) {
	params := authdb.ListMembersParams{Count: int32(limit)}
	params.AfterAt, params.AfterID = parts(after)
	return s.list(ctx, params)
}

func (s *Members) Get(ctx context.Context, user uuid.UUID) (domain.Member, error) {
	list, err := s.list(ctx, authdb.ListMembersParams{One: &user, Count: 1})
	if err != nil {
		return domain.Member{}, err
	}
	if len(list) == 0 {
		return domain.Member{}, ports.ErrMemberNotFound
	}
	return list[0], nil
}

func (s *Members) list(ctx context.Context, params authdb.ListMembersParams) ([]domain.Member, error) {
	rows, err := authdb.New(s.db.In(ctx)).ListMembers(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the members: %w", err)
	}
	list := make([]domain.Member, len(rows))
	for i, r := range rows {
		list[i] = domain.Member{UserID: r.UserID, Email: r.Email, Role: domain.Role(r.Role), JoinedAt: r.JoinedAt}
	}
	return list, nil
}

func (s *Members) Lock(ctx context.Context, people ...uuid.UUID) (domain.Team, error) {
	rows, err := authdb.New(s.db.In(ctx)).LockMembers(ctx, authdb.LockMembersParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, People: people,
	})
	if err != nil {
		return nil, fmt.Errorf("lock the members: %w", err)
	}
	team := domain.Team{}
	for _, r := range rows {
		team[r.UserID] = domain.Role(r.Role)
	}
	return team, nil
}

func (s *Members) ChangeRole(ctx context.Context, user uuid.UUID, role domain.Role) error {
	return authdb.New(s.db.In(ctx)).ChangeRole(ctx, authdb.ChangeRoleParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, UserID: user, Role: string(role),
	})
}

func (s *Members) Remove(ctx context.Context, user uuid.UUID) error {
	return authdb.New(s.db.In(ctx)).RemoveMember(ctx, authdb.RemoveMemberParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, UserID: user,
	})
}
