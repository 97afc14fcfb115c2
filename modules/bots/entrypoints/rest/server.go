// Package rest serves the calls of bots: it decodes a request, has one use case do it, and encodes the answer.
package rest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// Server implements the generated server interface.
type Server struct {
	Create         usecases.CreateBot
	Update         usecases.UpdateInstruction
	Bots           ports.Bots
	Shelf          ports.Shelf
	Commands       *command.Pipeline
	BotCursors     page.Cursors[ports.BotPosition]
	VersionCursors page.Cursors[ports.VersionPosition]

	FileSteps   FileSteps
	Files       ports.Files
	Bytes       ports.Bytes
	FileCursors page.Cursors[ports.FilePosition]
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) { RegisterHandlers(e, NewStrictHandler(s, nil)) }

const defaultLimit = 20

// CreateBot implements the call.
func (s Server) CreateBot(ctx context.Context, r CreateBotRequestObject) (CreateBotResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := call.From(ctx).Principal
		bot, err := s.Create.Do(ctx, usecases.NewBot{
			WorkspaceID: p.WorkspaceID,
			By:          p.UserID,
			Name:        r.Body.Name,
			Instruction: r.Body.Instruction,
			Settings:    r.Body.Settings,
		})
		location := "/v1/bots/" + bot.ID.String()
		return command.Outcome{
			Answer: CreateBot201JSONResponse{Body: toBot(bot), Headers: CreateBot201ResponseHeaders{Location: &location}}.VisitCreateBotResponse,
			Audit:  change("bot.create", bot, map[string]any{"name": bot.Name}),
		}, err
	})
	return stored{answer}, err
}

// UpdateInstruction implements the call.
func (s Server) UpdateInstruction(ctx context.Context, r UpdateInstructionRequestObject) (UpdateInstructionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, err := s.Update.Do(ctx, usecases.NewInstruction{
			BotID:       r.BotID,
			By:          call.From(ctx).Principal.UserID,
			Instruction: r.Body.Instruction,
			Settings:    r.Body.Settings,
		})
		return command.Outcome{
			Answer: UpdateInstruction200JSONResponse(toBot(bot)).VisitUpdateInstructionResponse,
			Audit:  change("bot.update_instruction", bot, map[string]any{"version": map[string]int{"from": bot.CurrentVersion - 1, "to": bot.CurrentVersion}}),
		}, err
	})
	return stored{answer}, err
}

// GetBot implements the call.
func (s Server) GetBot(ctx context.Context, r GetBotRequestObject) (GetBotResponseObject, error) {
	bot, err := s.Bots.Get(ctx, r.BotID)
	return GetBot200JSONResponse(toBot(bot)), err
}

// ListBots implements the call.
func (s Server) ListBots(ctx context.Context, r ListBotsRequestObject) (ListBotsResponseObject, error) {
	after, err := s.BotCursors.Decode(ctx, "", r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.Shelf.List(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.BotCursors, "", items, more, func(b domain.Bot) ports.BotPosition {
		return ports.BotPosition{At: b.CreatedAt, ID: b.ID}
	})
	return ListBots200JSONResponse{Items: page.Map(items, toSummary), HasMore: more, NextCursor: next}, err
}

// ListVersions implements the call.
func (s Server) ListVersions(ctx context.Context, r ListVersionsRequestObject) (ListVersionsResponseObject, error) {
	filter := r.BotID.String()
	after, err := s.VersionCursors.Decode(ctx, filter, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.Shelf.Versions(ctx, r.BotID, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.VersionCursors, filter, items, more, func(v domain.Version) ports.VersionPosition {
		return ports.VersionPosition{Number: v.Number}
	})
	return ListVersions200JSONResponse{Items: page.Map(items, toVersion), HasMore: more, NextCursor: next}, err
}

// GetVersion implements the call.
func (s Server) GetVersion(ctx context.Context, r GetVersionRequestObject) (GetVersionResponseObject, error) {
	version, err := s.Shelf.Version(ctx, r.BotID, int(r.Version))
	return GetVersion200JSONResponse(toVersion(version)), err
}

// stored answers any changing call with the bytes that the pipeline keeps.
type stored struct{ command.Answer }

func (s stored) VisitCreateBotResponse(w http.ResponseWriter) error         { return s.Write(w) }
func (s stored) VisitUpdateInstructionResponse(w http.ResponseWriter) error { return s.Write(w) }

func change(action string, b domain.Bot, changes map[string]any) audit.Entry {
	return audit.Entry{Action: action, Resource: "bot", ResourceID: b.ID, Changes: changes}
}
