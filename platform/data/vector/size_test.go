package vector

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestPostgresFindsTheNearestOfManyVectors compares with all vectors here, as the statement does not. The vectors are in
// groups, as those of texts are. SIZE and DIMENSIONS make it a measurement.
func TestPostgresFindsTheNearestOfManyVectors(t *testing.T) {
	t.Parallel()
	size, dimensions := 2000, 96
	if n, err := strconv.Atoi(os.Getenv("SIZE")); err == nil {
		size = n
	}
	if n, err := strconv.Atoi(os.Getenv("DIMENSIONS")); err == nil {
		dimensions = n
	}
	s, _ := inPostgres(t)
	store := s.adapter.(*Postgres)
	store.most = int64(size)
	require.NoError(t, store.Ensure(t.Context(), Collection{Name: "many", Dimensions: dimensions}))
	random := rand.New(rand.NewPCG(1, 2))
	near := func(v []float32, by float64) []float32 {
		out := make([]float32, dimensions)
		for i := range out {
			out[i] = float32(random.NormFloat64() * by)
			if v != nil {
				out[i] += v[i]
			}
		}
		return out
	}
	centers := make([][]float32, 50)
	for i := range centers {
		centers[i] = near(nil, 1)
	}
	all := make([]Point, size)
	for i := range all {
		all[i] = Point{ID: uuid.New(), Vector: near(centers[random.IntN(len(centers))], 0.7), DocumentID: document}
	}
	for batch := range slices.Chunk(all, MaxBatch) {
		require.NoError(t, s.Upsert(s.a, "many", batch))
	}
	found, wanted := 0, 0
	var took []time.Duration
	for range 10 {
		query := near(centers[random.IntN(len(centers))], 0.5)
		slices.SortFunc(all, func(a, b Point) int { return -cmpFloat(cosineOf(a.Vector, query), cosineOf(b.Vector, query)) })
		start := time.Now()
		matches, err := s.Search(s.a, "many", Query{Vector: query, Limit: 20})
		took = append(took, time.Since(start))
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(matches, func(a, b Match) int { return -cmpFloat(float64(a.Score), float64(b.Score)) }))
		for _, want := range all[:20] {
			wanted++
			if slices.ContainsFunc(matches, func(m Match) bool { return m.ID == want.ID }) {
				found++
			}
		}
	}
	slices.Sort(took)
	t.Logf("%d vectors of %d dimensions: %d of %d found, median %v, slowest %v", size, dimensions, found, wanted, took[len(took)/2], took[len(took)-1])
	require.Greater(t, found, wanted*95/100)
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func cosineOf(a, b []float32) float64 {
	var dot, x, y float64
	for i := range a {
		dot, x, y = dot+float64(a[i])*float64(b[i]), x+float64(a[i])*float64(a[i]), y+float64(b[i])*float64(b[i])
	}
	return dot / math.Sqrt(x*y)
}
