package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// ListMemberResources lists what a member is responsible for, including what a former member has left and nobody has
// adopted.
func (s Server) ListMemberResources(ctx context.Context, r ListMemberResourcesRequestObject) (ListMemberResourcesResponseObject, error) {
	list, err := s.resources(ctx, r.UserID, r.Params.Cursor, r.Params.Limit)
	if err == nil && len(list.Items) == 0 {
		var was bool
		if was, err = s.Members.Authorities.WasMember(ctx, r.UserID); err == nil && !was {
			err = ports.ErrMemberNotFound
		}
	}
	return ListMemberResources200JSONResponse(list), err
}

// ListAPIKeyResources lists what an API key is responsible for, including a revoked key.
func (s Server) ListAPIKeyResources(ctx context.Context, r ListAPIKeyResourcesRequestObject) (ListAPIKeyResourcesResponseObject, error) {
	list, err := s.resources(ctx, r.KeyID, r.Params.Cursor, r.Params.Limit)
	if err == nil && len(list.Items) == 0 {
		var has bool
		if has, err = s.Keys.Store.Has(ctx, r.KeyID); err == nil && !has {
			err = ports.ErrKeyNotFound
		}
	}
	return ListAPIKeyResources200JSONResponse(list), err
}

// AdoptAPIKey makes the caller responsible for an API key.
func (s Server) AdoptAPIKey(ctx context.Context, r AdoptAPIKeyRequestObject) (AdoptAPIKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		key, err := s.Keys.Store.Adopt(ctx, r.KeyID, callctx.From(ctx).Principal.UserID)
		return command.Outcome{
			Answer: AdoptAPIKey200JSONResponse(toAPIKey(key)).VisitAdoptAPIKeyResponse,
			Audit:  audit.Entry{Action: "api_key.adopt", Resource: "api_key", ResourceID: r.KeyID, Changes: map[string]any{"name": key.Name}},
		}, err
	})
	return stored{answer}, err
}

func (s Server) resources(ctx context.Context, of uuid.UUID, cursor *string, limit *int) (ResourceList, error) {
	p, err := page.List[domain.Resource, page.IDPosition]{
		Name: "resources", Filter: of.String(),
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.Resource, error) {
			return s.Members.Authorities.Resources(ctx, of, after.Before(), limit)
		},
		Position: func(r domain.Resource) page.IDPosition { return page.IDPosition{ID: r.ID} },
	}.Page(ctx, s.Cursors, cursor, limit)
	return ResourceList{Items: page.Map(p.Items, toResource), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func toResource(r domain.Resource) Resource {
	return Resource{
		Kind: ResourceKind(r.Kind), ID: r.ID, Name: r.Name, Status: ResourceStatus(r.Status), CreatedBy: r.CreatedBy,
		ResponsibleID: r.ResponsibleID, CreatedAt: r.CreatedAt, StoppedAt: r.StoppedAt,
	}
}

// ended returns what the audit log stores about an authority that ended. It leaves out counts of zero.
func ended(e domain.Ended) map[string]any {
	changes := map[string]any{}
	for name, n := range map[string]int{
		"revoked_invitations": e.Invitations, "suspended_api_keys": e.Keys, "held_webhook_subscriptions": e.Subscriptions,
	} {
		if n > 0 {
			changes[name] = n
		}
	}
	return changes
}
