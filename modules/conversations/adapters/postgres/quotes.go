package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
)

var _ ports.Quotes = Quotes{}

// Quotes removes what turns have kept of documents.
type Quotes struct{ DB *postgres.DB }

func (s Quotes) Erase(ctx context.Context, documents []uuid.UUID, limit int) (more bool, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, s.DB)
		turns, err := q.LockQuotingTurns(ctx, conversationsdb.LockQuotingTurnsParams{WorkspaceID: workspace, DocumentIds: documents, Count: int32(limit)})
		if err != nil || len(turns) == 0 {
			return err
		}
		more = len(turns) == limit
		slices.SortFunc(turns, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		return q.EraseQuotes(ctx, conversationsdb.EraseQuotesParams{WorkspaceID: workspace, DocumentIds: documents, TurnIds: slices.Compact(turns)})
	})
	if err != nil {
		return false, fmt.Errorf("erase the quotes of documents: %w", err)
	}
	return more, nil
}

func (s Quotes) Remain(ctx context.Context, documents []uuid.UUID, before time.Time) (bool, error) {
	q, workspace := queries(ctx, s.DB)
	remain, err := q.MayQuote(ctx, conversationsdb.MayQuoteParams{WorkspaceID: workspace, DocumentIds: documents, Before: before})
	if err != nil {
		return false, fmt.Errorf("look for quotes of documents: %w", err)
	}
	return remain, nil
}
