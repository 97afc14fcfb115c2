package telemetry_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/telemetry"
)

// stoppedClock stands still until it is moved.
type stoppedClock struct{ at time.Time }

func (c *stoppedClock) now() time.Time { return c.at }

func newTop() (*telemetry.Top, *stoppedClock) {
	c := &stoppedClock{time.Unix(1_800_000_000, 0)}
	return telemetry.NewTop(c.now), c
}

func byLabel(samples []telemetry.Sample) map[string]float64 {
	values := map[string]float64{}
	for _, s := range samples {
		values[s.Labels[0]] = s.Value
	}
	return values
}

func TestTheWorkspacesWithMostAreNamedAndAllOthersAreOne(t *testing.T) {
	t.Parallel()
	top, _ := newTop()
	require.Empty(t, top.Samples(2), "nothing was counted")
	a, b, c, d := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	top.Add(uuid.Nil, 99)
	for key, n := range map[uuid.UUID]float64{a: 1, b: 20, c: 10, d: 2} {
		top.Add(key, n)
	}
	top.Add(c, 15)
	samples := top.Samples(2)
	require.Equal(t, []telemetry.Sample{
		{Labels: []string{c.String()}, Value: 25}, {Labels: []string{b.String()}, Value: 20}, {Labels: []string{telemetry.Other}, Value: 3},
	}, samples)
	require.Equal(t, []telemetry.Sample{{Labels: []string{telemetry.Other}, Value: 48}}, top.Samples(0), "nobody is named")
}

func TestWhatIsOlderThanTheWindowIsForgotten(t *testing.T) {
	t.Parallel()
	top, clock := newTop()
	old, young := uuid.New(), uuid.New()
	top.Add(old, 5)
	clock.at = clock.at.Add(telemetry.TopWindow / 2)
	top.Add(young, 3)
	require.Len(t, top.Samples(10), 3)
	clock.at = clock.at.Add(telemetry.TopWindow / 2)
	require.Equal(t, map[string]float64{young.String(): 3, telemetry.Other: 0}, byLabel(top.Samples(10)), "the series is gone from the next reading")
	clock.at = clock.at.Add(telemetry.TopWindow / 2)
	require.Empty(t, top.Samples(10))
	top.Add(young, 1)
	require.Equal(t, map[string]float64{young.String(): 1, telemetry.Other: 0}, byLabel(top.Samples(10)))
}

// Whatever comes in whatever order: no workspace gets more than is its own, nothing of the total is lost, the number of series is
// bounded, and who has a larger share than one in the keys of a shard is never missed.
func TestAFloodOfWorkspacesHidesNoHeavyOne(t *testing.T) {
	t.Parallel()
	const keys, adds, heavy, k = 20_000, 100_000, 5, 10
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, seed))
		top, clock := newTop()
		ids, truth, total := make([]uuid.UUID, keys), map[string]float64{}, 0.0
		for i := range ids {
			ids[i] = uuid.New()
		}
		for i := range adds {
			key, amount := ids[heavy+random.IntN(keys-heavy)], float64(1+random.IntN(9))
			if random.IntN(4) == 0 { // a quarter of all is of few
				key = ids[random.IntN(heavy)]
			}
			top.Add(key, amount)
			truth[key.String()] += amount
			total += amount
			if i%(adds/8) == 0 {
				clock.at = clock.at.Add(20 * time.Second) // over several slots
			}
		}
		samples := top.Samples(k)
		require.Len(t, samples, k+1)
		found, sum := byLabel(samples), 0.0
		for label, value := range found {
			sum += value
			if label != telemetry.Other {
				require.LessOrEqual(t, value, truth[label], "seed %d", seed)
			}
		}
		require.InDelta(t, total, sum, 1e-6)
		for _, id := range ids[:heavy] {
			require.Contains(t, found, id.String(), "seed %d", seed)
			require.Greater(t, found[id.String()], truth[id.String()]*0.8, "seed %d", seed)
		}
	}
}

func BenchmarkTopAdd(b *testing.B) {
	for name, keys := range map[string]int{"100 workspaces": 100, "100000 workspaces": 100_000} {
		b.Run(name, func(b *testing.B) {
			top := telemetry.NewTop(time.Now)
			ids := make([]uuid.UUID, keys)
			for i := range ids {
				ids[i] = uuid.New()
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(keys); pb.Next(); i++ {
					top.Add(ids[i%keys], 1)
				}
			})
		})
	}
}
