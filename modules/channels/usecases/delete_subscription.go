package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/ports"
)

// DeleteSubscription deletes a subscription.
type DeleteSubscription struct {
	Subscriptions ports.Subscriptions
	Deliveries    ports.Deliveries
}

// Do deletes the subscription. Its deliveries that wait end now.
func (u DeleteSubscription) Do(ctx context.Context, id uuid.UUID) error {
	if err := u.Subscriptions.Delete(ctx, id); err != nil {
		return err
	}
	return u.Deliveries.Release(ctx, id)
}
