package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/outbound"
)

var _ ports.Deliveries = Deliveries{}

// Deliveries queues deliveries of events.
type Deliveries struct {
	DB        *postgres.DB
	Publisher *outbound.Publisher
}

// maxReleased is how many deliveries of a subscription are looked at at once when they are released. The others look for
// themselves within some hours.
const maxReleased = 10_000

// Release wakes the jobs of the first deliveries that wait.
func (d Deliveries) Release(ctx context.Context, subscription uuid.UUID) error {
	q, workspace := queries(ctx, d.DB)
	err := q.ReleaseDeliveries(ctx, channelsdb.ReleaseDeliveriesParams{
		WorkspaceID: workspace, SubscriptionID: subscription, Count: maxReleased, Kind: outbound.Kind,
	})
	if err != nil {
		return fmt.Errorf("release the deliveries: %w", err)
	}
	return nil
}

// Ping queues the delivery of a ping.
func (d Deliveries) Ping(ctx context.Context, s domain.Subscription) (domain.Delivery, error) {
	p, err := d.Publisher.Ping(ctx, s.ID, s.URL)
	return domain.Delivery{
		ID: p.ID, SubscriptionID: s.ID, EventID: p.EventID, EventType: outbound.Ping, Status: outbound.Pending, CreatedAt: p.CreatedAt,
	}, err
}

// Retry queues a delivery again.
func (d Deliveries) Retry(ctx context.Context, id uuid.UUID) (domain.Delivery, error) {
	q, workspace := queries(ctx, d.DB)
	r, err := q.ReopenDelivery(ctx, channelsdb.ReopenDeliveryParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return domain.Delivery{}, orMissing(err, ports.ErrDeliveryNotFound, "read the delivery")
	}
	return toDelivery(channelsdb.ListDeliveriesRow{
		ID: r.ID, SubscriptionID: r.SubscriptionID, EventID: r.EventID, EventType: r.EventType, Status: r.Status,
		Attempts: r.Attempts, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	}), d.Publisher.Retry(ctx, id, r.URL)
}

func toDelivery(r channelsdb.ListDeliveriesRow) domain.Delivery {
	return domain.Delivery{
		ID: r.ID, SubscriptionID: r.SubscriptionID, EventID: r.EventID, EventType: r.EventType, Status: r.Status,
		Attempts: int(r.Attempts), CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	}
}

// Expiry returns the task that removes deliveries that ended more than 30 days ago, and inbound events that
// are older than 90 days.
func Expiry(db *postgres.DB) background.Task {
	return background.Task{
		Name: "expire webhooks", Every: time.Hour, Timeout: 10 * time.Minute, Cluster: true,
		Do: background.InBatches(func(ctx context.Context) (int, error) { return expire(ctx, db) }),
	}
}

const expireBatch = 1000 // rows of a table at a time

// expire removes one batch, and returns how many rows it removed; 0 means that there are no more.
func expire(ctx context.Context, db *postgres.DB) (removed int, err error) {
	err = db.WriteOnce(ctx, func(ctx context.Context) error {
		n, err := channelsdb.New(db.In(ctx)).ExpireWebhooks(ctx, expireBatch)
		removed = int(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expire webhooks: %w", err)
	}
	return removed, nil
}
