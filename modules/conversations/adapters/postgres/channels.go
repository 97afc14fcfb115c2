package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/postgres"
)

// Channels lists endpoints and the events that they have received.
type Channels struct{ db *postgres.DB }

// NewChannels makes Channels.
func NewChannels(db *postgres.DB) *Channels { return &Channels{db} }

func (c *Channels) Endpoints(ctx context.Context, before *ports.IDPosition, limit int) ([]domain.Endpoint, error) {
	q, workspace := queries(ctx, c.db)
	rows, err := q.ListEndpoints(ctx, conversationsdb.ListEndpointsParams{WorkspaceID: workspace, Before: before.Before(), Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the endpoints: %w", err)
	}
	list := make([]domain.Endpoint, len(rows))
	for i, r := range rows {
		list[i] = toEndpoint(conversationsdb.GetEndpointRow(r))
	}
	return list, nil
}

func (c *Channels) Events(ctx context.Context, f ports.EventFilter, before *ports.IDPosition, limit int) ([]domain.InboundEvent, error) {
	q, workspace := listQueries(ctx, c.db)
	rows, err := q.ListEvents(ctx, conversationsdb.ListEventsParams{
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

func (c *Channels) Event(ctx context.Context, id uuid.UUID) (domain.InboundEvent, error) {
	q, workspace := queries(ctx, c.db)
	r, err := q.GetEvent(ctx, conversationsdb.GetEventParams{WorkspaceID: workspace, ID: id, JobKind: AnswerKind})
	if postgres.IsMissing(err) {
		return domain.InboundEvent{}, ports.ErrEventNotFound
	}
	if err != nil {
		return domain.InboundEvent{}, fmt.Errorf("read the event: %w", err)
	}
	e := toEvent(conversationsdb.ListEventsRow{
		ID: r.ID, EndpointID: r.EndpointID, WebhookID: r.WebhookID, Kind: r.Kind, ConversationID: r.ConversationID, OperationID: r.OperationID,
		ReceivedAt: r.ReceivedAt, ProcessedAt: r.ProcessedAt, ThreadID: r.ThreadID, TurnID: r.TurnID, Status: r.Status,
	})
	e.Payload = r.Payload
	return e, nil
}

func toEvent(r conversationsdb.ListEventsRow) domain.InboundEvent {
	return domain.InboundEvent{
		ID: r.ID, EndpointID: r.EndpointID, SenderID: r.WebhookID, Type: r.Kind, ConversationID: r.ConversationID,
		OperationID: r.OperationID, Status: domain.EventStatus(r.Status), ReceivedAt: r.ReceivedAt, ProcessedAt: r.ProcessedAt,
		ThreadID: r.ThreadID, TurnID: r.TurnID,
	}
}
