// Package usecases has the use cases of bots, one file each.
package usecases

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// CreateBot creates a bot.
type CreateBot struct {
	Bots      ports.Bots
	Models    ports.Models
	Knowledge ports.Knowledge
	Tools     ports.ToolUses
	Schemas   ports.ToolSchemas
	Now       func() time.Time
}

// NewBot is the input of CreateBot.
type NewBot struct {
	WorkspaceID, By uuid.UUID
	Attributes      domain.Attributes
	Instruction     string
	Settings        json.RawMessage // nil: none
}

// Do creates the bot in version 1.
func (u CreateBot) Do(ctx context.Context, in NewBot) (domain.Bot, error) {
	content, err := domain.NewContent(in.Instruction, in.Settings)
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	bot, err := domain.NewBot(in.WorkspaceID, in.By, in.Attributes, content, u.Now())
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	if err := (settingsCheck{u.Knowledge, u.Tools, u.Schemas}).do(ctx, content); err != nil {
		return domain.Bot{}, err
	}
	if bot.Warnings, err = warnOf(ctx, u.Models, content); err != nil {
		return domain.Bot{}, err
	}
	return bot, u.Bots.Create(ctx, bot)
}
