package rest

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// UpdateInstruction implements the call.
func (s Server) UpdateInstruction(ctx context.Context, r UpdateInstructionRequestObject) (UpdateInstructionResponseObject, error) {
	version, err := expected(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, err := s.Update.Do(ctx, usecases.NewInstruction{
			BotID:       r.BotID,
			By:          call.From(ctx).Principal.UserID,
			Instruction: r.Body.Instruction,
			Settings:    r.Body.Settings,
			Note:        r.Body.Note,
			Hold:        r.Body.Publish != nil && !*r.Body.Publish,
			Expected:    version,
		})
		changes := map[string]any{"version": step(bot.CurrentVersion-1, bot.CurrentVersion)}
		if bot.PublishedVersion != bot.CurrentVersion {
			changes["published"] = false
		}
		return command.Outcome{
			Answer: UpdateInstruction200JSONResponse{
				Body: toWritten(bot), Headers: UpdateInstruction200ResponseHeaders{ETag: tag(bot)},
			}.VisitUpdateInstructionResponse,
			Audit: change("bot.update_instruction", bot, changes),
		}, err
	})
	return stored{answer}, err
}

// RollBackBot implements the call.
func (s Server) RollBackBot(ctx context.Context, r RollBackBotRequestObject) (RollBackBotResponseObject, error) {
	version, err := expected(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, err := s.RollBack.Do(ctx, usecases.OldVersion{
			BotID: r.BotID, By: call.From(ctx).Principal.UserID, Version: int(r.Body.Version), Note: r.Body.Note, Expected: version,
		})
		return command.Outcome{
			Answer: RollBackBot200JSONResponse{Body: toWritten(bot), Headers: RollBackBot200ResponseHeaders{ETag: tag(bot)}}.VisitRollBackBotResponse,
			Audit: change("bot.roll_back", bot, map[string]any{
				"version": step(bot.CurrentVersion-1, bot.CurrentVersion), "content_of": r.Body.Version,
			}),
		}, err
	})
	return stored{answer}, err
}

// PublishBot implements the call.
func (s Server) PublishBot(ctx context.Context, r PublishBotRequestObject) (PublishBotResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, before, err := s.Publish.Do(ctx, r.BotID, call.From(ctx).Principal.UserID, int(r.Body.Version))
		return command.Outcome{
			Answer: PublishBot200JSONResponse{Body: toBot(bot), Headers: PublishBot200ResponseHeaders{ETag: tag(bot)}}.VisitPublishBotResponse,
			Audit:  change("bot.publish", bot, map[string]any{"published_version": step(before, bot.PublishedVersion)}),
		}, err
	})
	return stored{answer}, err
}

func step(from, to int) map[string]int { return map[string]int{"from": from, "to": to} }

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
	rows, more := page.CutBytes(rows, limit, func(v domain.Version) int { return len(v.Content.Instruction()) + len(v.Content.Settings()) })
	items := make([]BotVersion, len(rows))
	for i, row := range rows {
		if items[i], err = s.toVersion(row); err != nil {
			return nil, err
		}
	}
	next, err := page.Next(ctx, s.VersionCursors, filter, rows, more, func(v domain.Version) ports.VersionPosition {
		return ports.VersionPosition{Number: v.Number}
	})
	return ListVersions200JSONResponse{Items: items, HasMore: more, NextCursor: next}, err
}

// GetVersion implements the call.
func (s Server) GetVersion(ctx context.Context, r GetVersionRequestObject) (GetVersionResponseObject, error) {
	row, err := s.Shelf.Version(ctx, r.BotID, int(r.Version))
	if err != nil {
		return nil, err
	}
	version, err := s.toVersion(row)
	return GetVersion200JSONResponse(version), err
}

// DiffVersions implements the call.
func (s Server) DiffVersions(ctx context.Context, r DiffVersionsRequestObject) (DiffVersionsResponseObject, error) {
	d, err := s.Compare.Do(ctx, r.BotID, int(r.A), int(r.B))
	return DiffVersions200JSONResponse{BotID: r.BotID, A: r.A, B: r.B, Instruction: d.Instruction, Settings: d.Settings}, err
}

// ListMoves implements the call.
func (s Server) ListMoves(ctx context.Context, r ListMovesRequestObject) (ListMovesResponseObject, error) {
	filter := r.BotID.String()
	after, err := s.MoveCursors.Decode(ctx, filter, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.Shelf.Moves(ctx, r.BotID, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.MoveCursors, filter, items, more, func(m domain.Move) ports.MovePosition {
		return ports.MovePosition{Number: m.Number}
	})
	return ListMoves200JSONResponse{Items: page.Map(items, toMove), HasMore: more, NextCursor: next}, err
}
