package domain

import (
	"time"

	"github.com/google/uuid"
)

// SubscriptionStatus says whether the events of a subscription are delivered.
type SubscriptionStatus string

// SubscriptionActive is the status of a subscription whose events are delivered. The other is disabled.
const SubscriptionActive SubscriptionStatus = "active"

// Subscription says which events of a workspace are delivered to which URL.
type Subscription struct {
	ID             uuid.UUID
	URL            string
	Events         []string   // their types
	EndpointID     *uuid.UUID // only events of the conversations of this endpoint; nil: all events
	Status         SubscriptionStatus
	DisabledReason *string    // nil where a person has disabled it
	FailingSince   *time.Time // since when all attempts have failed, without a pause; nil: the last attempt succeeded
	Keys           Keyring    // sign the deliveries
	ResponsibleID  uuid.UUID  // the member or API key by whose authority it works
	HeldAt         *time.Time // since when its deliveries wait, as that authority has ended; nil: they do not
	CreatedAt      time.Time
}

// NewSubscription makes an active subscription without secrets.
func NewSubscription(url string, events []string, endpoint *uuid.UUID, by uuid.UUID, now time.Time) Subscription {
	return Subscription{
		ID: uuid.Must(uuid.NewV7()), URL: url, Events: events, EndpointID: endpoint, Status: SubscriptionActive, ResponsibleID: by, CreatedAt: now,
	}
}

// Redirect changes the URL. Who changes it becomes responsible, because that caller decides where the deliveries go. A held
// subscription has to be adopted.
func (s *Subscription) Redirect(url string, by uuid.UUID) {
	if s.URL != url && s.HeldAt == nil {
		s.ResponsibleID = by
	}
	s.URL = url
}

// SetStatus enables or disables the subscription by a person, and forgets its failures.
func (s *Subscription) SetStatus(status SubscriptionStatus) {
	s.Status, s.DisabledReason, s.FailingSince = status, nil, nil
}
