package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/jobs"
)

// How deliveries wait that are held: those of a subscription whose responsible member was removed or demoted, or whose
// responsible API key was revoked or suspended.
const (
	holdTime       = 7 * 24 * time.Hour // then a delivery is a dead letter; PublishEvent makes no more after that time either
	holdCheck      = 6 * time.Hour      // between two looks whether a delivery is held still
	maxReleased    = 10_000             // deliveries that go on at once when a subscription is adopted or ends; the others do within holdCheck
	reasonHeld     = "the webhook subscription is held until somebody adopts it"
	reasonHeldLong = "the webhook subscription was held for seven days and nobody has adopted it"
)

// Adopt makes the caller, who is a member, responsible for a subscription, in the transaction of the context. Held
// deliveries are resumed.
func (s *Subscriptions) Adopt(ctx context.Context, id uuid.UUID) (Subscription, error) {
	q, workspace := s.queries(ctx)
	row, err := q.AdoptSubscription(ctx, platformdb.AdoptSubscriptionParams{
		WorkspaceID: workspace, ID: id, Member: call.From(ctx).Principal.UserID, Roles: call.From(ctx).Needs.Roles,
	})
	if err != nil {
		return Subscription{}, orMissing(err, ErrNoSubscription, "adopt the subscription")
	}
	if err := s.release(ctx, id); err != nil {
		return Subscription{}, err
	}
	return toSubscription(platformdb.GetSubscriptionRow(row))
}

// release queues that deliveries of a subscription which wait are looked at now.
func (s *Subscriptions) release(ctx context.Context, id uuid.UUID) error {
	q, workspace := s.queries(ctx)
	err := q.ReleaseDeliveries(ctx, platformdb.ReleaseDeliveriesParams{WorkspaceID: workspace, SubscriptionID: id, Most: maxReleased, Kind: Kind})
	if err != nil {
		return fmt.Errorf("release the deliveries: %w", err)
	}
	return nil
}

// hold postpones a held delivery, and gives it up after holdTime.
func (d *Deliverer) hold(createdAt, heldAt time.Time) error {
	if createdAt.After(heldAt) {
		heldAt = createdAt
	}
	left := heldAt.Add(holdTime).Sub(d.Now())
	if left <= 0 {
		return jobs.Permanent(errors.New(reasonHeldLong))
	}
	return jobs.NotYet(reasonHeld, min(left, holdCheck))
}
