// Package rest serves the calls of conversations: it decodes a request, has one use case do it, and encodes the answer.
package rest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/events"
	"github.com/parley/parley/platform/page"
)

// Server implements the generated server interface.
type Server struct {
	Create         usecases.CreateThread
	Turn           usecases.TakeTurn
	Cancel         usecases.CancelTurn
	Follow         usecases.FollowTurn
	Threads        ports.Threads
	Records        ports.Records
	Pieces         ports.Pieces
	Live           ports.Live
	Room           ports.Room
	CreateEndpoint usecases.CreateEndpoint
	ChangeEndpoint usecases.ChangeEndpoint
	Receive        usecases.ReceiveEvent
	Endpoints      ports.Endpoints
	Channels       ports.Channels
	Subscriptions  *events.Subscriptions
	Commands       *command.Pipeline

	ThreadCursors       page.Cursors[ports.ThreadPosition]
	MessageCursors      page.Cursors[ports.MessagePosition]
	TurnCursors         page.Cursors[ports.MessagePosition]
	EndpointCursors     page.Cursors[ports.IDPosition]
	EventCursors        page.Cursors[ports.IDPosition]
	SubscriptionCursors page.Cursors[ports.IDPosition]
	DeliveryCursors     page.Cursors[ports.IDPosition]
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) {
	RegisterHandlers(e, NewStrictHandler(s, []StrictMiddlewareFunc{negotiate}))
}

const (
	defaultThreads  = 20
	defaultMessages = 100
)

// CreateThread implements the call.
func (s Server) CreateThread(ctx context.Context, r CreateThreadRequestObject) (CreateThreadResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := call.From(ctx).Principal
		thread, err := s.Create.Do(ctx, usecases.NewThread{WorkspaceID: p.WorkspaceID, By: p.UserID, BotID: r.Body.BotID})
		location := "/v1/conversations/threads/" + thread.ID.String()
		return command.Outcome{
			Answer: CreateThread201JSONResponse{
				Body: toThread(thread), Headers: CreateThread201ResponseHeaders{Location: &location},
			}.VisitCreateThreadResponse,
			Audit: audit.Entry{
				Action: "thread.create", Resource: "thread", ResourceID: thread.ID, Changes: map[string]any{"bot_id": thread.BotID},
			},
		}, err
	})
	return stored{answer}, err
}

// GetThread implements the call.
func (s Server) GetThread(ctx context.Context, r GetThreadRequestObject) (GetThreadResponseObject, error) {
	thread, err := s.Threads.Get(ctx, r.ThreadID)
	return GetThread200JSONResponse(toThread(thread)), err
}

// ListThreads implements the call.
func (s Server) ListThreads(ctx context.Context, r ListThreadsRequestObject) (ListThreadsResponseObject, error) {
	after, err := s.ThreadCursors.Decode(ctx, "", r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultThreads)
	rows, err := s.Threads.List(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.ThreadCursors, "", items, more, func(t domain.Thread) ports.ThreadPosition {
		return ports.ThreadPosition{At: t.CreatedAt, ID: t.ID}
	})
	return ListThreads200JSONResponse{Items: page.Map(items, toThread), HasMore: more, NextCursor: next}, err
}

// ListMessages implements the call.
func (s Server) ListMessages(ctx context.Context, r ListMessagesRequestObject) (ListMessagesResponseObject, error) {
	filter := r.ThreadID.String()
	after, err := s.MessageCursors.Decode(ctx, filter, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultMessages)
	rows, err := s.Threads.Messages(ctx, r.ThreadID, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.MessageCursors, filter, items, more, func(m domain.Message) ports.MessagePosition {
		return ports.MessagePosition{Seq: m.Seq}
	})
	return ListMessages200JSONResponse{Items: page.Map(items, toMessage), HasMore: more, NextCursor: next}, err
}

// stored answers any changing call with the bytes that the pipeline keeps.
type stored struct{ command.Answer }

func (s stored) VisitCreateThreadResponse(w http.ResponseWriter) error          { return s.Write(w) }
func (s stored) VisitTakeTurnResponse(w http.ResponseWriter) error              { return s.Write(w) }
func (s stored) VisitCancelTurnResponse(w http.ResponseWriter) error            { return s.Write(w) }
func (s stored) VisitRetryTurnResponse(w http.ResponseWriter) error             { return s.Write(w) }
func (s stored) VisitCreateWebhookEndpointResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitChangeWebhookEndpointResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitRotateWebhookEndpointSecretResponse(w http.ResponseWriter) error {
	return s.Write(w)
}
func (s stored) VisitDeleteWebhookEndpointResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitCreateWebhookSubscriptionResponse(w http.ResponseWriter) error {
	return s.Write(w)
}
func (s stored) VisitChangeWebhookSubscriptionResponse(w http.ResponseWriter) error {
	return s.Write(w)
}
func (s stored) VisitRotateWebhookSubscriptionSecretResponse(w http.ResponseWriter) error {
	return s.Write(w)
}
func (s stored) VisitDeleteWebhookSubscriptionResponse(w http.ResponseWriter) error {
	return s.Write(w)
}
func (s stored) VisitPingWebhookSubscriptionResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitRetryWebhookDeliveryResponse(w http.ResponseWriter) error    { return s.Write(w) }
