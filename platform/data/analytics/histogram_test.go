package analytics

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryLatencyIsInTheOneBucketThatHoldsItAndNearItsMiddle(t *testing.T) {
	t.Parallel()
	bounds := bounds()
	require.True(t, slices.IsSorted(bounds))
	require.Len(t, slices.Compact(slices.Clone(bounds)), len(bounds))
	require.Zero(t, bounds[0])
	for ms := int32(0); ms < 1<<24; ms += 1 + ms/100 {
		i := bucketOf(bounds, ms)
		require.LessOrEqual(t, bounds[i], ms)
		require.True(t, i == len(bounds)-1 || ms < bounds[i+1], "%d ms", ms)
		got := *middle(bounds, i)
		require.LessOrEqual(t, (got - time.Duration(ms)*time.Millisecond).Abs(), time.Duration(0.032*float64(ms)*float64(time.Millisecond)), "%d ms", ms)
	}
	require.Zero(t, bucketOf(bounds, -1))
	require.Equal(t, len(bounds)-1, bucketOf(bounds, 1<<31-1))
}

func TestAQuantileIsThatOfTheNearestRank(t *testing.T) {
	t.Parallel()
	h := Histogram{0: 1, 5: 98, 10: 1}
	for q, want := range map[float64]time.Duration{0.001: 0, 0.01: 0, 0.011: 5, 0.5: 5, 0.99: 5, 0.991: 10, 1: 10} {
		require.Equal(t, want*time.Millisecond, *h.Quantile(q), "%v", q)
	}
	require.Nil(t, Histogram{}.Quantile(0.5))
	require.Nil(t, Histogram{3: 0}.Quantile(0.5))
	require.Equal(t, 7*time.Millisecond, *Histogram{7: 1}.Quantile(0.5))
}
