// Package conversations calls the conversations module for knowledge.
package conversations

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/knowledge/ports"
)

var _ ports.Quotes = Quotes{}

// Quotes removes what turns have kept of documents.
type Quotes struct{ Face conversations.Quotes }

// Erase removes some of it.
func (q Quotes) Erase(ctx context.Context, documents []uuid.UUID, deletedAt time.Time) (done bool, wait time.Duration, err error) {
	return q.Face.Erase(ctx, documents, deletedAt)
}
