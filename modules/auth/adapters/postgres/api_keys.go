package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// quota checks a quota before something is added that counts towards it. It returns an error where the workspace may not
// have one more.
type quota interface {
	Reserve(ctx context.Context, metric usage.Metric) error
}

// Keys stores API keys.
type Keys struct {
	db    *postgres.DB
	quota quota
}

// NewKeys makes Keys.
func NewKeys(db *postgres.DB, q quota) *Keys { return &Keys{db, q} }

func (s *Keys) Create(ctx context.Context, k domain.APIKey, hash []byte) error {
	q, workspace := authdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
	if len(k.Bots) > 0 {
		n, err := q.CountBots(ctx, authdb.CountBotsParams{WorkspaceID: workspace, Bots: k.Bots})
		if err != nil {
			return fmt.Errorf("look for the key's bots: %w", err)
		}
		if int(n) != len(k.Bots) {
			return ports.ErrBotNotFound
		}
	}
	if err := s.quota.Reserve(ctx, usage.Keys); err != nil {
		return err
	}
	limits, err := limitsRow(k.Limits)
	if err != nil {
		return err
	}
	return q.CreateKey(ctx, authdb.CreateKeyParams{
		WorkspaceID: workspace, ID: k.ID, Name: k.Name, Hash: hash, Hint: k.Hint, Role: string(k.Role), BotIds: k.Bots,
		CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, Roles: callctx.From(ctx).Needs.Roles,
		AllowedAddresses: networkTexts(k.Networks), Limits: limits, KeepsCalls: k.KeepsCalls,
	})
}

func (s *Keys) List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.APIKey, error) {
	rows, err := authdb.New(s.db.In(ctx)).ListKeys(ctx, authdb.ListKeysParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Before: before, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the API keys: %w", err)
	}
	list := make([]domain.APIKey, len(rows))
	for i, r := range rows {
		if list[i], err = toKey(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ToChange returns a key, locked until the transaction ends.
func (s *Keys) ToChange(ctx context.Context, id, member uuid.UUID) (domain.APIKey, error) {
	row, err := authdb.New(s.db.In(ctx)).GetKeyToChange(ctx, authdb.GetKeyToChangeParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id, Member: member, Roles: callctx.From(ctx).Needs.Roles,
	})
	if postgres.IsMissing(err) {
		return domain.APIKey{}, ports.ErrKeyNotFound
	}
	if err != nil {
		return domain.APIKey{}, fmt.Errorf("read the API key: %w", err)
	}
	return toKey(authdb.ListKeysRow(row))
}

// Change stores the new values of a key, and notifies the processes that remember it.
func (s *Keys) Change(ctx context.Context, k domain.APIKey) error {
	limits, err := limitsRow(k.Limits)
	if err != nil {
		return err
	}
	q := authdb.New(s.db.In(ctx))
	err = q.ChangeKey(ctx, authdb.ChangeKeyParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: k.ID, Name: k.Name, AllowedAddresses: networkTexts(k.Networks), Limits: limits,
		KeepsCalls: k.KeepsCalls,
	})
	if err != nil {
		return fmt.Errorf("change the API key: %w", err)
	}
	return q.NotifyOfKey(ctx, k.ID.String())
}

// Revoke ends a key and what works by its authority.
func (s *Keys) Revoke(ctx context.Context, id uuid.UUID) (name string, held int, err error) {
	q, workspace := authdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
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
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id, Member: member, Roles: callctx.From(ctx).Needs.Roles,
	})
	if postgres.IsMissing(err) {
		return domain.APIKey{}, ports.ErrKeyNotFound
	}
	if err != nil {
		return domain.APIKey{}, fmt.Errorf("adopt the API key: %w", err)
	}
	return toKey(authdb.ListKeysRow(row))
}

func (s *Keys) Has(ctx context.Context, id uuid.UUID) (bool, error) {
	has, err := authdb.New(s.db.In(ctx)).HasKey(ctx, authdb.HasKeyParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
	if err != nil {
		return false, fmt.Errorf("look for the API key: %w", err)
	}
	return has, nil
}

// Usage returns the limits of a key and what was counted of them.
func (s *Keys) Usage(ctx context.Context, id uuid.UUID) (domain.KeyLimits, []domain.KeyCount, error) {
	rows, err := authdb.New(s.db.In(ctx)).ReadKeyUsage(ctx, authdb.ReadKeyUsageParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
	if err != nil {
		return nil, nil, fmt.Errorf("read the usage of the API key: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil, ports.ErrKeyNotFound
	}
	counts := []domain.KeyCount{}
	for _, r := range rows {
		if r.Metric != nil {
			counts = append(counts, domain.KeyCount{Metric: domain.KeyMetric(*r.Metric), Period: domain.Period(*r.Period), BeganAt: *r.BeganAt, Used: *r.Used})
		}
	}
	limits, err := toLimits(rows[0].Limits)
	return limits, counts, err
}

// limitsRow returns limits as they are stored; nil for none.
func limitsRow(limits domain.KeyLimits) (json.RawMessage, error) {
	if len(limits) == 0 {
		return nil, nil
	}
	row, err := json.Marshal(limits)
	if err != nil {
		return nil, fmt.Errorf("encode the limits of the API key: %w", err)
	}
	return row, nil
}

func toLimits(row json.RawMessage) (limits domain.KeyLimits, err error) {
	if row == nil {
		return nil, nil
	}
	if err := json.Unmarshal(row, &limits); err != nil {
		return nil, fmt.Errorf("decode the limits of the API key: %w", err)
	}
	return limits, nil
}

func toKey(r authdb.ListKeysRow) (domain.APIKey, error) {
	limits, err := toLimits(r.Limits)
	return domain.APIKey{
		ID: r.ID, Name: r.Name, Hint: r.Hint, Role: domain.Role(r.Role), Bots: r.BotIds, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, LastUsedAt: r.LastUsedAt, RevokedAt: r.RevokedAt,
		ResponsibleID: r.ResponsibleID, SuspendedAt: r.SuspendedAt, Networks: networksOf(r.AllowedAddresses), Limits: limits,
		KeepsCalls: r.KeepsCalls,
	}, err
}

// networkTexts returns networks as they are stored; nil for none.
func networkTexts(networks []netip.Prefix) (texts []string) {
	for _, network := range networks {
		texts = append(texts, network.String())
	}
	return texts
}

// networksOf returns networks that are stored; nil for none.
func networksOf(texts []string) (networks []netip.Prefix) {
	for _, text := range texts {
		network, _ := netip.ParsePrefix(text) // the zero Prefix, which contains no address, where it is none
		networks = append(networks, network)
	}
	return networks
}
