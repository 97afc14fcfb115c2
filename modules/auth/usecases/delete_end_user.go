package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// DeleteEndUser deletes an end user with everything that it has said and uploaded.
type DeleteEndUser struct {
	EndUsers ports.EndUserDeletions
	Threads  ports.EndUserThreads
	Files    ports.EndUserFiles
}

// Do deletes an end user in the transaction of the context; ports.ErrEndUserNotFound where there is none. Its tokens end, and turns that run
// are stopped.
func (u DeleteEndUser) Do(ctx context.Context, id uuid.UUID) error {
	if err := u.EndUsers.Delete(ctx, id); err != nil {
		return err
	}
	if err := u.Threads.Delete(ctx, id); err != nil {
		return err
	}
	if err := u.Files.Delete(ctx, id); err != nil {
		return err
	}
	return u.EndUsers.Erase(ctx, id)
}
