package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
)

// DeleteOwnedThreads deletes the threads of an end user with everything that was said in them. Turns that run are stopped, and nothing more is
// stored of them.
type DeleteOwnedThreads struct {
	Threads ports.OwnedThreads
	Discard DiscardTurn
}

// Do deletes the threads in the transaction of the context, in which no thread of the end user can be made any more.
func (u DeleteOwnedThreads) Do(ctx context.Context, owner uuid.UUID) error {
	threads, running, err := u.Threads.Lock(ctx, owner)
	if err != nil {
		return err
	}
	for _, r := range running {
		if err := u.Discard.Do(ctx, r.ThreadID, r.TurnID); err != nil {
			return err
		}
	}
	return u.Threads.Delete(ctx, threads)
}
