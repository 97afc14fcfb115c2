package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// RollBackBot writes the content of an old version as the next one.
type RollBackBot struct {
	Bots      ports.Bots
	Reader    ports.BotReader
	Models    ports.Models
	Knowledge ports.Knowledge
	Tools     ports.ToolUses
	Events    ports.Events
	Now       func() time.Time
}

// OldVersion is the input of RollBackBot.
type OldVersion struct {
	BotID, By uuid.UUID
	Version   int
	Note      string
	Expected  int // the version that must be current; 0: any
}

// Do writes the version and publishes it.
func (u RollBackBot) Do(ctx context.Context, in OldVersion) (domain.Bot, error) {
	bot, err := lockExpected(ctx, u.Bots, in.BotID, in.Expected)
	if err != nil {
		return domain.Bot{}, err
	}
	old, err := u.Reader.Version(ctx, in.BotID, in.Version)
	if err != nil {
		return domain.Bot{}, err
	}
	change, err := bot.RollBack(old, domain.Edition{By: in.By, At: u.Now(), Note: in.Note})
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	if bot.Warnings, err = warnOf(ctx, u.Models, old.Content); err != nil {
		return domain.Bot{}, err
	}
	if err := save(ctx, u.Bots, u.Events, bot, change); err != nil {
		return domain.Bot{}, err
	}
	return bot, hold(ctx, u.Knowledge, u.Tools, in.BotID)
}
