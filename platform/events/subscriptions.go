package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/webhook"
)

// Errors that callers of this package receive.
var (
	ErrNoSubscription = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook subscription in this workspace")
	ErrNoDelivery     = fail.New(fail.NotFound, "NOT_FOUND", "there is no such delivery in this workspace")
	ErrNoEndpoint     = fail.New(fail.NotFound, "NOT_FOUND", "endpoint_id is no webhook endpoint of this workspace")
)

// The states of a subscription.
const (
	Active   = "active"
	Disabled = "disabled"
)

// Subscription says which events of a workspace are sent to which URL.
type Subscription struct {
	ID             uuid.UUID
	URL            string
	Events         []string
	EndpointID     *uuid.UUID // only of the conversations of this endpoint; nil: of everything
	Status         string
	DisabledReason *string    // nil where a person did it
	FailingSince   *time.Time // of the attempts that have all failed, without a pause; nil: the last attempt succeeded
	ResponsibleID  uuid.UUID  // the member or API key by whose authority it works
	HeldAt         *time.Time // since when its deliveries wait, as that authority has ended; nil: they do not
	CreatedAt      time.Time

	ring webhook.Keyring
}

// Subscriptions manages the webhook subscriptions of the caller's workspace.
type Subscriptions struct {
	DB           *postgres.DB
	Queue        *jobs.Queue
	Keys         webhook.Keys
	AllowPrivate bool // whether URLs may lead to addresses that are not public
	// Room queues, in the transaction of the context, the check that the limit of the workspace allows one more
	// subscription.
	Room func(ctx context.Context) error
	Now  func() time.Time
}

func (s *Subscriptions) queries(ctx context.Context) (*platformdb.Queries, uuid.UUID) {
	return platformdb.New(s.DB.In(ctx)), call.From(ctx).Principal.WorkspaceID
}

// Create creates a subscription, in the transaction of the context, and returns the secret that signs its deliveries.
// The secret is not shown again.
func (s *Subscriptions) Create(ctx context.Context, url string, events []string, endpoint *uuid.UUID) (sub Subscription, shown string, err error) {
	if err := s.check(url); err != nil {
		return sub, "", err
	}
	q, workspace := s.queries(ctx)
	if err := s.Room(ctx); err != nil {
		return sub, "", err
	}
	by := call.From(ctx).Principal.UserID
	sub = Subscription{
		ID: uuid.Must(uuid.NewV7()), URL: url, Events: events, EndpointID: endpoint, Status: Active, ResponsibleID: by, CreatedAt: s.Now(),
	}
	sub.ring, shown = s.Keys.New(sub.ID)
	raw, err := json.Marshal(sub.ring)
	if err != nil {
		return sub, "", fmt.Errorf("encode the secrets: %w", err)
	}
	_, err = q.CreateSubscription(ctx, platformdb.CreateSubscriptionParams{
		WorkspaceID: workspace, ID: sub.ID, URL: url, Events: events, EndpointID: endpoint, Secrets: raw,
		CreatedBy: by, CreatedAt: sub.CreatedAt, Roles: call.From(ctx).Needs.Roles,
	})
	if postgres.IsMissing(err) {
		return sub, "", ErrNoEndpoint
	}
	if err != nil {
		return sub, "", fmt.Errorf("create the subscription: %w", err)
	}
	return sub, shown, nil
}

func (s *Subscriptions) check(url string) error {
	if err := webhook.CheckURL(url, s.AllowPrivate); err != nil {
		return fail.Fields(fail.Field{Field: "url", Code: "INVALID", Message: err.Error()})
	}
	return nil
}

// Changes are changes to a subscription; a nil field stays unchanged.
type Changes struct {
	URL    *string
	Events *[]string
	Status *string
}

// Change changes a subscription, in the transaction of the context. Enabling it resets its failures. A caller who
// changes the URL becomes responsible for the subscription, because that caller decides where the deliveries go. A held
// subscription has to be adopted.
func (s *Subscriptions) Change(ctx context.Context, id uuid.UUID, c Changes) (Subscription, error) {
	caller := call.From(ctx).Principal.UserID
	if c.URL != nil {
		q, workspace := s.queries(ctx)
		err := q.LockAuthority(ctx, platformdb.LockAuthorityParams{WorkspaceID: workspace, Actor: caller, Roles: call.From(ctx).Needs.Roles})
		if err != nil {
			return Subscription{}, fmt.Errorf("lock the authority of the caller: %w", err)
		}
	}
	sub, err := s.lock(ctx, id)
	if err != nil {
		return sub, err
	}
	if c.URL != nil {
		if err := s.check(*c.URL); err != nil {
			return sub, err
		}
		if sub.URL != *c.URL && sub.HeldAt == nil {
			sub.ResponsibleID = caller
		}
		sub.URL = *c.URL
	}
	if c.Events != nil {
		sub.Events = *c.Events
	}
	if c.Status != nil {
		sub.Status, sub.DisabledReason, sub.FailingSince = *c.Status, nil, nil
	}
	return sub, s.save(ctx, sub)
}

// Rotate creates a new secret for a subscription, in the transaction of the context. Until the overlap has passed,
// deliveries are also signed with the old secret, so that the receiver can change to the new one at any time in
// between.
func (s *Subscriptions) Rotate(ctx context.Context, id uuid.UUID, overlap time.Duration) (sub Subscription, shown string, err error) {
	if sub, err = s.lock(ctx, id); err != nil {
		return sub, "", err
	}
	sub.ring, shown = s.Keys.Rotate(sub.ring, sub.ID, overlap, s.Now())
	return sub, shown, s.save(ctx, sub)
}

// Delete deletes a subscription, in the transaction of the context. Its deliveries can still be read. Deliveries that
// wait, because they are held or have failed, end now.
func (s *Subscriptions) Delete(ctx context.Context, id uuid.UUID) error {
	q, workspace := s.queries(ctx)
	_, err := q.DeleteSubscription(ctx, platformdb.DeleteSubscriptionParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return orMissing(err, ErrNoSubscription, "delete the subscription")
	}
	return s.release(ctx, id)
}

// Get returns a subscription.
func (s *Subscriptions) Get(ctx context.Context, id uuid.UUID) (Subscription, error) {
	q, workspace := s.queries(ctx)
	row, err := q.GetSubscription(ctx, platformdb.GetSubscriptionParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return Subscription{}, orMissing(err, ErrNoSubscription, "read the subscription")
	}
	return toSubscription(row)
}

// List returns the subscriptions of the caller's workspace, newest first, following the one with the id before, or from the start.
func (s *Subscriptions) List(ctx context.Context, before *uuid.UUID, limit int) ([]Subscription, error) {
	q, workspace := s.queries(ctx)
	rows, err := q.ListSubscriptions(ctx, platformdb.ListSubscriptionsParams{WorkspaceID: workspace, Before: before, Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the subscriptions: %w", err)
	}
	list := make([]Subscription, len(rows))
	for i, row := range rows {
		if list[i], err = toSubscription(platformdb.GetSubscriptionRow(row)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *Subscriptions) lock(ctx context.Context, id uuid.UUID) (Subscription, error) {
	q, workspace := s.queries(ctx)
	row, err := q.LockSubscription(ctx, platformdb.LockSubscriptionParams{WorkspaceID: workspace, ID: id})
	if err != nil {
		return Subscription{}, orMissing(err, ErrNoSubscription, "read the subscription")
	}
	return toSubscription(platformdb.GetSubscriptionRow(row))
}

func (s *Subscriptions) save(ctx context.Context, sub Subscription) error {
	q, workspace := s.queries(ctx)
	raw, err := json.Marshal(sub.ring)
	if err != nil {
		return fmt.Errorf("encode the secrets: %w", err)
	}
	return q.SaveSubscription(ctx, platformdb.SaveSubscriptionParams{
		WorkspaceID: workspace, ID: sub.ID, URL: sub.URL, Events: sub.Events, Status: sub.Status,
		DisabledReason: sub.DisabledReason, FailingSince: sub.FailingSince, Secrets: raw, ResponsibleID: sub.ResponsibleID,
	})
}

func toSubscription(r platformdb.GetSubscriptionRow) (Subscription, error) {
	sub := Subscription{
		ID: r.ID, URL: r.URL, Events: r.Events, EndpointID: r.EndpointID, Status: r.Status, DisabledReason: r.DisabledReason,
		FailingSince: r.FailingSince, ResponsibleID: r.ResponsibleID, HeldAt: r.HeldAt, CreatedAt: r.CreatedAt,
	}
	if err := json.Unmarshal(r.Secrets, &sub.ring); err != nil {
		return sub, fmt.Errorf("read the secrets of the subscription: %w", err)
	}
	return sub, nil
}

// orMissing converts the error of the database for a missing row into missing.
func orMissing(err error, missing *fail.Error, what string) error {
	switch {
	case err == nil:
		return nil
	case postgres.IsMissing(err):
		return missing
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
