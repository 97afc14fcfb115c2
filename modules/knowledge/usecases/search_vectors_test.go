package usecases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// nearby is a vector store with points of which only some are current.
type nearby struct {
	points  []uuid.UUID
	current map[uuid.UUID]bool
	asked   []int
	away    error
	// other are the points of the model "n".
	other []uuid.UUID
	// change is called before the next look at what is current.
	change func()
}

func (n *nearby) Store(context.Context, ports.VectorSet, []ports.ChunkVector) error { return n.away }

func (n *nearby) Remove(context.Context, ports.VectorSet) error { return n.away }

func (n *nearby) Nearest(_ context.Context, model string, _ []float32, _ []uuid.UUID, limit int) (list []ports.NearChunk, err error) {
	n.asked = append(n.asked, limit)
	points := n.points
	if model == "n" {
		points = n.other
	}
	for i, id := range points[:min(limit, len(points))] {
		list = append(list, ports.NearChunk{ChunkID: id, Cosine: 1 - float64(i)/10_000})
	}
	return list, n.away
}

func (n *nearby) Current(_ context.Context, ids, _ []uuid.UUID, _ domain.Filter) (found map[uuid.UUID]domain.Candidate, gone []uuid.UUID, err error) {
	if change := n.change; change != nil {
		n.change = nil
		change()
	}
	found = map[uuid.UUID]domain.Candidate{}
	for _, id := range ids {
		if n.current[id] {
			found[id] = domain.Candidate{ChunkID: id}
		} else {
			gone = append(gone, id)
		}
	}
	return found, gone, nil
}

// spaces stands in for the table of vectors and for the models: each space is that of a model, whose vectors are all the same.
type spaces struct {
	ports.VectorRecords
	ports.EmbeddingCosts
	list []ports.VectorSpace
	made []string // models that made a vector
}

func (s *spaces) Spaces(context.Context, []uuid.UUID) ([]ports.VectorSpace, error) {
	return s.list, nil
}

// models serves them.
type models struct {
	ports.EmbeddingModels
	*spaces
}

func (s models) Serving(context.Context) (list []ports.EmbeddingModel, err error) {
	for _, one := range s.list {
		list = append(list, ports.EmbeddingModel{Name: one.Model, Space: one.Model, Embedder: s})
	}
	return list, nil
}

func (s *spaces) Check(context.Context, ports.EmbeddingModel, int64) error { return nil }

func (s *spaces) Count(context.Context, ports.EmbeddingModel, ports.EmbeddingUsage) error { return nil }

func (s *spaces) Embed(_ context.Context, model string, _ ports.EmbeddingKind, texts []string) ([][]float32, ports.EmbeddingUsage, error) {
	s.made = append(s.made, model)
	return slices.Repeat([][]float32{{1}}, len(texts)), ports.EmbeddingUsage{}, nil
}

// nearestTo searches a base of the model "m" for a query.
func nearestTo(t *testing.T, n *nearby, s *spaces) (list []domain.Candidate, degraded bool) {
	t.Helper()
	u := SearchVectors{Vectors: n, Current: n, Records: s, Models: models{spaces: s}, Costs: s}
	model := "m"
	q, err := u.query(t.Context(), "color", []domain.KnowledgeBase{{ID: uuid.New(), EmbeddingModel: &model}}, nil)
	require.NoError(t, err)
	list, degraded, err = u.near(t.Context(), q, domain.Filter{}, 10)
	require.NoError(t, err)
	return list, degraded
}

func TestVectorsOfWhatIsGoneTakeNoPlaceOfWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ orphans, there, found int }{
		{0, 100, 10}, {15, 10, 10}, {300, 10, 10}, {950, 10, 10}, {50, 3, 3}, {0, 0, 0}, {2000, 10, 0},
	} {
		n := &nearby{current: map[uuid.UUID]bool{}}
		for i := range test.orphans + test.there {
			id := uuid.New()
			n.points, n.current[id] = append(n.points, id), i >= test.orphans
		}
		list, degraded := nearestTo(t, n, &spaces{list: []ports.VectorSpace{{Model: "m"}}})
		require.False(t, degraded)
		require.Len(t, list, test.found, "%+v, asked for %v", test, n.asked)
		for i, c := range list {
			require.Equal(t, n.points[test.orphans+i], c.ChunkID, "the nearest come first")
		}
	}
	_, degraded := nearestTo(t, &nearby{away: ports.ErrVectorsAway.Because(errors.New("down"))}, &spaces{list: []ports.VectorSpace{{Model: "m"}}})
	require.True(t, degraded)
}

func TestAGenerationThatIsSwitchedMeanwhileIsFoundByItsOwnVectors(t *testing.T) {
	t.Parallel()
	a1, a2, b1, b2 := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	n := &nearby{points: []uuid.UUID{a1, b1}, current: map[uuid.UUID]bool{a1: true, b1: true}}
	s := &spaces{list: []ports.VectorSpace{{Model: "m"}}}
	n.change = func() {
		n.points, n.current = []uuid.UUID{a1, a2, b1}, map[uuid.UUID]bool{a2: true, b1: true}
		n.change = func() { // the other one is switched to a model that no base had
			n.other, n.current = []uuid.UUID{b2}, map[uuid.UUID]bool{a2: true, b2: true}
			s.list = append(s.list, ports.VectorSpace{Model: "n"})
		}
	}
	list, _ := nearestTo(t, n, s)
	require.Equal(t, []uuid.UUID{a2, b2}, []uuid.UUID{list[0].ChunkID, list[1].ChunkID})
	require.Equal(t, []string{"m", "n"}, s.made, "the vector of a query is made once for each model")
	require.Len(t, n.asked, 4, "vectors that were left are no reason to look again")

	n = &nearby{current: map[uuid.UUID]bool{b2: true}} // all vectors of the former model are removed by now
	s = &spaces{list: []ports.VectorSpace{{Model: "m"}}}
	n.change = func() { n.other, s.list = []uuid.UUID{b2}, []ports.VectorSpace{{Model: "n"}} }
	list, _ = nearestTo(t, n, s)
	require.Len(t, list, 1, "a model that came after the vector of the query was made")
}

func TestADocumentThatIsSwitchedAgainAndAgainIsFound(t *testing.T) {
	t.Parallel()
	n := &nearby{points: []uuid.UUID{uuid.New()}}
	n.current = map[uuid.UUID]bool{n.points[0]: true}
	var switched func()
	left := 12
	switched = func() { // after the look for vectors, and before that for what is current
		next := uuid.New()
		n.points, n.current = []uuid.UUID{next}, map[uuid.UUID]bool{next: true}
		if left--; left > 0 {
			n.change = switched
		}
	}
	n.change = switched
	list, _ := nearestTo(t, n, &spaces{list: []ports.VectorSpace{{Model: "m"}}})
	require.Len(t, list, 1)
	require.Equal(t, n.points[0], list[0].ChunkID)
}

// records stands in for the table of vectors.
type records struct {
	ports.VectorRecords
	sets   []ports.VectorSet
	marked []int // generations
}

func (r *records) Of(context.Context, uuid.UUID) ([]ports.VectorSet, error) { return r.sets, nil }

func (r *records) MarkRemoved(_ context.Context, s ports.VectorSet, now, before time.Time) error {
	if now.Sub(before) != secondRemoval {
		return errors.New("the second removal is not late enough")
	}
	r.marked = append(r.marked, s.Generation)
	return nil
}

func TestVectorsAreLeftToTheSweeperWhileTheirStoreIsAway(t *testing.T) {
	t.Parallel()
	r := &records{sets: []ports.VectorSet{{Generation: 1}, {Generation: 2}, {Generation: 3}}}
	store := &nearby{away: ports.ErrVectorsAway}
	ingest := IngestDocument{Embed: EmbedDocument{Records: r, Vectors: store, Now: time.Now}}
	require.NoError(t, ingest.removeVectors(t.Context(), uuid.New(), 3))
	require.Empty(t, r.marked, "what may still be there is not forgotten")
	store.away = nil
	require.NoError(t, ingest.removeVectors(t.Context(), uuid.New(), 3))
	require.Equal(t, []int{1, 2}, r.marked, "those of the current generation stay")
	store.away = errors.New("unexpected")
	require.Error(t, ingest.removeVectors(t.Context(), uuid.New(), 3))
}

// build stands in for the table of documents.
type build struct {
	ports.Builds
	domain.Document
}

func (b build) Get(context.Context, uuid.UUID) (ports.Build, error) {
	return ports.Build{Document: b.Document}, nil
}

func (r *records) LocateOld(context.Context) ([]ports.UnfinishedWork, error) {
	return []ports.UnfinishedWork{{DocumentID: uuid.New()}}, nil
}

func TestTheSweeperKeepsVectorsThatAreSearchedOrMade(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]domain.Document{
		"[1 2 3 4]": {Status: domain.Deleting, Generation: 3, Building: 4},
		"[1 2]":     {Status: domain.Embedding, Generation: 3, Building: 4},
		"[1 2 3]":   {Status: domain.Ready, Generation: 4},
		"[1 2 4]":   {Status: domain.Queued, Generation: 3, Building: 5},
		"[1]":       {Status: domain.Failed, Building: 2},
	} {
		r := &records{sets: []ports.VectorSet{{Generation: 1}, {Generation: 2}, {Generation: 3}, {Generation: 4}}}
		embed := EmbedDocument{Records: r, Vectors: &nearby{}, Now: time.Now}
		u := RemoveOldVectors{Records: r, Builds: build{Document: d}, Embed: embed, In: func(ctx context.Context, _ uuid.UUID) context.Context { return ctx }}
		require.NoError(t, u.Do(t.Context()))
		require.Equal(t, want, fmt.Sprint(r.marked), "%+v", d)
	}
}

func TestAVectorIsMadeOfTheHeadingsTooAndOfTheHeaderOfATable(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Prices > Kettles\nName | Price\nK1 | 20", EmbeddedText(domain.Chunk{Headings: []string{"Prices", "Kettles"}, TableHeader: "Name | Price", Text: "K1 | 20"}))
	require.Equal(t, "Text", EmbeddedText(domain.Chunk{Text: "Text"}))
}
