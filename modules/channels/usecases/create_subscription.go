package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/request/fail"
)

// CreateSubscription creates a subscription to events of the workspace.
type CreateSubscription struct {
	Subscriptions ports.Subscriptions
	Keys          ports.Keys
	CheckURL      func(raw string) error // the error is shown to the caller
	Now           func() time.Time
}

// NewSubscription is the input of CreateSubscription; a nil EndpointID means the events of all conversations.
type NewSubscription struct {
	URL        string
	Events     []string
	EndpointID *uuid.UUID
	By         uuid.UUID
}

// Do creates the subscription and returns the secret that signs its deliveries. It is not shown again.
func (u CreateSubscription) Do(ctx context.Context, in NewSubscription) (s domain.Subscription, secret string, err error) {
	if err := u.CheckURL(in.URL); err != nil {
		return s, "", wrongURL(err)
	}
	s = domain.NewSubscription(in.URL, in.Events, in.EndpointID, in.By, u.Now())
	if s.Keys, secret, err = u.Keys.New(s.ID); err != nil {
		return s, "", err
	}
	return s, secret, u.Subscriptions.Create(ctx, s)
}

func wrongURL(err error) error {
	return fail.Fields(fail.Field{Field: "url", Code: "INVALID", Message: err.Error()})
}
