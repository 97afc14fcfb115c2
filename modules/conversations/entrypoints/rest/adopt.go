package rest

import (
	"context"

	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
)

// AdoptWebhookEndpoint makes the caller responsible for an endpoint.
func (s Server) AdoptWebhookEndpoint(ctx context.Context, r AdoptWebhookEndpointRequestObject) (AdoptWebhookEndpointResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		e, err := s.Adopter.Adopt(ctx, r.EndpointID, call.From(ctx).Principal.UserID)
		return command.Outcome{
			Answer: AdoptWebhookEndpoint200JSONResponse(toEndpoint(e)).VisitAdoptWebhookEndpointResponse,
			Audit:  endpointChange("adopt", e, map[string]any{"name": e.Name}),
		}, err
	})
	return stored{answer}, err
}

// AdoptWebhookSubscription makes the caller responsible for a subscription.
func (s Server) AdoptWebhookSubscription(ctx context.Context, r AdoptWebhookSubscriptionRequestObject) (AdoptWebhookSubscriptionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		sub, err := s.Subscriptions.Adopt(ctx, r.SubscriptionID)
		return command.Outcome{
			Answer: AdoptWebhookSubscription200JSONResponse(toSubscription(sub)).VisitAdoptWebhookSubscriptionResponse,
			Audit:  subscriptionChange("adopt", r.SubscriptionID, map[string]any{"url": sub.URL}),
		}, err
	})
	return stored{answer}, err
}
