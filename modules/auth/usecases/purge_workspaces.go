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
	// Restores is needed by Begin alone.
	Restores ports.RestoreTime
	// Elsewhere removes what is kept outside the database, before its rows go; it may be asked again.
	Elsewhere []func(ctx context.Context, workspace uuid.UUID) error
	// Purged is called after each round of steps in which rows of a workspace went, with how many.
	Purged func(ctx context.Context, workspace uuid.UUID, rows int64, done bool)
}

// purgesAtOnce is how many workspaces are purged by one call.
const purgesAtOnce = 10

// purgeRound is how many steps one workspace has before the next one's turn comes.
const purgeRound = 10

// Do purges what is due, in steps, until nothing is left or the context ends; the next call goes on then. One workspace's
// failure keeps no other from its end.
func (u PurgeWorkspaces) Do(ctx context.Context) error {
	due, err := u.Removal.Due(ctx, purgesAtOnce)
	if err != nil {
		return err
	}
	var failures []error
	for len(due) > 0 && ctx.Err() == nil {
		var left []uuid.UUID
		for _, workspace := range due {
			more, err := u.purge(ctx, workspace)
			if more && err == nil {
				left = append(left, workspace)
			}
			failures = append(failures, err)
		}
		due = left
	}
	return errors.Join(failures...)
}

// Begin has the deleted workspace of the context purged from now on, by One or by the next Do of any process; ErrNotDeleted
// where it is not deleted.
func (u PurgeWorkspaces) Begin(ctx context.Context) error { return u.Restores.EndRestoreTime(ctx) }

// One purges one workspace to its end, if it may be purged; done is false where another process purges it now.
func (u PurgeWorkspaces) One(ctx context.Context, workspace uuid.UUID) (done bool, err error) {
	gone := false
	one := u
	one.Purged = func(ctx context.Context, workspace uuid.UUID, rows int64, done bool) {
		gone = done
		u.Purged(ctx, workspace, rows, done)
	}
	for more := true; more && err == nil; {
		if err = ctx.Err(); err == nil {
			more, err = one.purge(ctx, workspace)
		}
	}
	return gone, err
}

// purge makes a round of steps.
func (u PurgeWorkspaces) purge(ctx context.Context, workspace uuid.UUID) (more bool, err error) {
	for _, remove := range u.Elsewhere {
		if err := remove(ctx, workspace); err != nil {
			return false, err
		}
	}
	rows, step := int64(0), ports.PurgeStep{More: true}
	for n := 0; n < purgeRound && step.More && err == nil; n++ {
		step, err = u.Removal.Purge(ctx, workspace)
		rows += step.Rows
	}
	if rows > 0 || step.Done {
		u.Purged(ctx, workspace, rows, step.Done)
	}
	return step.More, err
}
