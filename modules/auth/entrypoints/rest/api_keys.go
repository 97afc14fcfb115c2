package rest

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// ListAPIKeys implements the call.
func (s Server) ListAPIKeys(ctx context.Context, r ListAPIKeysRequestObject) (ListAPIKeysResponseObject, error) {
	after, err := s.People.KeyCursors.Decode(ctx, "", r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.People.Keys.List(ctx, after.before(), limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.People.KeyCursors, "", items, more, func(k domain.APIKey) JobPosition {
		return JobPosition{ID: k.ID}
	})
	return ListAPIKeys200JSONResponse{Items: page.Map(items, toAPIKey), HasMore: more, NextCursor: next}, err
}

// CreateAPIKey implements the call. The answer shows the key, once.
func (s Server) CreateAPIKey(ctx context.Context, r CreateAPIKeyRequestObject) (CreateAPIKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		wanted := domain.APIKey{
			Name: r.Body.Name, Role: domain.Role(r.Body.Role), ExpiresAt: r.Body.ExpiresAt, CreatedBy: call.From(ctx).Principal.UserID,
		}
		if r.Body.BotIds != nil {
			wanted.Bots = *r.Body.BotIds
		}
		key, text, err := s.People.CreateKey.Do(ctx, wanted)
		k := toAPIKey(key)
		return command.Outcome{
			Answer: CreateAPIKey201JSONResponse{
				ID: k.ID, Name: k.Name, Hint: k.Hint, Role: k.Role, BotIds: k.BotIds, CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt,
				ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt, RevokedAt: k.RevokedAt, ResponsibleID: k.ResponsibleID,
				SuspendedAt: k.SuspendedAt, Key: text,
			}.VisitCreateAPIKeyResponse,
			Audit: audit.Entry{Action: "api_key.create", Resource: "api_key", ResourceID: key.ID, Changes: map[string]any{
				"name": key.Name, "role": key.Role, "bot_ids": key.Bots, "expires_at": key.ExpiresAt,
			}},
			Secret: true,
		}, err
	})
	return stored{answer}, err
}

// RevokeAPIKey implements the call.
func (s Server) RevokeAPIKey(ctx context.Context, r RevokeAPIKeyRequestObject) (RevokeAPIKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		name, held, err := s.People.Keys.Revoke(ctx, r.KeyID)
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
		SuspendedAt: k.SuspendedAt,
	}
	if k.Bots != nil {
		key.BotIds = &k.Bots
	}
	return key
}
