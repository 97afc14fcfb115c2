package rest

import (
	"context"
	"time"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// Keys has what the calls about API keys need.
type Keys struct {
	Create usecases.CreateAPIKey
	Change usecases.ChangeAPIKey
	Store  ports.Keys
	Now    func() time.Time
}

// ListAPIKeys lists the API keys of the workspace, newest first.
func (s Server) ListAPIKeys(ctx context.Context, r ListAPIKeysRequestObject) (ListAPIKeysResponseObject, error) {
	p, err := page.List[domain.APIKey, page.IDPosition]{
		Name: "api keys",
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.APIKey, error) {
			return s.Keys.Store.List(ctx, after.Before(), limit)
		},
		Position: func(k domain.APIKey) page.IDPosition { return page.IDPosition{ID: k.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListAPIKeys200JSONResponse{Items: page.Map(p.Items, toAPIKey), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// CreateAPIKey makes an API key. The answer shows the key, once.
func (s Server) CreateAPIKey(ctx context.Context, r CreateAPIKeyRequestObject) (CreateAPIKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		wanted := domain.APIKey{
			Name: r.Body.Name, Role: domain.Role(r.Body.Role), ExpiresAt: r.Body.ExpiresAt, CreatedBy: callctx.From(ctx).Principal.UserID,
		}
		if r.Body.BotIds != nil {
			wanted.Bots = *r.Body.BotIds
		}
		wanted.KeepsCalls = r.Body.KeepsCalls != nil && *r.Body.KeepsCalls
		if r.Body.Limits != nil {
			wanted.Limits = toKeyLimits(*r.Body.Limits)
		}
		key, text, err := s.Keys.Create.Do(ctx, wanted, r.Body.AllowedAddresses)
		k := toAPIKey(key)
		return command.Outcome{
			Answer: CreateAPIKey201JSONResponse{
				ID: k.ID, Name: k.Name, Hint: k.Hint, Role: k.Role, BotIds: k.BotIds, CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt,
				ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt, RevokedAt: k.RevokedAt, ResponsibleID: k.ResponsibleID,
				SuspendedAt: k.SuspendedAt, AllowedAddresses: k.AllowedAddresses, Limits: k.Limits, KeepsCalls: k.KeepsCalls, Key: text,
			}.VisitCreateAPIKeyResponse,
			Audit: audit.Entry{Action: "api_key.create", Resource: "api_key", ResourceID: key.ID, Changes: map[string]any{
				"name": key.Name, "role": key.Role, "bot_ids": key.Bots, "expires_at": key.ExpiresAt, "allowed_addresses": k.AllowedAddresses,
				"limits": k.Limits, "keeps_calls": key.KeepsCalls,
			}},
			Secret: true,
		}, err
	})
	return stored{answer}, err
}

// ChangeAPIKey changes an API key.
func (s Server) ChangeAPIKey(ctx context.Context, r ChangeAPIKeyRequestObject) (ChangeAPIKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		change, changes := domain.KeyChange{Name: r.Body.Name, KeepsCalls: r.Body.KeepsCalls}, map[string]any{}
		if r.Body.Limits != nil {
			change.Limits = new(toKeyLimits(*r.Body.Limits))
		}
		key, err := s.Keys.Change.Do(ctx, r.KeyID, change, r.Body.AllowedAddresses)
		k := toAPIKey(key)
		for field, is := range map[string]struct {
			sent  bool
			value any
		}{
			"name": {r.Body.Name != nil, k.Name}, "allowed_addresses": {r.Body.AllowedAddresses != nil, k.AllowedAddresses},
			"limits": {r.Body.Limits != nil, k.Limits}, "keeps_calls": {r.Body.KeepsCalls != nil, k.KeepsCalls},
		} {
			if is.sent {
				changes[field] = is.value
			}
		}
		return command.Outcome{
			Answer: ChangeAPIKey200JSONResponse(k).VisitChangeAPIKeyResponse,
			Audit:  audit.Entry{Action: "api_key.change", Resource: "api_key", ResourceID: r.KeyID, Changes: changes},
		}, err
	})
	return stored{answer}, err
}

// RevokeAPIKey revokes an API key.
func (s Server) RevokeAPIKey(ctx context.Context, r RevokeAPIKeyRequestObject) (RevokeAPIKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		name, held, err := s.Keys.Store.Revoke(ctx, r.KeyID)
		changes := ended(domain.Ended{Subscriptions: held})
		changes["name"] = name
		return command.Outcome{
			Answer: RevokeAPIKey204Response{}.VisitRevokeAPIKeyResponse,
			Audit:  audit.Entry{Action: "api_key.revoke", Resource: "api_key", ResourceID: r.KeyID, Changes: changes},
		}, err
	})
	return stored{answer}, err
}

func toAPIKey(k domain.APIKey) APIKey {
	key := APIKey{
		ID: k.ID, Name: k.Name, Hint: k.Hint, Role: KeyRole(k.Role), CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt,
		ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt, RevokedAt: k.RevokedAt, ResponsibleID: k.ResponsibleID,
		SuspendedAt: k.SuspendedAt, Limits: fromKeyLimits(k.Limits), KeepsCalls: k.KeepsCalls,
	}
	if k.Bots != nil {
		key.BotIds = &k.Bots
	}
	if len(k.Networks) > 0 {
		texts := make([]string, len(k.Networks))
		for i, network := range k.Networks {
			texts[i] = network.String()
		}
		key.AllowedAddresses = &texts
	}
	return key
}
