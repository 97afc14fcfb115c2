package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/data/postgres"
)

var _ ports.Sent = Sent{}

// Sent reads webhook subscriptions and deliveries.
type Sent struct{ DB *postgres.DB }

// Subscription reads a subscription.
func (s Sent) Subscription(ctx context.Context, id uuid.UUID) (domain.Subscription, error) {
	q, workspace := queries(ctx, s.DB)
	row, err := q.GetSubscription(ctx, channelsdb.GetSubscriptionParams{WorkspaceID: workspace, ID: id})
	return toSubscription(row), orMissing(err, ports.ErrSubscriptionNotFound, "read the subscription")
}

// Subscriptions lists subscriptions.
func (s Sent) Subscriptions(ctx context.Context, before *ports.IDPosition, limit int) ([]domain.Subscription, error) {
	q, workspace := queries(ctx, s.DB)
	rows, err := q.ListSubscriptions(ctx, channelsdb.ListSubscriptionsParams{WorkspaceID: workspace, Before: before.Before(), Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the subscriptions: %w", err)
	}
	list := make([]domain.Subscription, len(rows))
	for i, row := range rows {
		list[i] = toSubscription(channelsdb.GetSubscriptionRow(row))
	}
	return list, nil
}

// Deliveries lists deliveries.
func (s Sent) Deliveries(ctx context.Context, f ports.DeliveryFilter, before *ports.IDPosition, limit int) ([]domain.Delivery, error) {
	q, workspace := listQueries(ctx, s.DB)
	rows, err := q.ListDeliveries(ctx, channelsdb.ListDeliveriesParams{
		WorkspaceID: workspace, Before: before.Before(), SubscriptionID: f.SubscriptionID, Status: f.Status, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the deliveries: %w", err)
	}
	list := make([]domain.Delivery, len(rows))
	for i, r := range rows {
		list[i] = toDelivery(r)
	}
	return list, nil
}

// Delivery reads a delivery with its attempts.
func (s Sent) Delivery(ctx context.Context, id uuid.UUID) (domain.DeliveryDetail, error) {
	q, workspace := queries(ctx, s.DB)
	r, err := q.GetDelivery(ctx, channelsdb.GetDeliveryParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return domain.DeliveryDetail{}, orMissing(err, ports.ErrDeliveryNotFound, "read the delivery")
	}
	rows, err := q.ListAttempts(ctx, channelsdb.ListAttemptsParams{WorkspaceID: workspace, DeliveryID: id, Attempts: r.Attempts})
	if err != nil {
		return domain.DeliveryDetail{}, fmt.Errorf("read the attempts: %w", err)
	}
	d := domain.DeliveryDetail{
		Body: json.RawMessage(r.Body), Log: make([]domain.DeliveryAttempt, len(rows)),
		Delivery: toDelivery(channelsdb.ListDeliveriesRow{
			ID: r.ID, SubscriptionID: r.SubscriptionID, EventID: r.EventID, EventType: r.EventType, Status: r.Status,
			Attempts: r.Attempts, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
		}),
	}
	for i, a := range rows {
		d.Log[i] = domain.DeliveryAttempt{
			Number: int(a.Number), At: a.At, Latency: time.Duration(a.LatencyMs) * time.Millisecond, Response: a.Response, Error: a.Error,
		}
		if a.Status != nil {
			status := int(*a.Status)
			d.Log[i].Status = &status
		}
	}
	return d, nil
}
