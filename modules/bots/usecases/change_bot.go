package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// ChangeBot changes what of a bot has no versions.
type ChangeBot struct {
	Bots   ports.Bots
	Events ports.Events
	Now    func() time.Time
}

// BotChanges is what ChangeBot is asked for; what is nil stays.
type BotChanges struct {
	BotID  uuid.UUID
	Name   *string
	Status *domain.Status
}

// Do renames the bot, activates or archives it. To activate an archived bot fails with LIMIT_REACHED where the workspace may
// not have one more.
func (u ChangeBot) Do(ctx context.Context, in BotChanges) (domain.Bot, error) {
	bot, err := u.Bots.Lock(ctx, in.BotID)
	if err != nil {
		return domain.Bot{}, err
	}
	if in.Name != nil {
		if err := bot.Rename(*in.Name, u.Now()); err != nil {
			return domain.Bot{}, ports.Invalid(err)
		}
	}
	var change domain.Change
	if in.Status != nil {
		if change, err = bot.Settle(*in.Status, u.Now()); err != nil {
			return domain.Bot{}, ports.Invalid(err)
		}
	}
	return bot, save(ctx, u.Bots, u.Events, bot, change)
}
