package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// PurgeWorkspaces removes the remaining data of workspaces that were deleted and not restored in time.
type PurgeWorkspaces struct {
	Removal ports.Removal
	// Restores is needed only by Begin.
	Control ports.Control
	// Elsewhere removes data outside the database, before the rows of the workspace are removed. It may be called again.
	Elsewhere []func(ctx context.Context, workspace uuid.UUID) error
	// Purged is called after each round of steps that removed rows of a workspace, with their number.
	Purged func(ctx context.Context, workspace uuid.UUID, rows int64, done bool)
}

// purgesAtOnce is how many workspaces are purged by one call.
const purgesAtOnce = 10

// purgeRound is how many steps of one workspace run before the next workspace has its turn.
const purgeRound = 10

// Do purges the workspaces that are due, in steps, until nothing is left or the context ends; the next call continues.
// A failure in one workspace does not stop the purge of others.
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

// Begin makes the deleted workspace of the context due for purging now, by One or by the next Do of any process;
// ErrNotDeleted where it is not deleted.
func (u PurgeWorkspaces) Begin(ctx context.Context) error { return u.Control.EndRestoreTime(ctx) }

// One purges one workspace completely, if it is due; done is false where another process purges it now.
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
