package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
)

// EraseFile removes what turns have kept of a file that was deleted.
type EraseFile struct {
	Documents ports.FileDocuments
	Quotes    ports.Quotes
	// Reach is called at the named points between steps, for tests of crashes.
	Reach func(point string)
}

const eraseDocuments = 100 // whose quotes are removed together

// Do does one step. Done is false where it is to be called again after wait; it goes on where the step before has ended.
func (u EraseFile) Do(ctx context.Context, file uuid.UUID, deletedAt time.Time) (done bool, wait time.Duration, err error) {
	documents, err := u.Documents.List(ctx, file, eraseDocuments)
	if err != nil || len(documents) == 0 {
		return err == nil, 0, err
	}
	if done, wait, err = u.Quotes.Erase(ctx, documents, deletedAt); err != nil || !done {
		return false, wait, err
	}
	u.Reach("erased")
	last := len(documents) < eraseDocuments
	return last, 0, u.Documents.Forget(ctx, file, documents, last)
}
