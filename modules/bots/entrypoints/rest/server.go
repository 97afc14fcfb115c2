// Package rest serves the calls of bots: it decodes a request, calls one use case, and encodes the answer.
package rest

import (
	"context"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// Server serves the calls of bots. It has the methods of the generated StrictServerInterface.
type Server struct {
	Create   usecases.CreateBot
	Update   usecases.UpdateInstruction
	Change   usecases.ChangeBot
	Delete   usecases.DeleteBot
	RollBack usecases.RollBackBot
	Publish  usecases.PublishBot
	Compare  usecases.CompareVersions
	Version  usecases.GetVersion
	Versions usecases.ListVersions
	Bots     ports.Bots
	Reader   ports.BotReader
	Tools    Tools
	Commands *command.Pipeline
	Cursors  page.Key
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) { RegisterHandlers(e, NewStrictHandler(s, nil)) }

// CreateBot creates a bot with the first version of its instruction.
func (s Server) CreateBot(ctx context.Context, r CreateBotRequestObject) (CreateBotResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		bot, err := s.Create.Do(ctx, usecases.NewBot{
			WorkspaceID: p.WorkspaceID,
			By:          p.UserID,
			Attributes:  toAttributes(*r.Body),
			Instruction: r.Body.Instruction,
			Settings:    r.Body.Settings,
		})
		location := "/v1/bots/" + bot.ID.String()
		return command.Outcome{
			Answer:   CreateBot201JSONResponse{Body: toWritten(bot), Headers: CreateBot201ResponseHeaders{Location: &location, ETag: tag(bot)}}.VisitCreateBotResponse,
			Audit:    change("bot.create", bot, created(bot)),
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// GetBot returns a bot.
func (s Server) GetBot(ctx context.Context, r GetBotRequestObject) (GetBotResponseObject, error) {
	bot, err := s.Bots.Get(ctx, r.BotID)
	return GetBot200JSONResponse{Body: toBot(bot), Headers: GetBot200ResponseHeaders{ETag: tag(bot)}}, err
}

// ListBots lists the bots of the workspace, newest first.
func (s Server) ListBots(ctx context.Context, r ListBotsRequestObject) (ListBotsResponseObject, error) {
	f := ports.BotFilter{NamePart: r.Params.Q, Status: (*domain.Status)(r.Params.Status)}
	p, err := page.List[domain.Bot, ports.BotPosition]{
		Name: "bots", Filter: f,
		Read: func(ctx context.Context, after *ports.BotPosition, limit int) ([]domain.Bot, error) {
			return s.Reader.List(ctx, f, after, limit)
		},
		Position: func(b domain.Bot) ports.BotPosition { return ports.BotPosition{At: b.CreatedAt, ID: b.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListBots200JSONResponse{Items: page.Map(p.Items, toSummary), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// ChangeBot changes a bot's name or status.
func (s Server) ChangeBot(ctx context.Context, r ChangeBotRequestObject) (ChangeBotResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		changes := toChanges(*r.Body)
		bot, err := s.Change.Do(ctx, r.BotID, changes)
		return command.Outcome{
			Answer:   ChangeBot200JSONResponse{Body: toBot(bot), Headers: ChangeBot200ResponseHeaders{ETag: tag(bot)}}.VisitChangeBotResponse,
			Audit:    change("bot.change", bot, changed(changes)),
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// DeleteBot deletes a bot with all its versions.
func (s Server) DeleteBot(ctx context.Context, r DeleteBotRequestObject) (DeleteBotResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		threads := r.Params.Threads != nil && *r.Params.Threads
		bot, err := s.Delete.Do(ctx, r.BotID, threads)
		return command.Outcome{
			Answer: DeleteBot204Response{}.VisitDeleteBotResponse,
			Audit:  change("bot.delete", bot, map[string]any{"threads": threads, "versions": bot.CurrentVersion}),
		}, err
	})
	return stored{answer}, err
}

func change(action string, b domain.Bot, changes map[string]any) audit.Entry {
	return audit.Entry{Action: action, Resource: "bot", ResourceID: b.ID, Changes: changes}
}
