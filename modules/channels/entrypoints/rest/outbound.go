package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/modules/channels/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

func (s Server) CreateWebhookSubscription(ctx context.Context, r CreateWebhookSubscriptionRequestObject) (CreateWebhookSubscriptionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		sub, secret, err := s.CreateSubscription.Do(ctx, usecases.NewSubscription{
			URL: r.Body.URL, Events: names(r.Body.Events), EndpointID: r.Body.EndpointID, By: callctx.From(ctx).Principal.UserID,
		})
		location := "/v1/webhook-subscriptions/" + sub.ID.String()
		return command.Outcome{
			Answer: CreateWebhookSubscription201JSONResponse{
				Body: subscriptionWithSecret(sub, secret), Headers: CreateWebhookSubscription201ResponseHeaders{Location: &location},
			}.VisitCreateWebhookSubscriptionResponse,
			Secret: true,
			Audit:  subscriptionChange("create", sub.ID, r.Body),
		}, err
	})
	return stored{answer}, err
}

func (s Server) ChangeWebhookSubscription(ctx context.Context, r ChangeWebhookSubscriptionRequestObject) (ChangeWebhookSubscriptionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		changes := usecases.SubscriptionChanges{
			By: callctx.From(ctx).Principal.UserID, URL: r.Body.URL, Status: (*domain.SubscriptionStatus)(r.Body.Status),
		}
		if r.Body.Events != nil {
			wanted := names(*r.Body.Events)
			changes.Events = &wanted
		}
		sub, err := s.ChangeSubscription.Do(ctx, r.SubscriptionID, changes)
		return command.Outcome{
			Answer: ChangeWebhookSubscription200JSONResponse(toSubscription(sub)).VisitChangeWebhookSubscriptionResponse,
			Audit:  subscriptionChange("change", sub.ID, r.Body),
		}, err
	})
	return stored{answer}, err
}

func (s Server) RotateWebhookSubscriptionSecret(ctx context.Context, r RotateWebhookSubscriptionSecretRequestObject) (RotateWebhookSubscriptionSecretResponseObject, error) {
	overlap := overlapOf(r.Body)
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		sub, secret, err := s.ChangeSubscription.Rotate(ctx, r.SubscriptionID, overlap)
		return command.Outcome{
			Answer: RotateWebhookSubscriptionSecret200JSONResponse(subscriptionWithSecret(sub, secret)).VisitRotateWebhookSubscriptionSecretResponse,
			Secret: true,
			Audit:  subscriptionChange("rotate_secret", sub.ID, map[string]any{"overlap_seconds": overlap.Seconds()}),
		}, err
	})
	return stored{answer}, err
}

func (s Server) DeleteWebhookSubscription(ctx context.Context, r DeleteWebhookSubscriptionRequestObject) (DeleteWebhookSubscriptionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		err := s.DeleteSubscription.Do(ctx, r.SubscriptionID)
		return command.Outcome{
			Answer: DeleteWebhookSubscription204Response{}.VisitDeleteWebhookSubscriptionResponse,
			Audit:  subscriptionChange("delete", r.SubscriptionID, nil),
		}, err
	})
	return stored{answer}, err
}

// AdoptWebhookSubscription makes the caller responsible for a subscription.
func (s Server) AdoptWebhookSubscription(ctx context.Context, r AdoptWebhookSubscriptionRequestObject) (AdoptWebhookSubscriptionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		sub, err := s.AdoptSubscription.Do(ctx, r.SubscriptionID)
		return command.Outcome{
			Answer: AdoptWebhookSubscription200JSONResponse(toSubscription(sub)).VisitAdoptWebhookSubscriptionResponse,
			Audit:  subscriptionChange("adopt", r.SubscriptionID, map[string]any{"url": sub.URL}),
		}, err
	})
	return stored{answer}, err
}

func (s Server) PingWebhookSubscription(ctx context.Context, r PingWebhookSubscriptionRequestObject) (PingWebhookSubscriptionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		d, err := s.PingSubscription.Do(ctx, r.SubscriptionID)
		return command.Outcome{
			Answer: PingWebhookSubscription202JSONResponse(toDelivery(d)).VisitPingWebhookSubscriptionResponse,
			Audit:  subscriptionChange("ping", r.SubscriptionID, map[string]any{"delivery_id": d.ID}),
		}, err
	})
	return stored{answer}, err
}

func (s Server) GetWebhookSubscription(ctx context.Context, r GetWebhookSubscriptionRequestObject) (GetWebhookSubscriptionResponseObject, error) {
	sub, err := s.Sent.Subscription(ctx, r.SubscriptionID)
	return GetWebhookSubscription200JSONResponse(toSubscription(sub)), err
}

// ListWebhookSubscriptions lists the webhook subscriptions of the workspace, newest first.
func (s Server) ListWebhookSubscriptions(ctx context.Context, r ListWebhookSubscriptionsRequestObject) (ListWebhookSubscriptionsResponseObject, error) {
	p, err := page.List[domain.Subscription, ports.IDPosition]{
		Name:     "webhook subscriptions",
		Position: func(sub domain.Subscription) ports.IDPosition { return ports.IDPosition{ID: sub.ID} },
		Read:     s.Sent.Subscriptions,
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListWebhookSubscriptions200JSONResponse{Items: page.Map(p.Items, toSubscription), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// ListWebhookDeliveries lists the deliveries of events to subscriptions, newest first.
func (s Server) ListWebhookDeliveries(ctx context.Context, r ListWebhookDeliveriesRequestObject) (ListWebhookDeliveriesResponseObject, error) {
	f := ports.DeliveryFilter{SubscriptionID: r.Params.SubscriptionID, Status: (*string)(r.Params.Status)}
	p, err := page.List[domain.Delivery, ports.IDPosition]{
		Name: "webhook deliveries", Filter: f,
		Position: func(d domain.Delivery) ports.IDPosition { return ports.IDPosition{ID: d.ID} },
		Read: func(ctx context.Context, before *ports.IDPosition, limit int) ([]domain.Delivery, error) {
			return s.Sent.Deliveries(ctx, f, before, limit)
		},
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListWebhookDeliveries200JSONResponse{Items: page.Map(p.Items, toDelivery), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func (s Server) GetWebhookDelivery(ctx context.Context, r GetWebhookDeliveryRequestObject) (GetWebhookDeliveryResponseObject, error) {
	d, err := s.Sent.Delivery(ctx, r.DeliveryID)
	if err != nil {
		return nil, err
	}
	return GetWebhookDelivery200JSONResponse{
		ID: d.ID, SubscriptionID: d.SubscriptionID, EventID: d.EventID, EventType: d.EventType, Status: WebhookDeliveryStatus(d.Status),
		Attempts: d.Attempts, CreatedAt: d.CreatedAt, FinishedAt: d.FinishedAt, Payload: d.Body, Log: page.Map(d.Log, toAttempt),
	}, nil
}

func (s Server) RetryWebhookDelivery(ctx context.Context, r RetryWebhookDeliveryRequestObject) (RetryWebhookDeliveryResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		d, err := s.Deliveries.Retry(ctx, r.DeliveryID)
		return command.Outcome{
			Answer: RetryWebhookDelivery202JSONResponse(toDelivery(d)).VisitRetryWebhookDeliveryResponse,
			Audit: audit.Entry{
				Action: "webhook_delivery.retry", Resource: "webhook_delivery", ResourceID: d.ID,
				Changes: map[string]any{"subscription_id": d.SubscriptionID},
			},
		}, err
	})
	return stored{answer}, err
}

func subscriptionChange(verb string, id uuid.UUID, changes any) audit.Entry {
	return audit.Entry{Action: "webhook_subscription." + verb, Resource: "webhook_subscription", ResourceID: id, Changes: changes}
}

func names(types []EventType) []string {
	return page.Map(types, func(t EventType) string { return string(t) })
}

func toSubscription(s domain.Subscription) WebhookSubscription {
	return WebhookSubscription{
		ID: s.ID, URL: s.URL, Events: page.Map(s.Events, func(t string) EventType { return EventType(t) }), EndpointID: s.EndpointID,
		Status: WebhookStatus(s.Status), DisabledReason: s.DisabledReason, FailingSince: s.FailingSince, CreatedAt: s.CreatedAt,
		ResponsibleID: s.ResponsibleID, HeldAt: s.HeldAt,
	}
}

func subscriptionWithSecret(s domain.Subscription, secret string) WebhookSubscriptionWithSecret {
	p := toSubscription(s)
	return WebhookSubscriptionWithSecret{
		ID: p.ID, URL: p.URL, Events: p.Events, EndpointID: p.EndpointID, Status: p.Status, DisabledReason: p.DisabledReason,
		FailingSince: p.FailingSince, CreatedAt: p.CreatedAt, ResponsibleID: p.ResponsibleID, HeldAt: p.HeldAt, Secret: secret,
	}
}

func toDelivery(d domain.Delivery) WebhookDelivery {
	return WebhookDelivery{
		ID: d.ID, SubscriptionID: d.SubscriptionID, EventID: d.EventID, EventType: d.EventType, Status: WebhookDeliveryStatus(d.Status),
		Attempts: d.Attempts, CreatedAt: d.CreatedAt, FinishedAt: d.FinishedAt,
	}
}

func toAttempt(a domain.DeliveryAttempt) WebhookAttempt {
	return WebhookAttempt{
		Number: a.Number, At: a.At, Status: a.Status, LatencyMs: int(a.Latency.Milliseconds()), Response: a.Response, Error: a.Error,
	}
}
