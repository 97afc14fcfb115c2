package resilience_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/resilience"
)

// fill takes as many places as the parties get at once.
func fill(s *resilience.Slots, parties ...uuid.UUID) (leave []func()) {
	for {
		l, ok := s.Try(parties...)
		if !ok {
			return leave
		}
		leave = append(leave, l)
	}
}

func waits(s *resilience.Slots) int {
	_, waiting := s.Used()
	return waiting
}

func TestAPartyGetsMostOfThePlacesAloneAndNeverAll(t *testing.T) {
	t.Parallel()
	for _, total := range []int{2, 3, 4, 8, 9, 16, 64, 256, 1000} {
		alone := len(fill(resilience.NewSlots(total), uuid.New()))
		require.GreaterOrEqual(t, alone, total/2, total)
		require.Less(t, alone, total, total)
	}
	require.Len(t, fill(resilience.NewSlots(1), uuid.New()), 1)
	require.Len(t, fill(resilience.NewSlots(256), uuid.New()), 168)
}

func TestWhoComesLaterFindsPlacesTooManyTimesOver(t *testing.T) {
	t.Parallel()
	s := resilience.NewSlots(256)
	var got []int
	for range 24 {
		got = append(got, len(fill(s, uuid.New())))
	}
	t.Log("24 parties that take what they get, one after the other:", got)
	require.Equal(t, []int{168, 42}, got[:2])
	for i, n := range got {
		require.Positive(t, n, "party %d", i)
	}
}

func TestAUserWithManyWorkspacesIsOne(t *testing.T) {
	t.Parallel()
	s, user := resilience.NewSlots(256), uuid.New()
	taken := 0
	for range 300 {
		taken += len(fill(s, uuid.New(), user))
	}
	require.Equal(t, 168, taken)
}

func TestAPlaceThatIsGivenBackGoesToWhoHoldsLeast(t *testing.T) {
	t.Parallel()
	s, greedy, modest := resilience.NewSlots(4), uuid.New(), uuid.New()
	held := fill(s, greedy)
	require.Len(t, held, 3)
	_, err := s.Wait(t.Context(), 0, greedy)
	require.ErrorIs(t, err, resilience.ErrNoSlot, "it may not wait")
	last, ok := s.Try(modest)
	require.True(t, ok)

	order := make(chan string, 3)
	var waiting sync.WaitGroup
	wait := func(name string, party uuid.UUID) {
		entered := make(chan struct{})
		waiting.Go(func() {
			close(entered)
			leave, err := s.Wait(context.Background(), time.Minute, party)
			if err == nil {
				order <- name
				leave()
			}
		})
		<-entered
	}
	wait("newcomer", uuid.New())
	require.Eventually(t, func() bool { return waits(s) == 1 }, time.Minute, time.Millisecond)
	held[0]()
	waiting.Wait()
	require.Equal(t, "newcomer", <-order)
	held[1]()
	held[1]() // twice is once
	require.Len(t, fill(s, uuid.New()), 1, "two are free, one of them for whoever comes next")
	last()
}

func TestWhoWaitsGivesUpInTimeAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := resilience.NewSlots(2)
	a, _ := s.Try(uuid.New())
	b, _ := s.Try(uuid.New())
	_, err := s.Wait(t.Context(), time.Millisecond, uuid.New())
	require.ErrorIs(t, err, resilience.ErrNoSlot)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Wait(ctx, time.Minute, uuid.New())
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, waits(s))
	a()
	b()
	require.Len(t, fill(s, uuid.New()), 1)
}

func TestOnePartyDoesNotFillTheQueue(t *testing.T) {
	t.Parallel()
	s, greedy := resilience.NewSlots(8), uuid.New()
	held := fill(s, greedy)
	require.Len(t, held, 6)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var refused atomic.Int64
	for range 100 {
		all.Go(func() {
			if _, err := s.Wait(ctx, time.Minute, greedy); err == resilience.ErrNoSlot { //nolint:errorlint // it is that very one
				refused.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return refused.Load() == 98 }, time.Minute, time.Millisecond, "its share is 8: it holds 6, so 2 wait")
	leave, err := s.Wait(t.Context(), time.Minute, uuid.New())
	require.NoError(t, err)
	leave()
	cancel()
	all.Wait()
}

func TestNoMorePlacesAreTakenThanThereAre(t *testing.T) {
	t.Parallel()
	const total = 9
	s := resilience.NewSlots(total)
	parties := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	var running, most, got atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 200 {
				leave, err := s.Wait(context.Background(), time.Duration(rand.IntN(2000))*time.Microsecond, parties[rand.IntN(len(parties))], uuid.New())
				if err != nil {
					continue
				}
				got.Add(1)
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				running.Add(-1)
				leave()
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, most.Load(), int64(total))
	require.Positive(t, got.Load())
	require.Zero(t, waits(s))
	require.Len(t, fill(s, uuid.New()), len(fill(resilience.NewSlots(total), uuid.New())), "all were given back")
}
