package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/conversations/ports"
)

// DeleteOldThreads deletes threads in which nothing was said for long.
type DeleteOldThreads struct {
	Old    ports.OldThreads
	Delete DeleteThread
}

// DeleteSome deletes some threads in which nothing was said since a time, each in a transaction of its own, the oldest first and after another
// one. It returns how many, and the last one that it looked at; the zero value where there are no more.
func (u DeleteOldThreads) DeleteSome(ctx context.Context, before time.Time, after ports.ThreadPosition) (deleted int, last ports.ThreadPosition, err error) {
	old, last, err := u.Old.Next(ctx, before, after)
	if err != nil {
		return 0, last, err
	}
	for _, thread := range old {
		var is bool
		err := u.Old.InTransaction(ctx, func(ctx context.Context) error {
			if is, err = u.Old.IsOld(ctx, thread, before); err != nil || !is {
				return err
			}
			return u.Delete.Do(ctx, thread)
		})
		switch {
		case errors.Is(err, ports.ErrThreadNotFound): // another call has deleted it
		case err != nil:
			return deleted, last, err
		case is:
			deleted++
		}
	}
	return deleted, last, nil
}
