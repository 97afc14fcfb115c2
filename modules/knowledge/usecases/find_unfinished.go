package usecases

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
)

// FindUnfinished queues the jobs of documents, bases and deleted files that wait for one which is not there.
type FindUnfinished struct {
	Unfinished ports.Unfinished
	// In returns a context for work in a workspace.
	In func(ctx context.Context, workspace uuid.UUID) context.Context
}

// Do checks all workspaces.
func (u FindUnfinished) Do(ctx context.Context) error {
	for {
		list, more, err := u.Unfinished.Locate(ctx)
		if err != nil {
			return fmt.Errorf("look for unfinished work: %w", err)
		}
		for _, x := range list {
			if err := u.Unfinished.Resume(u.In(ctx, x.WorkspaceID), x); err != nil {
				return fmt.Errorf("queue unfinished work: %w", err)
			}
		}
		if !more {
			return nil
		}
	}
}
