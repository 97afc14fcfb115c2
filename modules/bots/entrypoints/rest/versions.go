package rest

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// UpdateInstruction writes a new version of a bot.
func (s Server) UpdateInstruction(ctx context.Context, r UpdateInstructionRequestObject) (UpdateInstructionResponseObject, error) {
	version, err := expected(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, err := s.Update.Do(ctx, usecases.NewInstruction{
			BotID:       r.BotID,
			By:          callctx.From(ctx).Principal.UserID,
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
			Audit:    change("bot.update_instruction", bot, changes),
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// RollBackBot makes an old version the newest again.
func (s Server) RollBackBot(ctx context.Context, r RollBackBotRequestObject) (RollBackBotResponseObject, error) {
	version, err := expected(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, err := s.RollBack.Do(ctx, usecases.OldVersion{
			BotID: r.BotID, By: callctx.From(ctx).Principal.UserID, Version: int(r.Body.Version), Note: r.Body.Note, Expected: version,
		})
		return command.Outcome{
			Answer:   RollBackBot200JSONResponse{Body: toWritten(bot), Headers: RollBackBot200ResponseHeaders{ETag: tag(bot)}}.VisitRollBackBotResponse,
			Erasable: true,
			Audit: change("bot.roll_back", bot, map[string]any{
				"version": step(bot.CurrentVersion-1, bot.CurrentVersion), "content_of": r.Body.Version,
			}),
		}, err
	})
	return stored{answer}, err
}

// PublishBot chooses the version that new threads answer with.
func (s Server) PublishBot(ctx context.Context, r PublishBotRequestObject) (PublishBotResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		bot, before, err := s.Publish.Do(ctx, r.BotID, callctx.From(ctx).Principal.UserID, int(r.Body.Version))
		return command.Outcome{
			Answer:   PublishBot200JSONResponse{Body: toBot(bot), Headers: PublishBot200ResponseHeaders{ETag: tag(bot)}}.VisitPublishBotResponse,
			Audit:    change("bot.publish", bot, map[string]any{"published_version": step(before, bot.PublishedVersion)}),
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

func step(from, to int) map[string]int { return map[string]int{"from": from, "to": to} }

// ListVersions lists the versions of a bot, newest first.
func (s Server) ListVersions(ctx context.Context, r ListVersionsRequestObject) (ListVersionsResponseObject, error) {
	p, err := page.List[usecases.HashedVersion, ports.VersionPosition]{
		Name: "bot versions", Filter: r.BotID.String(),
		Read: func(ctx context.Context, after *ports.VersionPosition, limit int) ([]usecases.HashedVersion, error) {
			return s.Versions.Do(ctx, r.BotID, after, limit)
		},
		Position: func(v usecases.HashedVersion) ports.VersionPosition { return ports.VersionPosition{Number: v.Number} },
		Size:     func(v usecases.HashedVersion) int { return len(v.Content.Instruction()) + len(v.Content.Settings()) },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListVersions200JSONResponse{Items: page.Map(p.Items, toVersion), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// GetVersion returns a version of a bot.
func (s Server) GetVersion(ctx context.Context, r GetVersionRequestObject) (GetVersionResponseObject, error) {
	version, err := s.Version.Do(ctx, r.BotID, int(r.Version))
	return GetVersion200JSONResponse(toVersion(version)), err
}

// DiffVersions compares two versions of a bot.
func (s Server) DiffVersions(ctx context.Context, r DiffVersionsRequestObject) (DiffVersionsResponseObject, error) {
	d, err := s.Compare.Do(ctx, r.BotID, int(r.A), int(r.B))
	return DiffVersions200JSONResponse{BotID: r.BotID, A: r.A, B: r.B, Instruction: d.Instruction, Settings: d.Settings}, err
}

// ListMoves lists the changes of a bot's version pointers, newest first.
func (s Server) ListMoves(ctx context.Context, r ListMovesRequestObject) (ListMovesResponseObject, error) {
	p, err := page.List[domain.PointerChange, ports.PointerChangePosition]{
		Name: "bot moves", Filter: r.BotID.String(),
		Read: func(ctx context.Context, after *ports.PointerChangePosition, limit int) ([]domain.PointerChange, error) {
			return s.Reader.PointerChanges(ctx, r.BotID, after, limit)
		},
		Position: func(c domain.PointerChange) ports.PointerChangePosition {
			return ports.PointerChangePosition{Number: c.Number}
		},
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListMoves200JSONResponse{Items: page.Map(p.Items, toPointerMove), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}
