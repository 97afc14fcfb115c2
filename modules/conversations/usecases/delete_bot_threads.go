package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
)

// DeleteBotThreads ends what a bot that is deleted has to do with threads.
type DeleteBotThreads struct {
	Bots   ports.BotThreads
	Delete DeleteThread
}

// StopTurns ends the turns of a bot that run as cancelled, without an answer, in the transaction of the context.
func (u DeleteBotThreads) StopTurns(ctx context.Context, bot uuid.UUID) error {
	running, err := u.Bots.LockTurns(ctx, bot)
	if err != nil {
		return err
	}
	for _, r := range running {
		if err := u.Delete.Discard.Do(ctx, r.ThreadID, r.TurnID); err != nil {
			return err
		}
	}
	return nil
}

const threadsAtOnce = 20 // that are deleted by one call

// DeleteSome deletes some threads of a bot, each in a transaction of its own, and reports whether there are more.
func (u DeleteBotThreads) DeleteSome(ctx context.Context, bot uuid.UUID) (more bool, err error) {
	threads, err := u.Bots.Next(ctx, bot, threadsAtOnce)
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		err := u.Bots.InTransaction(ctx, func(ctx context.Context) error { return u.Delete.Do(ctx, thread) })
		if err != nil && !errors.Is(err, ports.ErrThreadNotFound) { // another call has deleted it
			return false, err
		}
	}
	return len(threads) == threadsAtOnce, nil
}
