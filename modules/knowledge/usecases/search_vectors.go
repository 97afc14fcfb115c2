package usecases

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// SearchVectors finds chunks by the vectors of their texts.
type SearchVectors struct {
	Models  ports.EmbeddingModels
	Records ports.VectorRecords
	Vectors ports.Vectors
	Current ports.CurrentChunks
	Costs   ports.EmbeddingCosts
}

// queryTimeout is how long a search waits for the vector of its query. After that it goes on by words.
const queryTimeout = 5 * time.Second

// nearAttempts is how often a search looks for vectors while documents are switched to other generations. Each look takes milliseconds,
// and a document takes longer to be indexed anew.
const nearAttempts = 20

// queryVectors are the vectors of a query by the spaces of the vectors of bases.
type queryVectors struct {
	text     string
	all      []domain.KnowledgeBase
	bases    []uuid.UUID // that have embeddings
	spaces   []string    // of the vectors of bases
	vectors  map[string][]float32
	degraded bool // the vector of one model, at least, could not be had
}

// query makes the vectors of a query, one for each space of the vectors of the bases. Where the model of a base, or what has
// made its vectors, does not serve the workspace any more, the result is degraded. Those that were made before are taken from made.
func (u SearchVectors) query(ctx context.Context, text string, bases []domain.KnowledgeBase, made map[string][]float32) (q queryVectors, err error) {
	q = queryVectors{text: text, all: bases, vectors: map[string][]float32{}}
	for _, b := range bases {
		if b.EmbeddingModel != nil {
			q.bases = append(q.bases, b.ID)
		}
	}
	if len(q.bases) == 0 {
		return q, nil
	}
	models, err := u.Models.Serving(ctx)
	if err != nil {
		return q, err
	}
	spaces, err := u.Records.Spaces(ctx, q.bases)
	if err != nil {
		return q, err
	}
	q.degraded = slices.ContainsFunc(bases, func(b domain.KnowledgeBase) bool {
		return b.EmbeddingModel != nil && !slices.ContainsFunc(models, func(m ports.EmbeddingModel) bool { return m.Name == *b.EmbeddingModel })
	})
	waiting, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	for _, s := range spaces {
		q.spaces = append(q.spaces, s.Model)
		if _, done := q.vectors[s.Model]; done {
			continue
		}
		if vector := made[s.Model]; vector != nil {
			q.vectors[s.Model] = vector
			continue
		}
		at := slices.IndexFunc(models, func(m ports.EmbeddingModel) bool { return m.Space == s.Model })
		if at < 0 {
			q.degraded = true
			continue
		}
		vector, err := u.embed(ctx, waiting, models[at], text)
		switch {
		case err != nil && (ctx.Err() != nil || !isAway(err)):
			return q, err
		case err != nil:
			q.degraded = true
		case vector != nil: // else the model makes nothing of the query
			q.vectors[s.Model] = vector
		}
	}
	return q, nil
}

// isAway reports whether a search goes on by words after an error: the model does not answer as it should, or the workspace
// has no money left for it.
func isAway(err error) bool {
	return errors.Is(err, ports.ErrEmbeddingsAway) || ports.PermanentEmbeddingFailure(err) || errors.Is(err, fail.ErrLimitReached) || errors.Is(err, fail.ErrEmailNotVerified) || errors.Is(err, context.DeadlineExceeded)
}

// embed makes the vector of a query, and counts once what that has cost, however often the model was called.
func (u SearchVectors) embed(ctx, waiting context.Context, m ports.EmbeddingModel, text string) ([]float32, error) {
	if err := u.Costs.Check(ctx, m, estimatedTokens(text)); err != nil {
		return nil, err
	}
	vectors, used, err := m.Embedder.Embed(waiting, m.Name, ports.Query, []string{text})
	if counted := countUsage(ctx, u.Costs, m, used); counted != nil || err != nil {
		return nil, errors.Join(err, counted)
	}
	return vectors[0], nil
}

// near returns the chunks that are nearest to a query, the nearest first, and whether some may be missing as vectors could not
// be had. It looks again where a generation was switched meanwhile: what it has found of the former one is dropped, and the vectors of
// the new one may be of a model that no base had before.
func (u SearchVectors) near(ctx context.Context, q queryVectors, f domain.Filter, want int) (list []domain.Candidate, degraded bool, err error) {
	known := map[uuid.UUID]bool{} // chunks that were not current before: their generation was not switched while these were looked for
	for attempt := 1; ; attempt++ {
		list, gone, away, err := u.nearest(ctx, q, f, want)
		if err != nil {
			return nil, false, err
		}
		again := false
		for _, id := range gone {
			again, known[id] = again || !known[id], true
		}
		if !again && len(q.bases) > 0 {
			spaces, err := u.Records.Spaces(ctx, q.bases)
			if err != nil {
				return nil, false, err
			}
			again = slices.ContainsFunc(spaces, func(s ports.VectorSpace) bool { return !slices.Contains(q.spaces, s.Model) })
		}
		if !again || attempt == nearAttempts {
			return list, away || q.degraded, nil
		}
		if q, err = u.query(ctx, q.text, q.all, q.vectors); err != nil {
			return nil, false, err
		}
	}
}

// nearest looks once. Vectors of chunks that are not current take no place: more are asked for where there are such, and they are
// returned as gone. While a base changes its model its chunks have vectors of two, whose cosines do not compare: the nearest of each
// model come first, then the second of each, and so on.
func (u SearchVectors) nearest(ctx context.Context, q queryVectors, f domain.Filter, want int) (list []domain.Candidate, gone []uuid.UUID, away bool, err error) {
	var lists [][]domain.Candidate
	for _, model := range slices.Sorted(maps.Keys(q.vectors)) {
		some, more, err := u.nearestOf(ctx, model, q.vectors[model], q.bases, f, want)
		switch {
		case errors.Is(err, ports.ErrVectorsAway):
			away = true
			continue
		case err != nil:
			return nil, nil, false, err
		}
		slices.SortStableFunc(some, func(a, b domain.Candidate) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), slices.Compare(a.ChunkID[:], b.ChunkID[:]))
		})
		lists, gone = append(lists, some), append(gone, more...)
	}
	return domain.Interleave(lists), gone, away, nil
}

func (u SearchVectors) nearestOf(
	ctx context.Context, model string, query []float32, bases []uuid.UUID, f domain.Filter, want int,
) (list []domain.Candidate, gone []uuid.UUID, err error) {
	for limit := min(2*want, ports.MaxNear); ; limit = min(4*limit, ports.MaxNear) {
		found, err := u.Vectors.Nearest(ctx, model, query, bases, limit)
		if err != nil {
			return nil, nil, err
		}
		ids := make([]uuid.UUID, len(found))
		for i, n := range found {
			ids[i] = n.ChunkID
		}
		current, gone, err := u.Current.Current(ctx, ids, bases, f)
		if err != nil {
			return nil, nil, err
		}
		list = list[:0]
		for _, n := range found {
			if c, ok := current[n.ChunkID]; ok && len(list) < want {
				c.Cosine, c.Score = &n.Cosine, max(n.Cosine, 0)
				list = append(list, c)
			}
		}
		if len(list) == want || len(found) < limit || limit == ports.MaxNear {
			return list, gone, nil
		}
	}
}
