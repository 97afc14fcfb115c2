package rest

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// ListAPIKeys lists the API keys of the workspace, newest first.
func (s Server) ListAPIKeys(ctx context.Context, r ListAPIKeysRequestObject) (ListAPIKeysResponseObject, error) {
	p, err := page.List[domain.APIKey, page.IDPosition]{
		Name: "api keys",
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.APIKey, error) {
			return s.People.Keys.List(ctx, after.Before(), limit)
		},
		Position: func(k domain.APIKey) page.IDPosition { return page.IDPosition{ID: k.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListAPIKeys200JSONResponse{Items: page.Map(p.Items, toAPIKey), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// CreateAPIKey makes an API key. The answer shows the key, once.
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

// RevokeAPIKey revokes an API key.
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
