// Package knowledge calls the knowledge module for conversations.
package knowledge

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/knowledge"
)

var _ ports.Knowledge = Knowledge{}

// Knowledge searches the knowledge bases of the caller's workspace.
type Knowledge struct{ Face knowledge.Search }

// Search searches bases together.
func (k Knowledge) Search(ctx context.Context, query string, s domain.KnowledgeSearch) (domain.Retrieval, error) {
	found, err := k.Face.Search(ctx, knowledge.Query{
		BaseIDs: s.BaseIDs, Text: query, TopK: s.TopK, Mode: s.Mode, MinScore: s.MinScore, Filter: s.Filter, Rerank: s.Rerank,
	})
	if err != nil {
		return domain.Retrieval{}, err
	}
	r := domain.Retrieval{Mode: found.Mode, Degraded: found.Degraded}
	for _, h := range found.Hits {
		c := toCandidate(h.Candidate)
		c.Headings, c.Page, c.Pages, c.Start, c.End, c.Text = h.Headings, h.Page, h.Pages, h.Start, h.End, h.Text
		r.Candidates = append(r.Candidates, c)
	}
	for _, l := range found.LeftOut[:min(len(found.LeftOut), maxLeftOut)] {
		c := toCandidate(l.Candidate)
		c.LeftOut = l.Reason
		r.Candidates = append(r.Candidates, c)
	}
	return r, nil
}

// maxLeftOut is how many chunks that were left out are kept with a retrieval.
const maxLeftOut = 50

func toCandidate(c knowledge.Candidate) domain.RetrievalCandidate {
	return domain.RetrievalCandidate{
		Source: domain.Source{DocumentID: c.DocumentID, ChunkID: c.ChunkID, Title: c.Title},
		BaseID: c.BaseID, Score: c.Score, LexicalRank: c.LexicalRank, Cosine: c.Cosine, RerankScore: c.RerankScore,
	}
}
