package usecases

import (
	"context"
	"time"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// PutRetention sets for how long a workspace keeps what it has.
type PutRetention struct {
	Retentions ports.Retentions
	Now        func() time.Time
}

// Do stores a setting, which the next run follows at once, in the transaction of the context. It returns the one before.
func (u PutRetention) Do(ctx context.Context, r domain.Retention) (before domain.Retention, after domain.RetentionState, err error) {
	var next *time.Time
	if !r.KeepsAll() {
		now := u.Now()
		next = &now
	}
	if before, err = u.Retentions.Put(ctx, r, next); err != nil {
		return before, after, err
	}
	after, err = u.Retentions.Get(ctx)
	return before, after, err
}
