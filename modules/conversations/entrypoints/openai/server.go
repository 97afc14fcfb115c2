// Package openai serves turns in the form of OpenAI's API: a bot is a model. It decodes a request, calls the same use
// case as entrypoints/rest, and encodes the response.
package openai

import (
	"context"
	"fmt"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/callctx"
)

// Server serves the calls.
type Server struct {
	Find    usecases.FindBot
	Take    usecases.TakeTurn
	Follow  usecases.FollowTurn
	Cancel  usecases.CancelTurn
	Attend  usecases.AttendTurn
	Views   ports.TurnViews
	Threads ports.Threads
	Recent  Recent
	Access  *access.Watcher
	Now     func() time.Time
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) {
	RegisterHandlers(e, NewStrictHandler(s, []StrictMiddlewareFunc{s.join}))
}

const maxModels = 1000 // in the list

func (s Server) ListOpenAIModels(ctx context.Context, _ ListOpenAIModelsRequestObject) (ListOpenAIModelsResponseObject, error) {
	bots, err := s.Find.Bots.List(ctx, maxModels)
	if err != nil {
		return nil, err
	}
	list := OpenAIModelList{Object: List, Data: make([]OpenAIModel, len(bots))}
	for i, bot := range bots {
		list.Data[i] = toModel(ctx, bot, nil)
	}
	return ListOpenAIModels200JSONResponse(list), nil
}

func (s Server) GetOpenAIModel(ctx context.Context, r GetOpenAIModelRequestObject) (GetOpenAIModelResponseObject, error) {
	bot, version, err := s.Find.Do(ctx, r.Model)
	if err != nil {
		return nil, err
	}
	return GetOpenAIModel200JSONResponse(toModel(ctx, bot, version)), nil
}

func toModel(ctx context.Context, bot ports.Bot, version *int) OpenAIModel {
	m := OpenAIModel{
		ID: bot.ID.String(), Object: Model, Created: bot.CreatedAt.Unix(), Name: bot.Name,
		OwnedBy: callctx.From(ctx).Principal.WorkspaceID.String(),
	}
	if version != nil {
		m.ID = fmt.Sprintf("%s@%d", bot.ID, *version)
	}
	return m
}
