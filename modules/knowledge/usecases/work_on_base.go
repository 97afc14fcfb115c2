package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
)

// WorkOnBase queues the jobs of the documents of a base that wait for one. Those of a deleted base it has removed.
type WorkOnBase struct {
	Base ports.BaseWork
	Now  func() time.Time
	// Reach is called at the named points between steps, for tests of crashes.
	Reach func(point string)
}

// Do does one step, and reports whether there may be more to do.
func (u WorkOnBase) Do(ctx context.Context, base uuid.UUID) (more bool, err error) {
	deleted, err := u.Base.Deleted(ctx, base)
	if errors.Is(err, ports.ErrBaseNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if deleted {
		if more, err := u.Base.MarkDeleting(ctx, base, u.Now()); err != nil || more {
			return true, err
		}
	}
	u.Reach("marked")
	if more, err = u.Base.QueueDocuments(ctx, base); err != nil || more || !deleted {
		return more, err
	}
	u.Reach("queued")
	return false, u.Base.Remove(ctx, base)
}
