// Package rest serves the calls of conversations: it decodes a request, calls one use case, and encodes the response.
package rest

import (
	"context"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// Server serves the calls.
type Server struct {
	Create       usecases.CreateThread
	Change       usecases.ChangeThread
	Delete       usecases.DeleteThread
	DeleteMsg    usecases.DeleteMessage
	Rate         usecases.RateMessage
	Take         usecases.TakeTurn
	TryOut       usecases.TryVersion
	Retry        usecases.RetryTurn
	Cancel       usecases.CancelTurn
	Follow       usecases.FollowTurn
	Threads      ports.Threads
	Messages     ports.Messages
	Retrievals   ports.Retrievals
	ToolCalls    ports.ToolCalls
	Decide       usecases.DecideToolCall
	Views        ports.TurnViews
	Models       ports.ModelSettings
	PutModels    usecases.PutModelSettings
	PutKey       usecases.PutModelKey
	TestKey      usecases.TestModelKey
	UsableModels usecases.ListModels
	Commands     *command.Pipeline
	Access       *access.Watcher
	Cursors      page.Key
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) {
	RegisterHandlers(e, NewStrictHandler(s, []StrictMiddlewareFunc{negotiate}))
}

const defaultMessages = 100 // on a page

func (s Server) CreateThread(ctx context.Context, r CreateThreadRequestObject) (CreateThreadResponseObject, error) {
	for field, sent := range map[string]bool{"metadata": r.Body.Metadata != nil, "variables": r.Body.Variables != nil} {
		if err := checkBusiness(ctx, field, sent); err != nil {
			return nil, err
		}
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		var endUser *uuid.UUID
		if p.EndUser != nil {
			endUser = &p.UserID
			if r.Body.BotID == nil {
				r.Body.BotID = &p.EndUser.BotID
			}
		}
		thread, err := s.Create.Do(ctx, usecases.NewThread{
			WorkspaceID: p.WorkspaceID, By: p.UserID, BotID: r.Body.BotID, EndUserID: endUser, Title: r.Body.Title, Metadata: r.Body.Metadata,
			Variables: r.Body.Variables,
		})
		location := "/v1/conversations/threads/" + thread.ID.String()
		return command.Outcome{
			Answer: CreateThread201JSONResponse{
				Body: threadFor(ctx, thread), Headers: CreateThread201ResponseHeaders{Location: &location},
			}.VisitCreateThreadResponse,
			Audit: audit.Entry{
				Action: "thread.create", Resource: "thread", ResourceID: thread.ID, Changes: map[string]any{"bot_id": thread.BotID},
			},
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

func (s Server) GetThread(ctx context.Context, r GetThreadRequestObject) (GetThreadResponseObject, error) {
	thread, err := s.Threads.Get(ctx, r.ThreadID)
	return GetThread200JSONResponse(threadFor(ctx, thread)), err
}
