package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
)

// DeleteThread deletes a thread with everything that was said in it. A turn that runs in it is stopped, and nothing more is stored of it.
type DeleteThread struct {
	Erasures ports.Erasures
	Discard  DiscardTurn
}

// Do deletes a thread in the transaction of the context; ports.ErrThreadNotFound where there is no such thread.
func (u DeleteThread) Do(ctx context.Context, thread uuid.UUID) error {
	running, err := u.Erasures.Lock(ctx, thread)
	if err != nil {
		return err
	}
	if err := u.Discard.Do(ctx, thread, running); err != nil {
		return err
	}
	return u.Erasures.DeleteThread(ctx, thread)
}

// EraseThread removes what is left of a deleted thread.
type EraseThread struct {
	Erasures ports.Erasures
	// Reach is called at the named points between steps, for tests of crashes.
	Reach func(point string)
}

// Do removes some turns. Done is false where it is to be called again; it goes on where the call before has ended.
func (u EraseThread) Do(ctx context.Context, thread uuid.UUID) (done bool, err error) {
	more, err := u.Erasures.EraseSome(ctx, thread)
	if err != nil {
		return false, err
	}
	u.Reach("erased")
	return !more, nil
}
