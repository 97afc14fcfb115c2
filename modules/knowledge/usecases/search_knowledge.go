package usecases

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// SearchKnowledge searches knowledge bases.
type SearchKnowledge struct {
	Bases    ports.BaseReader
	Searcher ports.Searcher
	Vectors  SearchVectors
	Rerank   RerankChunks
}

// Modes of a search.
const (
	ModeHybrid  = "hybrid"
	ModeLexical = "lexical"
	ModeVector  = "vector"
)

// Limits of a search.
const (
	DefaultTopK    = 8
	maxSearchBases = 50
	maxCandidates  = 240
	searchAttempts = 20 // while documents are switched to other generations: one has to end between two switches
)

// Query is the input of SearchKnowledge.
type Query struct {
	BaseIDs  []uuid.UUID // none: all of the workspace
	Text     string
	TopK     int    // 0: DefaultTopK
	Mode     string // empty: ModeHybrid
	MinScore float64
	Filter   json.RawMessage
	Explain  bool // whether Found.Words are wanted
	Rerank   bool // by the reranking model, after the search
}

// Found is what a search has found.
type Found struct {
	Hits []Hit
	Mode string // how it was searched
	// Degraded is whether vectors were wanted and could not be had, of some bases at least, or the results could not be reranked.
	Degraded bool
	Reranked bool
	Words    []domain.SearchWord // that were searched and the caller may learn of
	LeftOut  []domain.LeftOut
}

// Hit is a result of a search: a chunk, or several that follow each other.
type Hit struct {
	domain.Candidate // of the best chunk
	Chunk            domain.FoundChunk
	Highlights       []domain.Span
}

// Do returns ErrBaseNotFound, ErrNoEmbeddings for a search by vectors, ErrNoReranker, or the wrong fields.
func (u SearchKnowledge) Do(ctx context.Context, q Query) (Found, error) {
	filter, err := domain.NewFilter(q.Filter)
	if err != nil {
		return Found{}, invalid(domain.WrongField{Field: "filter", Err: err})
	}
	if q.Rerank && u.Rerank.Reranker == nil {
		return Found{}, ports.ErrNoReranker
	}
	bases, err := u.Bases.Find(ctx, q.BaseIDs, maxSearchBases)
	if err != nil {
		return Found{}, err
	}
	q.TopK, q.Mode = cmp.Or(q.TopK, DefaultTopK), cmp.Or(q.Mode, ModeHybrid)
	var vectors queryVectors
	if q.Mode != ModeLexical {
		if vectors, err = u.Vectors.query(ctx, q.Text, bases, nil); err != nil {
			return Found{}, err
		}
		if len(vectors.bases) == 0 && q.Mode == ModeVector {
			return Found{}, ports.ErrNoEmbeddings
		}
	}
	for attempt := 1; ; attempt++ {
		found, whole, err := u.search(ctx, q, filter, bases, vectors)
		if err != nil || whole || attempt == searchAttempts {
			return found, err
		}
	}
}

// search searches once. It reports false where chunks that it has found were replaced or deleted before it has read them.
func (u SearchKnowledge) search(ctx context.Context, q Query, f domain.Filter, bases []domain.KnowledgeBase, v queryVectors) (found Found, whole bool, err error) {
	want := min(4*q.TopK+20, maxCandidates)
	near, degraded, err := u.Vectors.near(ctx, v, f, want)
	if err != nil {
		return Found{}, false, err
	}
	found.Mode, found.Degraded = q.Mode, degraded
	if len(v.bases) == 0 || found.Degraded && len(near) == 0 {
		found.Mode = ModeLexical
	}
	candidates := near
	var words []domain.SearchWord
	if found.Mode != ModeVector {
		if candidates, words, err = u.lexical(ctx, q, f, bases, want, &found); err != nil {
			return Found{}, false, err
		}
	}
	if found.Mode == ModeHybrid {
		candidates = domain.Fuse(candidates, near)
	}
	least := q.MinScore
	var below []domain.LeftOut
	if found.Mode != ModeLexical {
		embedded := make(map[uuid.UUID]bool, len(v.bases))
		for _, id := range v.bases {
			embedded[id] = true
		}
		candidates, below = domain.AboveCosine(candidates, least, embedded)
		least = 0
	}
	if q.Rerank && len(candidates) > 0 {
		var failed bool
		if candidates, failed, err = u.Rerank.order(ctx, q.Text, candidates); err != nil {
			return Found{}, false, err
		}
		found.Degraded, found.Reranked = found.Degraded || failed, !failed
	}
	groups, left := domain.Select(candidates, q.TopK, least)
	found.LeftOut = append(below, left...)
	var complete bool
	found.Hits, complete, err = u.read(ctx, groups, words)
	found.Hits = found.Hits[:min(len(found.Hits), q.TopK)]
	return found, complete, err
}

// lexical searches by words, and adds those that the caller may learn of to what is found.
func (u SearchKnowledge) lexical(
	ctx context.Context, q Query, f domain.Filter, bases []domain.KnowledgeBase, want int, found *Found,
) (candidates []domain.Candidate, all []domain.SearchWord, err error) {
	for _, same := range byLanguage(bases) {
		words, more, err := u.Searcher.Lexical(ctx, same.language, domain.JoinWords(q.Text), same.ids, f, want)
		if err != nil {
			return nil, nil, err
		}
		all, candidates = append(all, words...), append(candidates, more...)
		if q.Explain {
			readable, err := u.Searcher.Readable(ctx, same.ids, words)
			if err != nil {
				return nil, nil, err
			}
			found.Words = append(found.Words, readable...)
		}
	}
	slices.SortStableFunc(candidates, func(a, b domain.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	for i := range candidates {
		candidates[i].LexicalRank = i + 1
	}
	return candidates, all, nil
}

// read reads the chunks of groups. A group with a chunk that has gone meanwhile is left out, and complete is false.
func (u SearchKnowledge) read(ctx context.Context, groups []domain.Group, words []domain.SearchWord) (hits []Hit, complete bool, err error) {
	var ids []uuid.UUID
	for _, g := range groups {
		for _, c := range g.Chunks {
			ids = append(ids, c.ChunkID)
		}
	}
	if len(ids) == 0 {
		return nil, true, nil
	}
	content, err := u.Searcher.Read(ctx, ids, words)
	if err != nil {
		return nil, false, err
	}
	hits, complete = make([]Hit, 0, len(groups)), true
	for _, g := range groups {
		var chunks []domain.FoundChunk
		for _, c := range g.Chunks {
			if chunk, ok := content[c.ChunkID]; ok {
				chunks = append(chunks, chunk)
			}
		}
		if len(chunks) < len(g.Chunks) {
			complete = false
			continue
		}
		first := 0
		for _, run := range domain.Runs(chunks) {
			joined, highlights := domain.Join(run)
			hits = append(hits, Hit{Candidate: slices.MaxFunc(g.Chunks[first:first+len(run)], best), Chunk: joined, Highlights: highlights})
			first += len(run)
		}
	}
	return hits, complete, nil
}

// basesOfLanguage are bases whose words have the same stems.
type basesOfLanguage struct {
	language string
	ids      []uuid.UUID
}

func byLanguage(bases []domain.KnowledgeBase) (groups []basesOfLanguage) {
	for _, b := range bases {
		i := slices.IndexFunc(groups, func(g basesOfLanguage) bool { return g.language == b.Language })
		if i < 0 {
			i, groups = len(groups), append(groups, basesOfLanguage{language: b.Language})
		}
		groups[i].ids = append(groups[i].ids, b.ID)
	}
	return groups
}
