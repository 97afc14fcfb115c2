// Package rest serves the calls of conversations: it decodes a request, calls one use case, and encodes the response.
package rest

import (
	"context"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/access"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/events"
	"github.com/parley/parley/platform/page"
)

// Server serves the calls.
type Server struct {
	Create         usecases.CreateThread
	Change         usecases.ChangeThread
	Rate           usecases.RateMessage
	Take           usecases.TakeTurn
	Retry          usecases.RetryTurn
	Cancel         usecases.CancelTurn
	Follow         usecases.FollowTurn
	Threads        ports.Threads
	Views          ports.TurnViews
	CreateEndpoint usecases.CreateEndpoint
	ChangeEndpoint usecases.ChangeEndpoint
	Receive        usecases.ReceiveEvent
	Endpoints      ports.Endpoints
	Adopter        ports.Adopter
	Channels       ports.Channels
	Models         ports.ModelSettings
	PutModels      usecases.PutModelSettings
	PutKey         usecases.PutModelKey
	TestKey        usecases.TestModelKey
	UsableModels   usecases.ListModels
	Subscriptions  *events.Subscriptions
	Commands       *command.Pipeline
	Access         *access.Watcher
	Cursors        page.Key
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) {
	RegisterHandlers(e, NewStrictHandler(s, []StrictMiddlewareFunc{negotiate}))
}

const defaultMessages = 100 // on a page

func (s Server) CreateThread(ctx context.Context, r CreateThreadRequestObject) (CreateThreadResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := call.From(ctx).Principal
		thread, err := s.Create.Do(ctx, usecases.NewThread{
			WorkspaceID: p.WorkspaceID, By: p.UserID, BotID: r.Body.BotID, Title: r.Body.Title, Metadata: r.Body.Metadata,
		})
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

func (s Server) GetThread(ctx context.Context, r GetThreadRequestObject) (GetThreadResponseObject, error) {
	thread, err := s.Threads.Get(ctx, r.ThreadID)
	return GetThread200JSONResponse(toThread(thread)), err
}
