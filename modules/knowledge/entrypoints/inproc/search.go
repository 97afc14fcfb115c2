// Package inproc lets the other modules of the process call knowledge.
package inproc

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/modules/knowledge/usecases"
)

var _ knowledge.Search = Search{}

// Search searches knowledge bases for other modules.
type Search struct {
	Knowledge usecases.SearchKnowledge
	Pages     ports.Pages
	Bases     ports.BaseHolder
}

// Search searches bases together, without those that are not there.
func (s Search) Search(ctx context.Context, q knowledge.Query) (knowledge.Found, error) {
	ids, mode, rerank, degraded := slices.Clone(q.BaseIDs), q.Mode, q.Rerank, false
	for len(ids) > 0 {
		found, err := s.Knowledge.Do(ctx, usecases.Query{
			BaseIDs: ids, Text: q.Text, TopK: q.TopK, Mode: mode, MinScore: q.MinScore, Filter: q.Filter, Rerank: rerank,
		})
		switch {
		case errors.Is(err, ports.ErrBaseNotFound):
			if ids, err = s.existing(ctx, ids); err != nil {
				return knowledge.Found{}, err
			}
		case errors.Is(err, ports.ErrNoEmbeddings) && mode == usecases.ModeVector:
			mode, degraded = usecases.ModeLexical, true
		case errors.Is(err, ports.ErrNoReranker):
			rerank, degraded = false, true
		case err != nil:
			return knowledge.Found{}, err
		default:
			result := toFound(found, degraded)
			return result, s.addPages(ctx, result.Hits)
		}
	}
	return knowledge.Found{Mode: usecases.ModeLexical}, nil
}

// Check returns what is wrong with uses of bases, which are not deleted until the end of the transaction.
func (s Search) Check(ctx context.Context, uses []knowledge.Use) (problems []knowledge.Problem, err error) {
	var ids []uuid.UUID
	for i, u := range uses {
		if slices.Contains(ids, u.BaseID) {
			problems = append(problems, knowledge.Problem{Index: i, Field: "id", Rule: "must be another knowledge base than those before it"})
			continue
		}
		ids = append(ids, u.BaseID)
		if _, err := domain.NewFilter(u.Filter); err != nil {
			problems = append(problems, knowledge.Problem{Index: i, Field: "filter", Rule: err.Error()})
		}
	}
	there, err := s.Bases.Hold(ctx, ids)
	for i, u := range uses {
		if err == nil && !slices.Contains(there, u.BaseID) {
			problems = append(problems, knowledge.Problem{Index: i, Field: "id", Rule: "must be a knowledge base of this workspace"})
		}
	}
	return problems, err
}

// Hold keeps the bases that a bot names from being deleted until the end of the transaction.
func (s Search) Hold(ctx context.Context, bot uuid.UUID) error { return s.Bases.HoldOfBot(ctx, bot) }

// existing returns those bases that are there. Where all are, that is one query.
func (s Search) existing(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	switch _, err := s.Knowledge.Bases.Find(ctx, ids, len(ids)); {
	case err == nil:
		return ids, nil
	case !errors.Is(err, ports.ErrBaseNotFound):
		return nil, err
	}
	var there []uuid.UUID
	for _, id := range ids {
		switch _, err := s.Knowledge.Bases.Find(ctx, []uuid.UUID{id}, 1); {
		case err == nil:
			there = append(there, id)
		case !errors.Is(err, ports.ErrBaseNotFound):
			return nil, err
		}
	}
	return there, nil
}

// addPages adds where pages begin within hits.
func (s Search) addPages(ctx context.Context, hits []knowledge.Hit) error {
	var documents []uuid.UUID
	for _, h := range hits {
		if h.Page > 0 && !slices.Contains(documents, h.DocumentID) {
			documents = append(documents, h.DocumentID)
		}
	}
	if len(documents) == 0 {
		return nil
	}
	starts, err := s.Pages.PageStarts(ctx, documents)
	for i := range hits {
		h := &hits[i]
		for _, start := range starts[h.DocumentID] {
			if start > h.Start && start < h.End {
				h.Pages = append(h.Pages, start)
			}
		}
	}
	return err
}

func toFound(f usecases.Found, degraded bool) knowledge.Found {
	found := knowledge.Found{Mode: f.Mode, Degraded: degraded || f.Degraded}
	for _, h := range f.Hits {
		found.Hits = append(found.Hits, knowledge.Hit{
			Candidate: toCandidate(h.Candidate), Headings: h.Chunk.Headings, Page: h.Chunk.Page, Start: h.Chunk.Start, End: h.Chunk.End, Text: h.Chunk.Text,
		})
	}
	for _, l := range f.LeftOut {
		found.LeftOut = append(found.LeftOut, knowledge.LeftOut{Candidate: toCandidate(l.Candidate), Reason: string(l.Reason)})
	}
	return found
}

func toCandidate(c domain.Candidate) knowledge.Candidate {
	return knowledge.Candidate{ChunkID: c.ChunkID, DocumentID: c.DocumentID, BaseID: c.BaseID, Title: c.Title, Score: c.Score, LexicalRank: c.LexicalRank, Cosine: c.Cosine, RerankScore: c.RerankScore}
}
