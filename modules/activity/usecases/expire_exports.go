package usecases

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/ports"
)

// ExpireExports removes archives that have expired or whose workspace is deleted, and exports that ended long ago.
type ExpireExports struct {
	Exports  ports.OldExports
	Archives ports.Archives
	// In returns a context for work in a workspace.
	In  func(ctx context.Context, workspace uuid.UUID) context.Context
	Now func() time.Time
}

const expireBatch = 100 // exports at once

// Do removes all that there are. An archive is removed before its export says so, so that one that could not be is tried again.
func (u ExpireExports) Do(ctx context.Context) error {
	for {
		old, err := u.Exports.Old(ctx, expireBatch)
		if err != nil {
			return err
		}
		for _, k := range old {
			in := u.In(ctx, k.WorkspaceID)
			if err := u.Archives.Remove(in, k); err != nil {
				return fmt.Errorf("remove the archive of the export %s: %w", k.ID, err)
			}
			if err := u.Exports.Expire(in, k.ID, u.Now()); err != nil {
				return fmt.Errorf("expire the export %s: %w", k.ID, err)
			}
		}
		if len(old) < expireBatch {
			return nil
		}
	}
}
