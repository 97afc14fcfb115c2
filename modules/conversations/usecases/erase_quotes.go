package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
)

// EraseQuotes removes what turns have kept of documents that were deleted.
type EraseQuotes struct{ Quotes ports.Quotes }

const (
	eraseBatch  = 100             // documents of turns in one transaction
	eraseWait   = 2 * time.Second // for turns that run
	eraseMargin = time.Minute     // more than a deletion takes to its commit, and by which clocks of servers differ
)

// Do takes some turns. Done is false where it is to be called again after wait. A turn that began before the documents were deleted may
// store what it has found of them later: Do waits for its end.
func (u EraseQuotes) Do(ctx context.Context, documents []uuid.UUID, deletedAt time.Time) (done bool, wait time.Duration, err error) {
	more, err := u.Quotes.Erase(ctx, documents, eraseBatch)
	if err != nil || more {
		return false, 0, err
	}
	remain, err := u.Quotes.Remain(ctx, documents, deletedAt.Add(eraseMargin))
	return !remain && err == nil, eraseWait, err
}
