package usecases

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// UpdateInstruction tells a bot something new, as its next version.
type UpdateInstruction struct {
	Bots   ports.Bots
	Events ports.Events
	Now    func() time.Time
}

// NewInstruction is what UpdateInstruction is asked for.
type NewInstruction struct {
	BotID, By   uuid.UUID
	Instruction string
	Settings    json.RawMessage // nil: those of the current version
}

// Do rewrites the bot. Two at once become two versions, one after the other.
func (u UpdateInstruction) Do(ctx context.Context, in NewInstruction) (domain.Bot, error) {
	bot, err := u.Bots.Lock(ctx, in.BotID)
	if err != nil {
		return domain.Bot{}, err
	}
	settings := in.Settings
	if settings == nil {
		settings = bot.Content.Settings()
	}
	content, err := domain.NewContent(in.Instruction, settings)
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	version, err := bot.Rewrite(content, in.By, u.Now())
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	if err := u.Bots.SaveRewritten(ctx, bot, version); err != nil {
		return bot, err
	}
	return bot, u.Events.BotUpdated(ctx, bot)
}
