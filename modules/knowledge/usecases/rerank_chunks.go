package usecases

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// RerankChunks sorts the best chunks of a search by what a reranking model thinks of their texts.
type RerankChunks struct {
	Reranker ports.Reranker // nil: there is none
	Searcher ports.Searcher
}

// Limits of a call of the reranking model.
const (
	maxReranked      = 50        // chunks
	maxRerankedText  = 8 << 10   // bytes of a chunk
	maxRerankedTexts = 200 << 10 // bytes of all chunks
	rerankTimeout    = 5 * time.Second
)

// order returns candidates with those first that the model was asked about, the best of these first. Where the model fails,
// their order stays, and failed is true.
func (u RerankChunks) order(ctx context.Context, query string, candidates []domain.Candidate) (sorted []domain.Candidate, failed bool, err error) {
	asked, texts, err := u.texts(ctx, candidates[:min(len(candidates), maxReranked)])
	if err != nil || len(asked) < 1 {
		return candidates, false, err
	}
	waiting, cancel := context.WithTimeout(ctx, rerankTimeout)
	defer cancel()
	scores, err := u.Reranker.Rerank(waiting, query, texts)
	switch {
	case err != nil && ctx.Err() != nil:
		return candidates, false, err
	case errors.Is(err, ports.ErrRerankAway), errors.Is(err, context.DeadlineExceeded):
		return candidates, true, nil
	case err != nil:
		return candidates, false, err
	}
	sorted = slices.Clone(candidates)
	for i, at := range asked {
		sorted[at].RerankScore = scores[i]
	}
	slices.SortStableFunc(sorted, func(a, b domain.Candidate) int { return -a.CompareRerank(b) })
	return sorted, false, nil
}

// texts returns the texts of candidates, and the places of these.
func (u RerankChunks) texts(ctx context.Context, candidates []domain.Candidate) (places []int, texts []string, err error) {
	ids := make([]uuid.UUID, len(candidates))
	for i, c := range candidates {
		ids[i] = c.ChunkID
	}
	if len(ids) == 0 {
		return nil, nil, nil
	}
	content, err := u.Searcher.Read(ctx, ids, nil)
	if err != nil {
		return nil, nil, err
	}
	size := 0
	for i, c := range candidates {
		chunk, there := content[c.ChunkID]
		if !there {
			continue // it has gone; the search will find that out
		}
		text := firstBytes(EmbeddedText(chunk.Chunk), maxRerankedText)
		if size += len(text); size > maxRerankedTexts {
			break
		}
		places, texts = append(places, i), append(texts, text)
	}
	return places, texts, nil
}

// firstBytes returns the beginning of a text, of whole characters.
func firstBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// best compares candidates of one group.
func best(a, b domain.Candidate) int {
	return cmp.Or(a.CompareRerank(b), cmp.Compare(a.Score, b.Score))
}
