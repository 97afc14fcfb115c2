package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors about outbound webhooks.
var (
	ErrSubscriptionNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook subscription in this workspace")
	ErrDeliveryNotFound     = fail.New(fail.NotFound, "NOT_FOUND", "there is no such delivery in this workspace")
	ErrScopeNotFound        = fail.New(fail.NotFound, "NOT_FOUND", "endpoint_id is no webhook endpoint of this workspace")
)

// Subscriptions changes the webhook subscriptions of the caller's workspace, in the transaction of the context. It returns
// ErrSubscriptionNotFound where there is no such subscription.
type Subscriptions interface {
	// Create stores a subscription within the workspace's limit, else fail.ErrLimitReached. It returns ErrScopeNotFound
	// where the workspace has no such endpoint.
	Create(ctx context.Context, s domain.Subscription) error
	// Lock reads a subscription and locks it until the transaction ends. Before it, it locks the authority of the caller,
	// if that may become responsible for the subscription.
	Lock(ctx context.Context, id uuid.UUID, becomesResponsible bool) (domain.Subscription, error)
	Save(ctx context.Context, s domain.Subscription) error
	// Delete deletes a subscription. Its deliveries can still be read.
	Delete(ctx context.Context, id uuid.UUID) error
	// Adopt makes the caller responsible for a subscription, which is no longer held.
	Adopt(ctx context.Context, id uuid.UUID) (domain.Subscription, error)
}

// Deliveries queues deliveries, in the transaction of the context.
type Deliveries interface {
	// Release lets deliveries of a subscription that wait, because they are held or have failed, be looked at now.
	Release(ctx context.Context, subscription uuid.UUID) error
	// Ping queues the delivery of an event without content, even if the subscription is disabled.
	Ping(ctx context.Context, s domain.Subscription) (domain.Delivery, error)
	// Retry queues a delivery again, with a full number of attempts, whatever its state; ErrDeliveryNotFound where there is
	// none. It keeps its id, so that a receiver recognizes an event that it has already received.
	Retry(ctx context.Context, id uuid.UUID) (domain.Delivery, error)
}

// Sent reads subscriptions and deliveries. Lists are newest first.
type Sent interface {
	// Subscription returns ErrSubscriptionNotFound where there is none.
	Subscription(ctx context.Context, id uuid.UUID) (domain.Subscription, error)
	Subscriptions(ctx context.Context, before *IDPosition, limit int) ([]domain.Subscription, error)
	// Delivery returns ErrDeliveryNotFound where there is none.
	Delivery(ctx context.Context, id uuid.UUID) (domain.DeliveryDetail, error)
	Deliveries(ctx context.Context, f DeliveryFilter, before *IDPosition, limit int) ([]domain.Delivery, error)
}

// DeliveryFilter narrows the list of deliveries; nil does not.
type DeliveryFilter struct {
	SubscriptionID *uuid.UUID
	Status         *string
}
