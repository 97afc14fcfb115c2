package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
)

// AdoptSubscription makes the caller, who is a member, responsible for a subscription.
type AdoptSubscription struct {
	Subscriptions ports.Subscriptions
	Deliveries    ports.Deliveries
}

// Do adopts the subscription. Deliveries that were held go on.
func (u AdoptSubscription) Do(ctx context.Context, id uuid.UUID) (domain.Subscription, error) {
	s, err := u.Subscriptions.Adopt(ctx, id)
	if err != nil {
		return s, err
	}
	return s, u.Deliveries.Release(ctx, id)
}
