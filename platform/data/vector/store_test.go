package vector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/testing/qdranttest"
	"github.com/parley/parley/platform/work/resilience"
)

// adapter is what every adapter gives.
type adapter interface {
	Store
	Prepare(ctx context.Context) error
	Check(ctx context.Context) error
}

// suite is one store with two workspaces to work for.
type suite struct {
	adapter
	name    string
	a, b    context.Context
	missing string // a collection that the program knows and nobody has prepared; empty: there cannot be one
}

// document and other are two files.
var document, other = uuid.New(), uuid.New()

func point(n byte, v ...float32) Point {
	return Point{
		ID: uuid.UUID{15: n}, Vector: v, DocumentID: document, Chunk: int(n), Content: fmt.Sprintf("piece %d, “ünï”", n),
		Labels: map[string]string{"bot": "ada", "lang": "de"},
	}
}

func (s *suite) search(t *testing.T, ctx context.Context, q Query) []Match { //nolint:revive // t first, as in every helper
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 10
	}
	if q.MinScore == 0 {
		q.MinScore = -1
	}
	found, err := s.Search(ctx, s.name, q)
	require.NoError(t, err)
	return found
}

func idsOf(matches []Match) []byte {
	ids := []byte{}
	for _, m := range matches {
		ids = append(ids, m.ID[15])
	}
	return ids
}

var east = []float32{1, 0, 0}

// contract is what every adapter passes. open gives a store that is prepared and empty.
func contract(t *testing.T, open func(t *testing.T) *suite) {
	t.Helper()
	run := func(name string, test func(t *testing.T, s *suite)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
	run("the nearest come first, no more than asked for, none below the score", testOrder)
	run("a point comes back as it was stored, and stored again is there once, as it is then", testUpsert)
	run("no workspace finds, replaces or deletes a point of another", testIsolation)
	run("a filter lets through what fits all of it", testFilter)
	run("what is deleted, by id or by filter, is gone, and nothing else", testDelete)
	run("another number of dimensions is an error", testDimensions)
	run("an unknown collection, and one that is not prepared, are errors", testUnknown)
	run("invalid input is an error", testInvalid)
	run("a collection that is added later is as good as the others", testEnsure)
	run("many that prepare and check at once are all content and leave nothing", testPrepare)
	run("a call whose caller has gone is unavailable", func(t *testing.T, s *suite) {
		t.Helper()
		gone, cancel := context.WithCancel(s.a)
		cancel()
		_, err := s.Search(gone, s.name, Query{Vector: east, Limit: 1})
		require.ErrorIs(t, err, fail.ErrUnavailable)
		require.ErrorIs(t, s.Upsert(gone, s.name, []Point{point(1, 1, 0, 0)}), fail.ErrUnavailable)
		require.Empty(t, s.search(t, s.a, Query{Vector: east}))
	})
}

func testOrder(t *testing.T, s *suite) {
	t.Helper()
	require.NoError(t, s.Upsert(s.a, s.name, []Point{
		point(1, -1, 0, 0), point(2, 0, 7, 0), point(3, 0.2, 0.2, 0), point(4, 30, 0, 0), point(5, 3, 1, 0),
	}))
	found := s.search(t, s.a, Query{Vector: []float32{0.5, 0, 0}})
	require.Equal(t, []byte{4, 5, 3, 2, 1}, idsOf(found), "the direction counts and not the length")
	for i, want := range []float64{1, 3 / math.Sqrt(10), math.Sqrt(0.5), 0, -1} {
		require.InDelta(t, want, found[i].Score, 1e-5)
	}
	require.Equal(t, []byte{4, 5}, idsOf(s.search(t, s.a, Query{Vector: east, Limit: 2})))
	require.Equal(t, []byte{4, 5, 3}, idsOf(s.search(t, s.a, Query{Vector: east, MinScore: 0.7})))
	zero, err := s.Search(s.a, s.name, Query{Vector: east, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []byte{4, 5, 3, 2}, idsOf(zero), "by default nothing that points away")
}

func testUpsert(t *testing.T, s *suite) {
	t.Helper()
	require.NoError(t, s.Upsert(s.a, s.name, nil))
	first := point(1, 1, 0, 0)
	for range 2 {
		require.NoError(t, s.Upsert(s.a, s.name, []Point{first}))
	}
	found := s.search(t, s.a, Query{Vector: east})
	require.Len(t, found, 1)
	require.InDelta(t, 1, found[0].Score, 1e-6)
	found[0].Score = 0
	require.Equal(t, Match{ID: first.ID, DocumentID: document, Chunk: 1, Content: first.Content, Labels: first.Labels}, found[0])

	again := Point{ID: first.ID, Vector: []float32{0, 1, 0}, DocumentID: other, Chunk: 9, Content: "", Labels: map[string]string{"lang": "en"}}
	require.NoError(t, s.Upsert(s.a, s.name, []Point{again}))
	found = s.search(t, s.a, Query{Vector: []float32{0, 1, 0}})
	require.Len(t, found, 1)
	require.InDelta(t, 1, found[0].Score, 1e-6)
	found[0].Score = 0
	require.Equal(t, Match{ID: first.ID, DocumentID: other, Chunk: 9, Labels: map[string]string{"lang": "en"}}, found[0])

	var wait sync.WaitGroup // the same ids, in two orders, at once
	failures := make([]error, 8)
	for i := range failures {
		wait.Go(func() {
			points := []Point{point(1, 1, 0, 0), point(2, 1, 0, 0), point(3, 1, 0, 0)}
			if i%2 == 0 {
				points[0], points[2] = points[2], points[0]
			}
			failures[i] = s.Upsert(s.a, s.name, points)
		})
	}
	wait.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	require.Equal(t, []byte{1, 2, 3}, idsOf(s.search(t, s.a, Query{Vector: east})))
}

func testIsolation(t *testing.T, s *suite) {
	t.Helper()
	mine, theirs := point(1, 1, 0, 0), point(1, 0, 1, 0)
	theirs.Content = "secret"
	require.NoError(t, s.Upsert(s.b, s.name, []Point{theirs, point(2, 1, 0, 0)}))
	require.Empty(t, s.search(t, s.a, Query{Vector: east}), "another's")
	require.NoError(t, s.Upsert(s.a, s.name, []Point{mine}), "under an id that another has")
	require.Len(t, s.search(t, s.a, Query{Vector: east}), 1)

	require.NoError(t, s.Delete(s.a, s.name, []uuid.UUID{theirs.ID, {15: 2}}))
	require.NoError(t, s.DeleteWhere(s.a, s.name, Filter{DocumentIDs: []uuid.UUID{document}}))
	require.NoError(t, s.DeleteWhere(s.a, s.name, Filter{Labels: []map[string]string{{"bot": "ada"}}}))
	require.Empty(t, s.search(t, s.a, Query{Vector: east}))
	found := s.search(t, s.b, Query{Vector: []float32{0, 1, 0}})
	require.Equal(t, []byte{1, 2}, idsOf(found))
	require.Equal(t, "secret", found[0].Content)

	nobody, err := s.Search(context.Background(), s.name, Query{Vector: east, Limit: 10, MinScore: -1})
	require.NoError(t, err)
	require.Empty(t, nobody, "who works for no workspace finds nothing")
}

func testFilter(t *testing.T, s *suite) {
	t.Helper()
	p1, p2, p3 := point(1, 1, 0, 0), point(2, 1, 0.1, 0), point(3, 1, 0.2, 0)
	p2.DocumentID, p3.Labels = other, map[string]string{"bot": "ada", "lang": "en"}
	require.NoError(t, s.Upsert(s.a, s.name, []Point{p1, p2, p3}))
	for _, test := range []struct {
		filter Filter
		want   []byte
	}{
		{Filter{}, []byte{1, 2, 3}},
		{Filter{DocumentIDs: []uuid.UUID{document}}, []byte{1, 3}},
		{Filter{Labels: []map[string]string{{"bot": "ada"}}}, []byte{1, 2, 3}},
		{Filter{Labels: []map[string]string{{"bot": "ada", "lang": "en"}}}, []byte{3}},
		{Filter{DocumentIDs: []uuid.UUID{other}, Labels: []map[string]string{{"lang": "en"}}}, []byte{}},
		{Filter{Labels: []map[string]string{{"lang": `e"n`}}}, []byte{}},
		{Filter{DocumentIDs: []uuid.UUID{uuid.New()}}, []byte{}},
		{Filter{DocumentIDs: []uuid.UUID{uuid.New(), other, document}}, []byte{1, 2, 3}},
		{Filter{DocumentIDs: []uuid.UUID{uuid.New(), other}}, []byte{2}},
		{Filter{Labels: []map[string]string{{"lang": "en"}, {"lang": "fr"}}}, []byte{3}},
		{Filter{Labels: []map[string]string{{"bot": "ada", "lang": "en"}, {"bot": "ada", "lang": "de"}}}, []byte{1, 2, 3}},
		{Filter{DocumentIDs: []uuid.UUID{document, other}, Labels: []map[string]string{{"lang": "en"}, {"lang": "fr"}}}, []byte{3}},
	} {
		require.Equal(t, test.want, idsOf(s.search(t, s.a, Query{Vector: east, Filter: test.filter})), "%+v", test.filter)
	}
}

func testDelete(t *testing.T, s *suite) {
	t.Helper()
	points := []Point{point(1, 1, 0, 0), point(2, 1, 0.1, 0), point(3, 1, 0.2, 0), point(4, 1, 0.3, 0), point(5, 1, 0.4, 0)}
	points[2].DocumentID, points[3].DocumentID = other, other
	points[3].Labels, points[4].Labels = map[string]string{"lang": "en"}, map[string]string{"lang": "en"}
	require.NoError(t, s.Upsert(s.a, s.name, points))
	require.NoError(t, s.Delete(s.a, s.name, nil))
	for range 2 {
		require.NoError(t, s.Delete(s.a, s.name, []uuid.UUID{{15: 1}, uuid.New()}))
		require.Equal(t, []byte{2, 3, 4, 5}, idsOf(s.search(t, s.a, Query{Vector: east})))
	}
	require.NoError(t, s.DeleteWhere(s.a, s.name, Filter{DocumentIDs: []uuid.UUID{other}, Labels: []map[string]string{{"lang": "en"}}}))
	require.Equal(t, []byte{2, 3, 5}, idsOf(s.search(t, s.a, Query{Vector: east})))
	require.NoError(t, s.DeleteWhere(s.a, s.name, Filter{DocumentIDs: []uuid.UUID{other}}))
	require.Equal(t, []byte{2, 5}, idsOf(s.search(t, s.a, Query{Vector: east})))
	require.ErrorIs(t, s.DeleteWhere(s.a, s.name, Filter{}), ErrInvalid)
	require.ErrorIs(t, s.DeleteWhere(s.a, s.name, Filter{Labels: []map[string]string{{}}}), ErrInvalid, "a set of nothing, which would delete all")
	require.Equal(t, []byte{2, 5}, idsOf(s.search(t, s.a, Query{Vector: east})))
}

func testDimensions(t *testing.T, s *suite) {
	t.Helper()
	err := s.Upsert(s.a, s.name, []Point{point(1, 1, 0, 0), point(2, 1, 0)})
	require.ErrorIs(t, err, ErrDimensions)
	require.ErrorContains(t, err, "has 3, the vector 2")
	_, err = s.Search(s.a, s.name, Query{Vector: []float32{1, 0, 0, 0}, Limit: 1})
	require.ErrorIs(t, err, ErrDimensions)
	require.Empty(t, s.search(t, s.a, Query{Vector: east}), "nothing of a call that was refused")
}

func testUnknown(t *testing.T, s *suite) {
	t.Helper()
	calls := map[string]func(name string) error{
		"upsert":       func(name string) error { return s.Upsert(s.a, name, []Point{point(1, 1, 0, 0)}) },
		"search":       func(name string) error { _, err := s.Search(s.a, name, Query{Vector: east, Limit: 1}); return err },
		"delete":       func(name string) error { return s.Delete(s.a, name, []uuid.UUID{uuid.New()}) },
		"delete where": func(name string) error { return s.DeleteWhere(s.a, name, Filter{DocumentIDs: []uuid.UUID{document}}) },
	}
	for what, do := range calls {
		require.ErrorIs(t, do("nowhere"), ErrUnknownCollection, what)
		if s.missing != "" {
			err := do(s.missing)
			require.ErrorIs(t, err, ErrNotPrepared, what)
			require.ErrorContains(t, err, "run parley init")
		}
	}
}

func testInvalid(t *testing.T, s *suite) {
	t.Helper()
	many := make([]Point, MaxBatch+1)
	for i := range many {
		many[i] = point(1, 1, 0, 0)
		many[i].ID = uuid.New()
	}
	change := func(do func(p *Point)) []Point {
		p := point(1, 1, 0, 0)
		do(&p)
		return []Point{p}
	}
	for what, points := range map[string][]Point{
		"too many":           many,
		"the same id twice":  {point(1, 1, 0, 0), point(1, 0, 1, 0)},
		"no id":              change(func(p *Point) { p.ID = uuid.Nil }),
		"no direction":       {point(1, 0, 0, 0)},
		"no number":          {point(1, float32(math.NaN()), 0, 0)},
		"infinite":           {point(1, float32(math.Inf(1)), 0, 0)},
		"a long text":        change(func(p *Point) { p.Content = strings.Repeat("x", MaxContent+1) }),
		"a text with NUL":    change(func(p *Point) { p.Content = "a\x00b" }),
		"a text of no UTF-8": change(func(p *Point) { p.Content = "\xff" }),
		"a negative number":  change(func(p *Point) { p.Chunk = -1 }),
		"an unknown label":   change(func(p *Point) { p.Labels["nobody"] = "x" }),
		"a long label":       change(func(p *Point) { p.Labels["bot"] = strings.Repeat("x", MaxLabel+1) }),
		"a label with NUL":   change(func(p *Point) { p.Labels["bot"] = "\x00" }),
	} {
		require.ErrorIs(t, s.Upsert(s.a, s.name, points), ErrInvalid, what)
	}
	for what, q := range map[string]Query{
		"no limit":           {Vector: east},
		"a large limit":      {Vector: east, Limit: MaxMatches + 1},
		"a score over 1":     {Vector: east, Limit: 1, MinScore: 1.1},
		"no score":           {Vector: east, Limit: 1, MinScore: float32(math.NaN())},
		"no direction":       {Vector: []float32{0, 0, 0}, Limit: 1},
		"too many documents": {Vector: east, Limit: 1, Filter: Filter{DocumentIDs: make([]uuid.UUID, MaxAnyOf+1)}},
		"an unknown label":   {Vector: east, Limit: 1, Filter: Filter{Labels: []map[string]string{{"nobody": "x"}}}},
	} {
		_, err := s.Search(s.a, s.name, q)
		require.ErrorIs(t, err, ErrInvalid, what)
	}
	require.ErrorIs(t, s.Delete(s.a, s.name, make([]uuid.UUID, MaxBatch+1)), ErrInvalid)
	require.ErrorIs(t, s.DeleteWhere(s.a, s.name, Filter{Labels: []map[string]string{{"nobody": "x"}}}), ErrInvalid)
	require.Empty(t, s.search(t, s.a, Query{Vector: east}))

	largest := many[:MaxBatch]
	for i := range largest {
		largest[i].Content = strings.Repeat("ü", MaxContent/2)
	}
	require.NoError(t, s.Upsert(s.a, s.name, largest), "the most that is allowed")
	require.Len(t, s.search(t, s.a, Query{Vector: east, Limit: MaxMatches}), MaxBatch)
}

func testEnsure(t *testing.T, s *suite) {
	t.Helper()
	later := Collection{Name: s.name + "_later", Dimensions: 2, Labels: []string{"base"}}
	p := Point{ID: uuid.New(), Vector: []float32{1, 0}, DocumentID: document, Labels: map[string]string{"base": "x"}}
	require.ErrorIs(t, s.Upsert(s.a, later.Name, []Point{p}), ErrUnknownCollection)
	var wait sync.WaitGroup
	failures := make([]error, 8)
	for i := range failures {
		wait.Go(func() { failures[i] = s.Ensure(t.Context(), later) })
	}
	wait.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	require.NoError(t, s.Upsert(s.a, later.Name, []Point{p}))
	found, err := s.Search(s.a, later.Name, Query{Vector: []float32{1, 1}, Limit: 1, Filter: Filter{Labels: []map[string]string{{"base": "x"}}}})
	require.NoError(t, err)
	require.Len(t, found, 1)
	later.Dimensions = 3
	require.ErrorIs(t, s.Ensure(t.Context(), later), ErrDimensions)
	require.Error(t, s.Ensure(t.Context(), Collection{Name: "No", Dimensions: 1}))
	for i := range MaxCollections {
		if err = s.Ensure(gone(t), Collection{Name: fmt.Sprintf("%s_%d", s.name, i), Dimensions: 2}); err != nil && !errors.Is(err, fail.ErrUnavailable) {
			break
		}
	}
	if _, inPostgres := s.adapter.(*Postgres); inPostgres {
		require.ErrorIs(t, err, ErrFull)
	} else {
		require.ErrorIs(t, err, fail.ErrUnavailable, "one that could not be made is not added")
	}
}

// gone returns the context of a caller that has gone.
func gone(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func testPrepare(t *testing.T, s *suite) {
	t.Helper()
	require.NoError(t, s.Upsert(s.a, s.name, []Point{point(1, 1, 0, 0)}))
	var wait sync.WaitGroup
	failures := make([]error, 8)
	for i := range failures {
		wait.Go(func() {
			if failures[i] = s.Prepare(t.Context()); failures[i] == nil {
				failures[i] = s.Check(t.Context())
			}
		})
	}
	wait.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	require.Equal(t, []byte{1}, idsOf(s.search(t, s.a, Query{Vector: east})), "what was there stays, and nothing is left")
}

// named gives the suite's collection.
func named(name string) Collection {
	return Collection{Name: name, Dimensions: 3, Labels: []string{"bot", "lang"}}
}

func inPostgres(t *testing.T) (*suite, string) {
	t.Helper()
	url := pg.URL(t)
	store, err := NewPostgres(pg.Open(t, url), named("notes"))
	require.NoError(t, err)
	return &suite{adapter: store, name: "notes", a: workspace(t, store), b: workspace(t, store)}, url
}

// workspace makes one and gives a context that works for it.
func workspace(t *testing.T, store *Postgres) context.Context {
	t.Helper()
	ctx := callctx.As(t.Context(), uuid.New(), uuid.New())
	require.NoError(t, store.db.Write(ctx, func(ctx context.Context) error {
		_, err := store.db.In(ctx).Exec(ctx, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", callctx.From(ctx).Principal.WorkspaceID)
		return err
	}))
	return ctx
}

func guard(t *testing.T) *resilience.Group {
	t.Helper()
	return resilience.NewGroup("qdrant", resilience.Policy{
		Timeout: 5 * time.Second, Concurrency: 32, Wait: 5 * time.Second, Retries: 1, Failures: 5, OpenFor: time.Minute,
	}, slog.New(slog.DiscardHandler))
}

func inQdrant(t *testing.T) *suite {
	t.Helper()
	address := qdranttest.URL(t)
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:20]
	missing := name + "_missing"
	store, err := NewQdrant(QdrantOptions{URL: address, Guard: guard(t)}, named(name))
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, made := range []string{name, missing, name + "_later"} {
			_ = store.client.DeleteCollection(context.Background(), prefix+made)
		}
		require.NoError(t, store.Close())
	})
	require.NoError(t, store.Prepare(t.Context()))
	store.all = append(store.all, named(missing))
	s := &suite{adapter: store, name: name, missing: missing}
	s.a, s.b = callctx.As(t.Context(), uuid.New(), uuid.New()), callctx.As(t.Context(), uuid.New(), uuid.New())
	return s
}

func TestVectorsInPostgres(t *testing.T) {
	t.Parallel()
	contract(t, func(t *testing.T) *suite {
		t.Helper()
		s, _ := inPostgres(t)
		return s
	})
}

func TestVectorsInQdrant(t *testing.T) {
	t.Parallel()
	contract(t, inQdrant)
}
