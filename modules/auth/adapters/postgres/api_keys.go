package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/usage"
)

// Room checks a quota before something is added that counts towards it. It returns an error where the workspace may not
// have one more.
type Room interface {
	Room(ctx context.Context, metric usage.Metric) error
}

// Keys stores API keys.
type Keys struct {
	db   *postgres.DB
	room Room
}

// NewKeys makes Keys.
func NewKeys(db *postgres.DB, room Room) *Keys { return &Keys{db, room} }

func (s *Keys) Create(ctx context.Context, k domain.APIKey, hash []byte) error {
	q, workspace := authdb.New(s.db.In(ctx)), call.From(ctx).Principal.WorkspaceID
	if len(k.Bots) > 0 {
		n, err := q.CountBots(ctx, authdb.CountBotsParams{WorkspaceID: workspace, Bots: k.Bots})
		if err != nil {
			return fmt.Errorf("look for the key's bots: %w", err)
		}
		if int(n) != len(k.Bots) {
			return ports.ErrBotNotFound
		}
	}
	if err := s.room.Room(ctx, usage.Keys); err != nil {
		return err
	}
	return q.CreateKey(ctx, authdb.CreateKeyParams{
		WorkspaceID: workspace, ID: k.ID, Name: k.Name, Hash: hash, Hint: k.Hint, Role: string(k.Role), BotIds: k.Bots,
		CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, Roles: call.From(ctx).Needs.Roles,
	})
}

func (s *Keys) List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.APIKey, error) {
	rows, err := authdb.New(s.db.In(ctx)).ListKeys(ctx, authdb.ListKeysParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, Before: before, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the API keys: %w", err)
	}
	list := make([]domain.APIKey, len(rows))
	for i, r := range rows {
		list[i] = toKey(r)
	}
	return list, nil
}

// Revoke ends a key and what works by its authority.
func (s *Keys) Revoke(ctx context.Context, id uuid.UUID) (name string, held int, err error) {
	q, workspace := authdb.New(s.db.In(ctx)), call.From(ctx).Principal.WorkspaceID
	name, err = q.RevokeKey(ctx, authdb.RevokeKeyParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return "", 0, ports.ErrKeyNotFound
	}
	if err != nil {
		return "", 0, fmt.Errorf("revoke the API key: %w", err)
	}
	n, err := q.EndKeyAuthority(ctx, authdb.EndKeyAuthorityParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return "", 0, fmt.Errorf("hold the subscriptions of the API key: %w", err)
	}
	return name, int(n), nil
}

// Adopt makes a member responsible for a key.
func (s *Keys) Adopt(ctx context.Context, id, member uuid.UUID) (domain.APIKey, error) {
	row, err := authdb.New(s.db.In(ctx)).AdoptKey(ctx, authdb.AdoptKeyParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, ID: id, Member: member, Roles: call.From(ctx).Needs.Roles,
	})
	if postgres.IsMissing(err) {
		return domain.APIKey{}, ports.ErrKeyNotFound
	}
	if err != nil {
		return domain.APIKey{}, fmt.Errorf("adopt the API key: %w", err)
	}
	return toKey(authdb.ListKeysRow(row)), nil
}

func (s *Keys) Has(ctx context.Context, id uuid.UUID) (bool, error) {
	has, err := authdb.New(s.db.In(ctx)).HasKey(ctx, authdb.HasKeyParams{WorkspaceID: call.From(ctx).Principal.WorkspaceID, ID: id})
	if err != nil {
		return false, fmt.Errorf("look for the API key: %w", err)
	}
	return has, nil
}

func toKey(r authdb.ListKeysRow) domain.APIKey {
	return domain.APIKey{
		ID: r.ID, Name: r.Name, Hint: r.Hint, Role: domain.Role(r.Role), Bots: r.BotIds, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, LastUsedAt: r.LastUsedAt, RevokedAt: r.RevokedAt,
		ResponsibleID: r.ResponsibleID, SuspendedAt: r.SuspendedAt,
	}
}
