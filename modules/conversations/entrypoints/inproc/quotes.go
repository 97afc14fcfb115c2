package inproc

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/usecases"
)

var _ conversations.Quotes = Quotes{}

// Quotes removes what turns have kept of documents, for the modules that delete those.
type Quotes struct{ EraseQuotes usecases.EraseQuotes }

// Erase removes it from some turns.
func (q Quotes) Erase(ctx context.Context, documents []uuid.UUID, deletedAt time.Time) (done bool, wait time.Duration, err error) {
	return q.EraseQuotes.Do(ctx, documents, deletedAt)
}
