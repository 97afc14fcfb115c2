package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

var _ ports.Subscriptions = Subscriptions{}

// Subscriptions stores webhook subscriptions.
type Subscriptions struct {
	DB    *postgres.DB
	Quota *usage.Quota
}

// Create queues the check of the workspace's limit, then stores the subscription.
func (s Subscriptions) Create(ctx context.Context, sub domain.Subscription) error {
	if err := s.Quota.Reserve(ctx, usage.Subscriptions); err != nil {
		return err
	}
	q, workspace := queries(ctx, s.DB)
	_, err := q.CreateSubscription(ctx, channelsdb.CreateSubscriptionParams{
		WorkspaceID: workspace, ID: sub.ID, URL: sub.URL, Events: sub.Events, EndpointID: sub.EndpointID, Secrets: json.RawMessage(sub.Keys),
		CreatedBy: sub.ResponsibleID, CreatedAt: sub.CreatedAt, Roles: callctx.From(ctx).Needs.Roles,
	})
	return orMissing(err, ports.ErrScopeNotFound, "create the subscription")
}

// Lock locks the authority first, as whoever ends an authority does.
func (s Subscriptions) Lock(ctx context.Context, id uuid.UUID, becomesResponsible bool) (domain.Subscription, error) {
	q, workspace := queries(ctx, s.DB)
	if c := callctx.From(ctx); becomesResponsible {
		err := q.LockAuthority(ctx, channelsdb.LockAuthorityParams{WorkspaceID: workspace, Actor: c.Principal.UserID, Roles: c.Needs.Roles})
		if err != nil {
			return domain.Subscription{}, fmt.Errorf("lock the authority of the caller: %w", err)
		}
	}
	row, err := q.LockSubscription(ctx, channelsdb.LockSubscriptionParams{WorkspaceID: workspace, ID: id})
	return toSubscription(channelsdb.GetSubscriptionRow(row)), orMissing(err, ports.ErrSubscriptionNotFound, "read the subscription")
}

// Save stores all fields that change.
func (s Subscriptions) Save(ctx context.Context, sub domain.Subscription) error {
	q, workspace := queries(ctx, s.DB)
	return q.SaveSubscription(ctx, channelsdb.SaveSubscriptionParams{
		WorkspaceID: workspace, ID: sub.ID, URL: sub.URL, Events: sub.Events, Status: string(sub.Status),
		DisabledReason: sub.DisabledReason, FailingSince: sub.FailingSince, Secrets: json.RawMessage(sub.Keys), ResponsibleID: sub.ResponsibleID,
	})
}

// Delete marks the subscription as deleted.
func (s Subscriptions) Delete(ctx context.Context, id uuid.UUID) error {
	q, workspace := queries(ctx, s.DB)
	_, err := q.DeleteSubscription(ctx, channelsdb.DeleteSubscriptionParams{WorkspaceID: workspace, ID: id})
	return orMissing(err, ports.ErrSubscriptionNotFound, "delete the subscription")
}

// Adopt makes the caller responsible.
func (s Subscriptions) Adopt(ctx context.Context, id uuid.UUID) (domain.Subscription, error) {
	q, workspace := queries(ctx, s.DB)
	c := callctx.From(ctx)
	row, err := q.AdoptSubscription(ctx, channelsdb.AdoptSubscriptionParams{WorkspaceID: workspace, ID: id, Member: c.Principal.UserID, Roles: c.Needs.Roles})
	return toSubscription(channelsdb.GetSubscriptionRow(row)), orMissing(err, ports.ErrSubscriptionNotFound, "adopt the subscription")
}

func toSubscription(r channelsdb.GetSubscriptionRow) domain.Subscription {
	return domain.Subscription{
		ID: r.ID, URL: r.URL, Events: r.Events, EndpointID: r.EndpointID, Status: domain.SubscriptionStatus(r.Status), DisabledReason: r.DisabledReason,
		FailingSince: r.FailingSince, Keys: domain.Keyring(r.Secrets), ResponsibleID: r.ResponsibleID, HeldAt: r.HeldAt, CreatedAt: r.CreatedAt,
	}
}

// orMissing converts the error of the database for a missing row into missing.
func orMissing(err, missing error, what string) error {
	switch {
	case err == nil:
		return nil
	case postgres.IsMissing(err):
		return missing
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
