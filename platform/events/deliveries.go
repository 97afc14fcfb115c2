package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/webhook"
)

// pending is the state of a delivery that has not ended.
const pending = "pending"

// Delivery is one event for one subscription.
type Delivery struct {
	ID, SubscriptionID, EventID uuid.UUID // ID is the webhook-id
	EventType, Status           string    // status: pending, delivered or failed
	Attempts                    int
	CreatedAt                   time.Time
	FinishedAt                  *time.Time
}

// Attempt is the result of one request to a target.
type Attempt struct {
	Number   int
	At       time.Time
	Status   *int // of the answer; nil where there was none
	Latency  time.Duration
	Response string  // the first KiB
	Error    *string // nil: delivered
}

// WholeDelivery is a Delivery with the fields that a list omits.
type WholeDelivery struct {
	Delivery
	Body json.RawMessage // as it is signed and sent
	Log  []Attempt       // the last 100, the newest first
}

// Filter selects deliveries; a nil field selects all.
type Filter struct {
	SubscriptionID *uuid.UUID
	Status         *string
}

// Deliveries returns the deliveries of the caller's workspace, newest first, following the one with the id before, or from the start.
func (s *Subscriptions) Deliveries(ctx context.Context, f Filter, before *uuid.UUID, limit int) ([]Delivery, error) {
	rows, err := platformdb.New(s.DB.InList(ctx)).ListDeliveries(ctx, platformdb.ListDeliveriesParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, Before: before, SubscriptionID: f.SubscriptionID, Status: f.Status, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the deliveries: %w", err)
	}
	list := make([]Delivery, len(rows))
	for i, r := range rows {
		list[i] = toDelivery(r)
	}
	return list, nil
}

// Delivery returns one delivery with its attempts.
func (s *Subscriptions) Delivery(ctx context.Context, id uuid.UUID) (WholeDelivery, error) {
	q, workspace := s.queries(ctx)
	r, err := q.GetDelivery(ctx, platformdb.GetDeliveryParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return WholeDelivery{}, orMissing(err, ErrNoDelivery, "read the delivery")
	}
	rows, err := q.ListAttempts(ctx, platformdb.ListAttemptsParams{WorkspaceID: workspace, DeliveryID: id})
	if err != nil {
		return WholeDelivery{}, fmt.Errorf("read the attempts: %w", err)
	}
	whole := WholeDelivery{Body: json.RawMessage(r.Body), Log: make([]Attempt, len(rows)), Delivery: withoutBody(r)}
	for i, a := range rows {
		whole.Log[i] = Attempt{
			Number: int(a.Number), At: a.At, Latency: time.Duration(a.LatencyMs) * time.Millisecond, Response: a.Response, Error: a.Error,
		}
		if a.Status != nil {
			status := int(*a.Status)
			whole.Log[i].Status = &status
		}
	}
	return whole, nil
}

// Again queues a new attempt at a delivery, with a full number of attempts, whatever its state, in the transaction of
// the context. The delivery keeps its id, so that a receiver recognizes an event that it has already received.
func (s *Subscriptions) Again(ctx context.Context, id uuid.UUID) (Delivery, error) {
	q, workspace := s.queries(ctx)
	r, err := q.ReopenDelivery(ctx, platformdb.ReopenDeliveryParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return Delivery{}, orMissing(err, ErrNoDelivery, "read the delivery")
	}
	d := toDelivery(platformdb.ListDeliveriesRow{
		ID: r.ID, SubscriptionID: r.SubscriptionID, EventID: r.EventID, EventType: r.EventType, Status: r.Status,
		Attempts: r.Attempts, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	})
	return d, s.Queue.Again(ctx, Kind, payload{DeliveryID: id}, jobs.Options{Key: id.String(), Target: webhook.Host(r.URL)})
}

// Ping delivers a test event without content to one subscription, even if it is disabled, in the transaction of the
// context. It shows whether the target responds.
func (s *Subscriptions) Ping(ctx context.Context, id uuid.UUID) (Delivery, error) {
	sub, err := s.Get(ctx, id)
	if err != nil {
		return Delivery{}, err
	}
	d := Delivery{
		ID: uuid.Must(uuid.NewV7()), SubscriptionID: sub.ID, EventID: uuid.Must(uuid.NewV7()), EventType: Ping, Status: pending,
		CreatedAt: s.Now(),
	}
	body, err := json.Marshal(message{Type: Ping, Timestamp: d.CreatedAt, Data: map[string]any{"subscription_id": sub.ID}})
	if err != nil {
		return d, fmt.Errorf("encode the ping: %w", err)
	}
	q, workspace := s.queries(ctx)
	err = q.CreateDelivery(ctx, platformdb.CreateDeliveryParams{
		WorkspaceID: workspace, ID: d.ID, SubscriptionID: sub.ID, EventID: d.EventID, EventType: Ping, Body: string(body), CreatedAt: d.CreatedAt,
	})
	if err != nil {
		return d, fmt.Errorf("create the delivery: %w", err)
	}
	return d, s.Queue.Enqueue(ctx, Kind, payload{DeliveryID: d.ID}, jobs.Options{Key: d.ID.String(), Target: webhook.Host(sub.URL)})
}

func toDelivery(r platformdb.ListDeliveriesRow) Delivery {
	return Delivery{
		ID: r.ID, SubscriptionID: r.SubscriptionID, EventID: r.EventID, EventType: r.EventType, Status: r.Status,
		Attempts: int(r.Attempts), CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	}
}

func withoutBody(r platformdb.GetDeliveryRow) Delivery {
	return toDelivery(platformdb.ListDeliveriesRow{
		ID: r.ID, SubscriptionID: r.SubscriptionID, EventID: r.EventID, EventType: r.EventType, Status: r.Status,
		Attempts: r.Attempts, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	})
}

// Expiry returns the periodic task that removes deliveries that ended more than 30 days ago, and inbound events that
// are older than 90 days.
func (s *Subscriptions) Expiry() jobs.Periodic {
	return jobs.Periodic{Name: "expire webhooks", Every: time.Hour, Lease: 10 * time.Minute, Do: func(ctx context.Context) error {
		for {
			if n, err := s.Expire(ctx); err != nil || n == 0 {
				return err
			}
		}
	}}
}

const expireBatch = 1000 // rows of a table at a time

// Expire removes one batch of what Expiry removes, and returns how many it removed; 0 means that there are no more.
func (s *Subscriptions) Expire(ctx context.Context) (removed int, err error) {
	err = s.DB.WriteOnce(ctx, func(ctx context.Context) error {
		n, err := platformdb.New(s.DB.In(ctx)).ExpireWebhooks(ctx, expireBatch)
		removed = int(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expire webhooks: %w", err)
	}
	return removed, nil
}
