package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
)

// PingSubscription delivers an event without content to one subscription, to show whether its target responds.
type PingSubscription struct {
	Sent       ports.Sent
	Deliveries ports.Deliveries
}

// Do queues the delivery.
func (u PingSubscription) Do(ctx context.Context, id uuid.UUID) (domain.Delivery, error) {
	s, err := u.Sent.Subscription(ctx, id)
	if err != nil {
		return domain.Delivery{}, err
	}
	return u.Deliveries.Ping(ctx, s)
}
