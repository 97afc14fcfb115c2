package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// ChangeBot changes the fields of a bot that have no versions.
type ChangeBot struct {
	Bots      ports.Bots
	Knowledge ports.Knowledge
	Tools     ports.ToolUses
	Events    ports.Events
	Now       func() time.Time
}

// Do renames, activates or archives the bot. Activating an archived bot fails with LIMIT_REACHED where the workspace
// may not have one more.
func (u ChangeBot) Do(ctx context.Context, id uuid.UUID, changes domain.Changes) (domain.Bot, error) {
	bot, err := u.Bots.Lock(ctx, id)
	if err != nil {
		return domain.Bot{}, err
	}
	change, err := bot.Change(changes, u.Now())
	if err != nil {
		return domain.Bot{}, ports.Invalid(err)
	}
	if err := save(ctx, u.Bots, u.Events, bot, change); err != nil || !change.Unarchived {
		return bot, err
	}
	return bot, hold(ctx, u.Knowledge, u.Tools, id)
}
