package inproc

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/usecases"
)

var _ conversations.BotThreads = BotThreads{}

// BotThreads ends what deleted bots have to do with threads, for the module that deletes bots.
type BotThreads struct{ Delete usecases.DeleteBotThreads }

// StopTurns ends the turns of a bot that run.
func (b BotThreads) StopTurns(ctx context.Context, bot uuid.UUID) error {
	return b.Delete.StopTurns(ctx, bot)
}

// DeleteSome deletes some threads of a bot.
func (b BotThreads) DeleteSome(ctx context.Context, bot uuid.UUID) (more bool, err error) {
	return b.Delete.DeleteSome(ctx, bot)
}
