package usecases

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// UpdateInstruction writes new content of a bot as its next version.
type UpdateInstruction struct {
	Bots      ports.Bots
	Models    ports.Models
	Knowledge ports.Knowledge
	Tools     ports.ToolUses
	Schemas   ports.ToolSchemas
	Events    ports.Events
	Now       func() time.Time
}

// NewInstruction is the input of UpdateInstruction.
type NewInstruction struct {
	BotID, By   uuid.UUID
	Instruction string
	Settings    json.RawMessage // nil: those of the current version
	Note        string
	Hold        bool // the published version stays the same
	Expected    int  // the version that must be current; 0: any
}

// Do writes a new version of the bot. Two calls at the same time write two versions, one after the other.
func (u UpdateInstruction) Do(ctx context.Context, in NewInstruction) (domain.Bot, error) {
	bot, err := lockExpected(ctx, u.Bots, in.BotID, in.Expected)
	if err != nil {
		return domain.Bot{}, err
	}
	var content domain.Content
	if in.Settings == nil {
		content, err = bot.Content.WithInstruction(in.Instruction)
	} else {
		content, err = domain.NewContent(in.Instruction, in.Settings)
	}
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	change, err := bot.Rewrite(content, domain.Edition{By: in.By, At: u.Now(), Note: in.Note, Hold: in.Hold})
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	if in.Settings != nil {
		if err := (settingsCheck{u.Knowledge, u.Tools, u.Schemas}).do(ctx, content); err != nil {
			return domain.Bot{}, err
		}
	}
	if bot.Warnings, err = warnOf(ctx, u.Models, content); err != nil {
		return domain.Bot{}, err
	}
	return bot, save(ctx, u.Bots, u.Events, bot, change)
}

// lockExpected locks a bot whose current version must be the expected one; 0 accepts any version.
func lockExpected(ctx context.Context, bots ports.Bots, id uuid.UUID, expected int) (domain.Bot, error) {
	bot, err := bots.Lock(ctx, id)
	if err != nil {
		return domain.Bot{}, err
	}
	if expected != 0 && bot.CurrentVersion != expected {
		return domain.Bot{}, ports.ErrVersionConflict.With("current_version", bot.CurrentVersion)
	}
	return bot, nil
}

// save stores a bot and publishes the event.
func save(ctx context.Context, bots ports.Bots, events ports.Events, bot domain.Bot, change domain.Change) error {
	if err := bots.Save(ctx, bot, change); err != nil {
		return err
	}
	return events.BotUpdated(ctx, bot)
}
