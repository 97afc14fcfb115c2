package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Endpoints stores webhook endpoints.
type Endpoints struct{ db *postgres.DB }

// NewEndpoints makes Endpoints.
func NewEndpoints(db *postgres.DB) *Endpoints { return &Endpoints{db} }

func (s *Endpoints) Create(ctx context.Context, e domain.Endpoint) error {
	q, workspace := queries(ctx, s.db)
	_, err := q.CreateEndpoint(ctx, conversationsdb.CreateEndpointParams{
		WorkspaceID: workspace, ID: e.ID, Name: e.Name, BotID: e.BotID, Status: string(e.Status), Secrets: json.RawMessage(e.Keys),
		OnArchived: string(e.OnArchived), CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt,
	})
	return endpointError(err, "create the endpoint")
}

func (s *Endpoints) Get(ctx context.Context, id uuid.UUID) (domain.Endpoint, error) {
	q, workspace := queries(ctx, s.db)
	row, err := q.GetEndpoint(ctx, conversationsdb.GetEndpointParams{WorkspaceID: workspace, ID: id})
	return toEndpoint(row), endpointError(err, "read the endpoint")
}

func (s *Endpoints) Lock(ctx context.Context, id uuid.UUID) (domain.Endpoint, error) {
	q, workspace := queries(ctx, s.db)
	row, err := q.LockEndpoint(ctx, conversationsdb.LockEndpointParams{WorkspaceID: workspace, ID: id})
	return toEndpoint(conversationsdb.GetEndpointRow(row)), endpointError(err, "read the endpoint")
}

func (s *Endpoints) Save(ctx context.Context, e domain.Endpoint) error {
	q, workspace := queries(ctx, s.db)
	_, err := q.SaveEndpoint(ctx, conversationsdb.SaveEndpointParams{
		WorkspaceID: workspace, ID: e.ID, Name: e.Name, BotID: e.BotID, Status: string(e.Status), Secrets: json.RawMessage(e.Keys),
		OnArchived: string(e.OnArchived),
	})
	return endpointError(err, "save the endpoint")
}

func (s *Endpoints) Delete(ctx context.Context, id uuid.UUID) error {
	q, workspace := queries(ctx, s.db)
	_, err := q.DeleteEndpoint(ctx, conversationsdb.DeleteEndpointParams{WorkspaceID: workspace, ID: id})
	return endpointError(err, "delete the endpoint")
}

// Adopt makes a member responsible for an endpoint.
func (s *Endpoints) Adopt(ctx context.Context, id, member uuid.UUID) (domain.Endpoint, error) {
	q, workspace := queries(ctx, s.db)
	row, err := q.AdoptEndpoint(ctx, conversationsdb.AdoptEndpointParams{
		WorkspaceID: workspace, ID: id, Member: member, Roles: call.From(ctx).Needs.Roles,
	})
	return toEndpoint(conversationsdb.GetEndpointRow(row)), endpointError(err, "adopt the endpoint")
}

func endpointError(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case postgres.IsMissing(err):
		return ports.ErrEndpointNotFound
	case postgres.Violates(err, "webhook_endpoints_bot_fkey"):
		return ports.ErrBotNotFound
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

func toEndpoint(r conversationsdb.GetEndpointRow) domain.Endpoint {
	return domain.Endpoint{
		ID: r.ID, Name: r.Name, BotID: r.BotID, Status: domain.EndpointStatus(r.Status), Keys: domain.Keyring(r.Secrets), CreatedAt: r.CreatedAt,
		OnArchived: domain.ArchivedRule(r.OnArchived), ResponsibleID: r.ResponsibleID,
	}
}
