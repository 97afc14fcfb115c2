package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// PublishBot chooses the version of a bot that turns use.
type PublishBot struct {
	Bots      ports.Bots
	Reader    ports.BotReader
	Knowledge ports.Knowledge
	Tools     ports.ToolUses
	Events    ports.Events
	Now       func() time.Time
}

// Do publishes the version, and returns the one that was published before.
func (u PublishBot) Do(ctx context.Context, id, by uuid.UUID, version int) (bot domain.Bot, before int, err error) {
	if bot, err = u.Bots.Lock(ctx, id); err != nil {
		return domain.Bot{}, 0, err
	}
	if _, err = u.Reader.Version(ctx, id, version); err != nil {
		return domain.Bot{}, 0, err
	}
	before = bot.PublishedVersion
	change, err := bot.Publish(version, by, u.Now())
	if err != nil {
		return domain.Bot{}, 0, ports.Invalid(err)
	}
	if err := save(ctx, u.Bots, u.Events, bot, change); err != nil {
		return domain.Bot{}, 0, err
	}
	return bot, before, hold(ctx, u.Knowledge, u.Tools, id)
}
