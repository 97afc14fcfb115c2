package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/page"
)

// ListRetrievals returns what a turn has found in the knowledge bases of its bot.
func (s Server) ListRetrievals(ctx context.Context, r ListRetrievalsRequestObject) (ListRetrievalsResponseObject, error) {
	turn, err := s.Views.Get(ctx, r.ThreadID, r.TurnID)
	if err != nil {
		return nil, err
	}
	all, err := s.Retrievals.List(ctx, r.ThreadID, r.TurnID)
	cited := map[uuid.UUID]bool{}
	if turn.Answer != nil {
		for _, c := range turn.Answer.Citations {
			cited[c.ChunkID] = true
		}
	}
	return ListRetrievals200JSONResponse{Items: page.Map(all, func(one domain.Retrieval) Retrieval { return toRetrieval(one, cited) })}, err
}

// toRetrieval maps a retrieval. Cited are the chunks that the answer cites.
func toRetrieval(r domain.Retrieval, cited map[uuid.UUID]bool) Retrieval {
	return Retrieval{
		Number: r.Number, Query: r.Query, Mode: r.Mode, Degraded: r.Degraded, KnowledgeRevision: r.Revision(),
		LatencyMs: r.Latency.Milliseconds(), CreatedAt: r.At,
		Candidates: page.Map(r.Candidates, func(c domain.RetrievalCandidate) RetrievalCandidate {
			return toRetrievalCandidate(c, cited[c.ChunkID] && c.Number > 0)
		}),
	}
}

func toRetrievalCandidate(c domain.RetrievalCandidate, cited bool) RetrievalCandidate {
	candidate := RetrievalCandidate{
		Number: positive(c.Number), KnowledgeBaseID: c.BaseID, DocumentID: c.DocumentID, ChunkID: c.ChunkID, Title: c.Title,
		Headings: append([]string{}, c.Headings...), Page: positive(c.Page), Start: c.Start, End: c.End,
		Score: c.Score, LexicalRank: positive(c.LexicalRank), Cosine: c.Cosine, RerankScore: c.RerankScore, Given: c.Number > 0, Cited: cited,
	}
	if c.LeftOut != "" {
		candidate.LeftOut = &c.LeftOut
	}
	return candidate
}

// positive returns nil for 0, which stands for no number.
func positive(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
