package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
)

// ChangeSubscription changes where the events of a subscription go and which these are, disables or enables it, or rotates
// its secret.
type ChangeSubscription struct {
	Subscriptions ports.Subscriptions
	Keys          ports.Keys
	CheckURL      func(raw string) error // the error is shown to the caller
}

// SubscriptionChanges are the changes of a subscription by a caller; nil leaves a field as it is.
type SubscriptionChanges struct {
	By     uuid.UUID
	URL    *string
	Events *[]string
	Status *domain.SubscriptionStatus
}

// Do changes the subscription.
func (u ChangeSubscription) Do(ctx context.Context, id uuid.UUID, c SubscriptionChanges) (domain.Subscription, error) {
	s, err := u.Subscriptions.Lock(ctx, id, c.URL != nil)
	if err != nil {
		return s, err
	}
	if c.URL != nil {
		if err := u.CheckURL(*c.URL); err != nil {
			return s, wrongURL(err)
		}
		s.Redirect(*c.URL, c.By)
	}
	if c.Events != nil {
		s.Events = *c.Events
	}
	if c.Status != nil {
		s.SetStatus(*c.Status)
	}
	return s, u.Subscriptions.Save(ctx, s)
}

// Rotate makes a new secret for the subscription and returns it. Until overlap has passed, deliveries are also signed with
// the earlier secret, so that the receiver can change to the new one at any time in between.
func (u ChangeSubscription) Rotate(ctx context.Context, id uuid.UUID, overlap time.Duration) (s domain.Subscription, secret string, err error) {
	if s, err = u.Subscriptions.Lock(ctx, id, false); err != nil {
		return s, "", err
	}
	if s.Keys, secret, err = u.Keys.Rotate(s.Keys, s.ID, overlap); err != nil {
		return s, "", err
	}
	return s, secret, u.Subscriptions.Save(ctx, s)
}
