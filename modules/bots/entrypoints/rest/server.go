// Package rest serves the calls of bots: it decodes a request, has one use case do it, and encodes the answer.
package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/google/uuid"

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
	Change         usecases.ChangeBot
	RollBack       usecases.RollBackBot
	Publish        usecases.PublishBot
	Compare        usecases.CompareVersions
	Bots           ports.Bots
	Shelf          ports.Shelf
	Commands       *command.Pipeline
	BotCursors     page.Cursors[ports.BotPosition]
	VersionCursors page.Cursors[ports.VersionPosition]
	MoveCursors    page.Cursors[ports.MovePosition]

	FileSteps   FileSteps
	Files       ports.Files
	Bytes       ports.Bytes
	FileCursors page.Cursors[ports.FilePosition]
	// Missing receives each file that was asked for and whose bytes are not in the store.
	Missing func(ctx context.Context, file uuid.UUID)
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
			Answer: CreateBot201JSONResponse{Body: toWritten(bot), Headers: CreateBot201ResponseHeaders{Location: &location, ETag: tag(bot)}}.VisitCreateBotResponse,
			Audit:  change("bot.create", bot, map[string]any{"name": bot.Name}),
		}, err
	})
	return stored{answer}, err
}

// GetBot implements the call.
func (s Server) GetBot(ctx context.Context, r GetBotRequestObject) (GetBotResponseObject, error) {
	bot, err := s.Bots.Get(ctx, r.BotID)
	return GetBot200JSONResponse{Body: toBot(bot), Headers: GetBot200ResponseHeaders{ETag: tag(bot)}}, err
}

// ListBots implements the call.
func (s Server) ListBots(ctx context.Context, r ListBotsRequestObject) (ListBotsResponseObject, error) {
	f := ports.BotFilter{NamePart: r.Params.Q, Status: (*domain.Status)(r.Params.Status)}
	filter, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode the filter: %w", err)
	}
	after, err := s.BotCursors.Decode(ctx, string(filter), r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.Shelf.List(ctx, f, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.BotCursors, string(filter), items, more, func(b domain.Bot) ports.BotPosition {
		return ports.BotPosition{At: b.CreatedAt, ID: b.ID}
	})
	return ListBots200JSONResponse{Items: page.Map(items, toSummary), HasMore: more, NextCursor: next}, err
}

// ChangeBot implements the call.
func (s Server) ChangeBot(ctx context.Context, r ChangeBotRequestObject) (ChangeBotResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, err := s.Change.Do(ctx, usecases.BotChanges{BotID: r.BotID, Name: r.Body.Name, Status: (*domain.Status)(r.Body.Status)})
		changes := map[string]any{}
		if r.Body.Name != nil {
			changes["name"] = bot.Name
		}
		if r.Body.Status != nil {
			changes["status"] = bot.Status
		}
		return command.Outcome{
			Answer: ChangeBot200JSONResponse{Body: toBot(bot), Headers: ChangeBot200ResponseHeaders{ETag: tag(bot)}}.VisitChangeBotResponse,
			Audit:  change("bot.change", bot, changes),
		}, err
	})
	return stored{answer}, err
}

// stored answers any changing call with the bytes that the pipeline keeps.
type stored struct{ command.Answer }

func (s stored) VisitCreateBotResponse(w http.ResponseWriter) error         { return s.Write(w) }
func (s stored) VisitChangeBotResponse(w http.ResponseWriter) error         { return s.Write(w) }
func (s stored) VisitUpdateInstructionResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitRollBackBotResponse(w http.ResponseWriter) error       { return s.Write(w) }
func (s stored) VisitPublishBotResponse(w http.ResponseWriter) error        { return s.Write(w) }

func change(action string, b domain.Bot, changes map[string]any) audit.Entry {
	return audit.Entry{Action: action, Resource: "bot", ResourceID: b.ID, Changes: changes}
}
