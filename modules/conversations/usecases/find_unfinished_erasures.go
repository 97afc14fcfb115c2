package usecases

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
)

// FindUnfinishedErasures queues the jobs of deleted threads that wait for one which is not there.
type FindUnfinishedErasures struct {
	Unfinished ports.UnfinishedErasures
	// In returns a context for work in a workspace.
	In func(ctx context.Context, workspace uuid.UUID) context.Context
}

// Do checks all workspaces.
func (u FindUnfinishedErasures) Do(ctx context.Context) error {
	for {
		list, more, err := u.Unfinished.Locate(ctx)
		if err != nil {
			return fmt.Errorf("look for deleted threads: %w", err)
		}
		for _, x := range list {
			if err := u.Unfinished.Resume(u.In(ctx, x.WorkspaceID), x.ThreadID); err != nil {
				return fmt.Errorf("queue the erasure of a thread: %w", err)
			}
		}
		if !more {
			return nil
		}
	}
}
