package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// PurgeWorkspaces removes what is left of workspaces that were deleted and not restored in time.
type PurgeWorkspaces struct {
	Removal ports.Removal
	// Elsewhere removes what is kept outside the database, before its rows go; it may be asked again.
	Elsewhere []func(ctx context.Context, workspace uuid.UUID) error
	Purged    func(ctx context.Context, workspace uuid.UUID)
}

// Do purges what is due. One workspace's failure keeps no other from its end.
func (u PurgeWorkspaces) Do(ctx context.Context) error {
	due, err := u.Removal.Due(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, workspace := range due {
		failures = append(failures, u.purge(ctx, workspace))
	}
	return errors.Join(failures...)
}

func (u PurgeWorkspaces) purge(ctx context.Context, workspace uuid.UUID) error {
	for _, remove := range u.Elsewhere {
		if err := remove(ctx, workspace); err != nil {
			return err
		}
	}
	done, err := u.Removal.Purge(ctx, workspace)
	if done && err == nil {
		u.Purged(ctx, workspace)
	}
	return err
}
