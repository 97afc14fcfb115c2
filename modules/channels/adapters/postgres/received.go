package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/data/postgres"
)

// Received reads endpoints and the events that they have received.
type Received struct{ db *postgres.DB }

// NewReceived makes Received.
func NewReceived(db *postgres.DB) *Received { return &Received{db} }

func (c *Received) Endpoint(ctx context.Context, id uuid.UUID) (domain.Endpoint, error) {
	q, workspace := queries(ctx, c.db)
	row, err := q.GetEndpoint(ctx, channelsdb.GetEndpointParams{WorkspaceID: workspace, ID: id})
	return toEndpoint(row), endpointError(err, "read the endpoint")
}

func (c *Received) Endpoints(ctx context.Context, before *ports.IDPosition, limit int) ([]domain.Endpoint, error) {
	q, workspace := queries(ctx, c.db)
	rows, err := q.ListEndpoints(ctx, channelsdb.ListEndpointsParams{WorkspaceID: workspace, Before: before.Before(), Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the endpoints: %w", err)
	}
	list := make([]domain.Endpoint, len(rows))
	for i, r := range rows {
		list[i] = toEndpoint(channelsdb.GetEndpointRow(r))
	}
	return list, nil
}

func (c *Received) Events(ctx context.Context, f ports.EventFilter, before *ports.IDPosition, limit int) ([]domain.InboundEvent, error) {
	q, workspace := listQueries(ctx, c.db)
	rows, err := q.ListEvents(ctx, channelsdb.ListEventsParams{
		WorkspaceID: workspace, JobKind: AnswerKind, Before: before.Before(), EndpointID: f.EndpointID, Status: f.Status, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the events: %w", err)
	}
	list := make([]domain.InboundEvent, len(rows))
	for i, r := range rows {
		list[i] = toEvent(r)
	}
	return list, nil
}

func (c *Received) Event(ctx context.Context, id uuid.UUID) (domain.InboundEvent, error) {
	q, workspace := queries(ctx, c.db)
	r, err := q.GetEvent(ctx, channelsdb.GetEventParams{WorkspaceID: workspace, ID: id, JobKind: AnswerKind})
	if postgres.IsMissing(err) {
		return domain.InboundEvent{}, ports.ErrEventNotFound
	}
	if err != nil {
		return domain.InboundEvent{}, fmt.Errorf("read the event: %w", err)
	}
	e := toEvent(channelsdb.ListEventsRow{
		ID: r.ID, EndpointID: r.EndpointID, WebhookID: r.WebhookID, Kind: r.Kind, ConversationID: r.ConversationID, OperationID: r.OperationID,
		ReceivedAt: r.ReceivedAt, ProcessedAt: r.ProcessedAt, ThreadID: r.ThreadID, TurnID: r.TurnID, Status: r.Status,
	})
	e.Payload = r.Payload
	return e, nil
}

func toEvent(r channelsdb.ListEventsRow) domain.InboundEvent {
	return domain.InboundEvent{
		ID: r.ID, EndpointID: r.EndpointID, SenderID: r.WebhookID, Type: r.Kind, ConversationID: r.ConversationID,
		OperationID: r.OperationID, Status: domain.EventStatus(r.Status), ReceivedAt: r.ReceivedAt, ProcessedAt: r.ProcessedAt,
		ThreadID: r.ThreadID, TurnID: r.TurnID,
	}
}
