package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/request/page"
)

// SearchKnowledgeBase searches one knowledge base.
func (s Server) SearchKnowledgeBase(ctx context.Context, r SearchKnowledgeBaseRequestObject) (SearchKnowledgeBaseResponseObject, error) {
	found, err := s.Search.Do(ctx, toQuery(*r.Body, r.KnowledgeBaseID))
	return SearchKnowledgeBase200JSONResponse(toResult(found, r.Body.Explain)), err
}

// SearchKnowledge searches several knowledge bases, or all.
func (s Server) SearchKnowledge(ctx context.Context, r SearchKnowledgeRequestObject) (SearchKnowledgeResponseObject, error) {
	b := *r.Body
	var bases []uuid.UUID
	if b.KnowledgeBaseIds != nil {
		bases = *b.KnowledgeBaseIds
	}
	found, err := s.Search.Do(ctx, toQuery(SearchRequest{
		Query: b.Query, TopK: b.TopK, Mode: b.Mode, MinScore: b.MinScore, Filter: b.Filter, Explain: b.Explain, Rerank: b.Rerank,
	}, bases...))
	return SearchKnowledge200JSONResponse(toResult(found, b.Explain)), err
}

func toQuery(r SearchRequest, bases ...uuid.UUID) usecases.Query {
	q := usecases.Query{BaseIDs: bases, Text: r.Query, Filter: r.Filter}
	if r.TopK != nil {
		q.TopK = *r.TopK
	}
	if r.Mode != nil {
		q.Mode = string(*r.Mode)
	}
	if r.MinScore != nil {
		q.MinScore = *r.MinScore
	}
	q.Explain = r.Explain != nil && *r.Explain
	q.Rerank = r.Rerank != nil && *r.Rerank
	return q
}

func toResult(f usecases.Found, explain *bool) SearchResult {
	result := SearchResult{Items: page.Map(f.Hits, toHit), Mode: f.Mode, Degraded: f.Degraded}
	if explain != nil && *explain {
		result.Explanation = &SearchExplanation{Reranked: f.Reranked, Words: page.Map(f.Words, toSearchedWord), LeftOut: page.Map(f.LeftOut, toLeftOut)}
	}
	return result
}

func toHit(h usecases.Hit) SearchHit {
	return SearchHit{
		ChunkID:         h.ChunkID,
		DocumentID:      h.DocumentID,
		KnowledgeBaseID: h.BaseID,
		Title:           h.Title,
		Headings:        append([]string{}, h.Chunk.Headings...),
		Page:            pageOrNull(h.Chunk.Page),
		Start:           h.Chunk.Start,
		End:             h.Chunk.End,
		Text:            h.Chunk.Text,
		TableHeader:     orNull(h.Chunk.TableHeader),
		Highlights:      page.Map(h.Highlights, func(s domain.Span) Highlight { return Highlight{Start: s.Start, End: s.End} }),
		LexicalRank:     pageOrNull(h.LexicalRank),
		Cosine:          h.Cosine,
		RerankScore:     h.RerankScore,
		Score:           h.Score,
	}
}

func toSearchedWord(w domain.SearchWord) SearchedWord {
	return SearchedWord{Word: w.Word, InsteadOf: orNull(w.InsteadOf), Chunks: w.Chunks, Weight: w.Weight}
}

func toLeftOut(l domain.LeftOut) LeftOut {
	return LeftOut{ChunkID: l.ChunkID, DocumentID: l.DocumentID, Title: l.Title, Score: l.Score, RerankScore: l.RerankScore, Reason: string(l.Reason)}
}
