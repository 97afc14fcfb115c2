package inproc

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
)

var _ conversations.OldThreads = OldThreads{}

// OldThreads deletes threads in which nothing was said for long, for the module that removes old data.
type OldThreads struct{ Delete usecases.DeleteOldThreads }

// DeleteSome deletes some threads.
func (o OldThreads) DeleteSome(ctx context.Context, before, made time.Time, after uuid.UUID) (deleted int, lastMade time.Time, last uuid.UUID, err error) {
	deleted, at, err := o.Delete.DeleteSome(ctx, before, ports.ThreadPosition{At: made, ID: after})
	return deleted, at.At, at.ID, err
}
