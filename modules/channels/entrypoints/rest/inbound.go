package rest

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/modules/channels/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/work/webhook"
)

const defaultOverlap = 24 * time.Hour

func (s Server) CreateWebhookEndpoint(ctx context.Context, r CreateWebhookEndpointRequestObject) (CreateWebhookEndpointResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		e, secret, err := s.CreateEndpoint.Do(ctx, usecases.NewEndpoint{
			Name: r.Body.Name, BotID: r.Body.BotID, By: callctx.From(ctx).Principal.UserID, OnArchived: (*domain.ArchivedRule)(r.Body.OnArchived),
		})
		location := "/v1/webhook-endpoints/" + e.ID.String()
		return command.Outcome{
			Answer: CreateWebhookEndpoint201JSONResponse{
				Body: withSecret(e, secret), Headers: CreateWebhookEndpoint201ResponseHeaders{Location: &location},
			}.VisitCreateWebhookEndpointResponse,
			Secret: true,
			Audit:  endpointChange("create", e, map[string]any{"name": e.Name, "bot_id": e.BotID}),
		}, err
	})
	return stored{answer}, err
}

func (s Server) ChangeWebhookEndpoint(ctx context.Context, r ChangeWebhookEndpointRequestObject) (ChangeWebhookEndpointResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		e, err := s.ChangeEndpoint.Do(ctx, r.EndpointID, usecases.EndpointChanges{
			Name: r.Body.Name, BotID: r.Body.BotID, Status: (*domain.EndpointStatus)(r.Body.Status),
			OnArchived: (*domain.ArchivedRule)(r.Body.OnArchived),
		})
		return command.Outcome{
			Answer: ChangeWebhookEndpoint200JSONResponse(toEndpoint(e)).VisitChangeWebhookEndpointResponse,
			Audit:  endpointChange("change", e, r.Body),
		}, err
	})
	return stored{answer}, err
}

func (s Server) RotateWebhookEndpointSecret(ctx context.Context, r RotateWebhookEndpointSecretRequestObject) (RotateWebhookEndpointSecretResponseObject, error) {
	overlap := overlapOf(r.Body)
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		e, secret, err := s.ChangeEndpoint.Rotate(ctx, r.EndpointID, overlap)
		return command.Outcome{
			Answer: RotateWebhookEndpointSecret200JSONResponse(withSecret(e, secret)).VisitRotateWebhookEndpointSecretResponse,
			Secret: true,
			Audit:  endpointChange("rotate_secret", e, map[string]any{"overlap_seconds": overlap.Seconds()}),
		}, err
	})
	return stored{answer}, err
}

func overlapOf(body *RotateSecretRequest) time.Duration {
	if body == nil || body.OverlapSeconds == nil {
		return defaultOverlap
	}
	return time.Duration(*body.OverlapSeconds) * time.Second
}

func (s Server) DeleteWebhookEndpoint(ctx context.Context, r DeleteWebhookEndpointRequestObject) (DeleteWebhookEndpointResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		err := s.Endpoints.Delete(ctx, r.EndpointID)
		return command.Outcome{
			Answer: DeleteWebhookEndpoint204Response{}.VisitDeleteWebhookEndpointResponse,
			Audit:  endpointChange("delete", domain.Endpoint{ID: r.EndpointID}, nil),
		}, err
	})
	return stored{answer}, err
}

// AdoptWebhookEndpoint makes the caller responsible for an endpoint.
func (s Server) AdoptWebhookEndpoint(ctx context.Context, r AdoptWebhookEndpointRequestObject) (AdoptWebhookEndpointResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		e, err := s.Endpoints.Adopt(ctx, r.EndpointID, callctx.From(ctx).Principal.UserID)
		return command.Outcome{
			Answer: AdoptWebhookEndpoint200JSONResponse(toEndpoint(e)).VisitAdoptWebhookEndpointResponse,
			Audit:  endpointChange("adopt", e, map[string]any{"name": e.Name}),
		}, err
	})
	return stored{answer}, err
}

func (s Server) GetWebhookEndpoint(ctx context.Context, r GetWebhookEndpointRequestObject) (GetWebhookEndpointResponseObject, error) {
	e, err := s.Received.Endpoint(ctx, r.EndpointID)
	return GetWebhookEndpoint200JSONResponse(toEndpoint(e)), err
}

// ListWebhookEndpoints lists the webhook endpoints of the workspace, newest first.
func (s Server) ListWebhookEndpoints(ctx context.Context, r ListWebhookEndpointsRequestObject) (ListWebhookEndpointsResponseObject, error) {
	p, err := page.List[domain.Endpoint, ports.IDPosition]{
		Name: "webhook endpoints", Read: s.Received.Endpoints,
		Position: func(e domain.Endpoint) ports.IDPosition { return ports.IDPosition{ID: e.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListWebhookEndpoints200JSONResponse{Items: page.Map(p.Items, toEndpoint), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func (s Server) ReceiveWebhook(ctx context.Context, r ReceiveWebhookRequestObject) (ReceiveWebhookResponseObject, error) {
	body, err := io.ReadAll(r.Body) // the gateway limits its size
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	receipt, err := s.Receive.Do(ctx, r.EndpointID, ports.Signed{Headers: signatureOf(r.Params), Body: body})
	return ReceiveWebhook200JSONResponse{EventID: receipt.EventID, Duplicate: receipt.Duplicate}, err
}

// signatureOf returns the headers that identify the sender of an event.
func signatureOf(p ReceiveWebhookParams) map[string]string {
	sent := map[string]string{}
	for name, value := range map[string]*string{
		webhook.HeaderID: p.WebhookID, webhook.HeaderTimestamp: p.WebhookTimestamp, webhook.HeaderSignature: p.WebhookSignature,
		webhook.SvixID: p.SvixID, webhook.SvixTimestamp: p.SvixTimestamp, webhook.SvixSignature: p.SvixSignature,
	} {
		if value != nil {
			sent[name] = *value
		}
	}
	return sent
}

// ListWebhookEvents lists the events that the endpoints have received, newest first.
func (s Server) ListWebhookEvents(ctx context.Context, r ListWebhookEventsRequestObject) (ListWebhookEventsResponseObject, error) {
	f := ports.EventFilter{EndpointID: r.Params.EndpointID, Status: (*string)(r.Params.Status)}
	p, err := page.List[domain.InboundEvent, ports.IDPosition]{
		Name: "webhook events", Filter: f,
		Position: func(e domain.InboundEvent) ports.IDPosition { return ports.IDPosition{ID: e.ID} },
		Read: func(ctx context.Context, before *ports.IDPosition, limit int) ([]domain.InboundEvent, error) {
			return s.Received.Events(ctx, f, before, limit)
		},
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListWebhookEvents200JSONResponse{Items: page.Map(p.Items, toEvent), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func (s Server) GetWebhookEvent(ctx context.Context, r GetWebhookEventRequestObject) (GetWebhookEventResponseObject, error) {
	e, err := s.Received.Event(ctx, r.EventID)
	return GetWebhookEvent200JSONResponse{
		ID: e.ID, EndpointID: e.EndpointID, WebhookID: e.SenderID, Type: e.Type, Status: WebhookEventStatus(e.Status),
		ConversationID: e.ConversationID, ThreadID: e.ThreadID, TurnID: e.TurnID, OperationID: e.OperationID,
		ReceivedAt: e.ReceivedAt, ProcessedAt: e.ProcessedAt, Payload: e.Payload,
	}, err
}

func endpointChange(verb string, e domain.Endpoint, changes any) audit.Entry {
	return audit.Entry{Action: "webhook_endpoint." + verb, Resource: "webhook_endpoint", ResourceID: e.ID, Changes: changes}
}

func toEndpoint(e domain.Endpoint) WebhookEndpoint {
	return WebhookEndpoint{
		ID: e.ID, Name: e.Name, BotID: e.BotID, Status: WebhookStatus(e.Status), Path: "/v1/webhooks/" + e.ID.String(), CreatedAt: e.CreatedAt,
		OnArchived: ArchivedRule(e.OnArchived), ResponsibleID: e.ResponsibleID,
	}
}

func withSecret(e domain.Endpoint, secret string) WebhookEndpointWithSecret {
	p := toEndpoint(e)
	return WebhookEndpointWithSecret{
		ID: p.ID, Name: p.Name, BotID: p.BotID, Status: p.Status, Path: p.Path, CreatedAt: p.CreatedAt, OnArchived: p.OnArchived,
		ResponsibleID: p.ResponsibleID, Secret: secret,
	}
}

func toEvent(e domain.InboundEvent) WebhookEvent {
	return WebhookEvent{
		ID: e.ID, EndpointID: e.EndpointID, WebhookID: e.SenderID, Type: e.Type, Status: WebhookEventStatus(e.Status),
		ConversationID: e.ConversationID, ThreadID: e.ThreadID, TurnID: e.TurnID, OperationID: e.OperationID,
		ReceivedAt: e.ReceivedAt, ProcessedAt: e.ProcessedAt,
	}
}
