// Package postgres stores webhook endpoints, the events that they receive, and webhook subscriptions in Postgres.
package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Endpoints stores webhook endpoints.
type Endpoints struct{ db *postgres.DB }

// NewEndpoints makes Endpoints.
func NewEndpoints(db *postgres.DB) *Endpoints { return &Endpoints{db} }

func queries(ctx context.Context, db *postgres.DB) (*channelsdb.Queries, uuid.UUID) {
	return channelsdb.New(db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

// listQueries returns the queries for a list that callers may filter.
func listQueries(ctx context.Context, db *postgres.DB) (*channelsdb.Queries, uuid.UUID) {
	return channelsdb.New(db.InList(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (s *Endpoints) Create(ctx context.Context, e domain.Endpoint) error {
	q, workspace := queries(ctx, s.db)
	_, err := q.CreateEndpoint(ctx, channelsdb.CreateEndpointParams{
		WorkspaceID: workspace, ID: e.ID, Name: e.Name, BotID: e.BotID, Status: string(e.Status), Secrets: json.RawMessage(e.Keys),
		OnArchived: string(e.OnArchived), CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt,
	})
	if postgres.IsMissing(err) {
		return ports.ErrBotNotFound
	}
	return endpointError(err, "create the endpoint")
}

func (s *Endpoints) Lock(ctx context.Context, id uuid.UUID) (domain.Endpoint, error) {
	q, workspace := queries(ctx, s.db)
	row, err := q.LockEndpoint(ctx, channelsdb.LockEndpointParams{WorkspaceID: workspace, ID: id})
	return toEndpoint(channelsdb.GetEndpointRow(row)), endpointError(err, "read the endpoint")
}

func (s *Endpoints) Save(ctx context.Context, e domain.Endpoint) error {
	q, workspace := queries(ctx, s.db)
	_, err := q.SaveEndpoint(ctx, channelsdb.SaveEndpointParams{
		WorkspaceID: workspace, ID: e.ID, Name: e.Name, BotID: e.BotID, Status: string(e.Status), Secrets: json.RawMessage(e.Keys),
		OnArchived: string(e.OnArchived),
	})
	if postgres.IsMissing(err) { // the endpoint is locked
		return ports.ErrBotNotFound
	}
	return endpointError(err, "save the endpoint")
}

func (s *Endpoints) Delete(ctx context.Context, id uuid.UUID) error {
	q, workspace := queries(ctx, s.db)
	_, err := q.DeleteEndpoint(ctx, channelsdb.DeleteEndpointParams{WorkspaceID: workspace, ID: id})
	return endpointError(err, "delete the endpoint")
}

// Adopt makes a member responsible for an endpoint.
func (s *Endpoints) Adopt(ctx context.Context, id, member uuid.UUID) (domain.Endpoint, error) {
	q, workspace := queries(ctx, s.db)
	row, err := q.AdoptEndpoint(ctx, channelsdb.AdoptEndpointParams{
		WorkspaceID: workspace, ID: id, Member: member, Roles: callctx.From(ctx).Needs.Roles,
	})
	return toEndpoint(channelsdb.GetEndpointRow(row)), endpointError(err, "adopt the endpoint")
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

func toEndpoint(r channelsdb.GetEndpointRow) domain.Endpoint {
	return domain.Endpoint{
		ID: r.ID, Name: r.Name, BotID: r.BotID, Status: domain.EndpointStatus(r.Status), Keys: domain.Keyring(r.Secrets), CreatedAt: r.CreatedAt,
		OnArchived: domain.ArchivedRule(r.OnArchived), ResponsibleID: r.ResponsibleID,
	}
}
