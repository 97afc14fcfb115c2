package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
)

// ExpireThread deletes a thread whose time is over.
type ExpireThread struct {
	Delete        DeleteThread
	InTransaction func(ctx context.Context, step func(ctx context.Context) error) error
}

// Do deletes the thread. It does nothing where there is no such thread.
func (u ExpireThread) Do(ctx context.Context, thread uuid.UUID) error {
	err := u.InTransaction(ctx, func(ctx context.Context) error { return u.Delete.Do(ctx, thread) })
	if errors.Is(err, ports.ErrThreadNotFound) {
		return nil
	}
	return err
}
