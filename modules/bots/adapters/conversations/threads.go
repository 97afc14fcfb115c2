package conversations

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/conversations"
)

var _ ports.Threads = Threads{}

// Threads are the threads of bots.
type Threads struct{ Face conversations.BotThreads }

// StopTurns ends the turns of a bot that run.
func (t Threads) StopTurns(ctx context.Context, bot uuid.UUID) error {
	return t.Face.StopTurns(ctx, bot)
}

// DeleteSome deletes some threads of a bot.
func (t Threads) DeleteSome(ctx context.Context, bot uuid.UUID) (more bool, err error) {
	return t.Face.DeleteSome(ctx, bot)
}
