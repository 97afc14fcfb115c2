package main

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func someTargets(n int) []target {
	targets := make([]target, n)
	for i := range targets {
		targets[i] = target{workspace: uuid.NewString(), user: uuid.NewString(), bot: uuid.NewString()}
	}
	return targets
}

func TestOldThreadsHaveNoGapsAndTheLengthThatTheyAreSaidToHave(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ turns, measured int }{{1, 1}, {1_003, 1}, {30_000, 1}, {30_000, 7}, {30_001, 64}} {
		s, err := newShape(c.turns, someTargets(c.measured), time.Now())
		require.NoError(t, err)
		type thread struct {
			of     *owner
			number int
		}
		seen, lengths, ids := map[thread]int{}, map[thread]int{}, map[thread]uuid.UUID{}
		measured := 0
		for i := range c.turns {
			turn := s.turn(i)
			key := thread{turn.of, turn.thread}
			require.Equal(t, seen[key], turn.position, "turn %d leaves a gap", i)
			if turn.position == 0 {
				require.Equal(t, i, turn.first)
				lengths[key], ids[key] = turn.length, s.threadID(turn)
			}
			require.Equal(t, ids[key], s.threadID(turn), "turn %d is of another thread than the first of its thread", i)
			seen[key]++
			if turn.of.number < 0 {
				measured++
			}
		}
		require.Equal(t, seen, lengths)
		require.InDelta(t, 0.2, float64(measured)/float64(c.turns), 0.8/float64(c.turns)+0.01)
	}
}

func TestEveryWorkspaceGetsOldTurns(t *testing.T) {
	t.Parallel()
	for _, measured := range []int{1, 8, 32, 64} {
		s, err := newShape(1, someTargets(measured), time.Now())
		require.NoError(t, err)
		require.Len(t, s.owners, others+measured)
		for i, o := range s.owners {
			require.NotEmpty(t, o.slots, "workspace %d of %d measured ones and the others", i, measured)
		}
	}
}

func TestAMeasuredWorkspaceGetsALongThread(t *testing.T) {
	t.Parallel()
	s, err := newShape(60_000, someTargets(1), time.Now())
	require.NoError(t, err)
	longest := map[bool]int{}
	for i := range s.turns {
		turn := s.turn(i)
		longest[turn.of.number < 0] = max(longest[turn.of.number < 0], turn.length)
	}
	require.Equal(t, map[bool]int{true: longThread, false: turnsAThread}, longest)
}

func TestOldIDsRiseWithTimeAndThoseOfOperationsDoNot(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, err := newShape(5_000_000, someTargets(2), now)
	require.NoError(t, err)
	before, rose := s.turn(0), 0
	for i := 1; i < 2_000; i++ {
		turn := s.turn(i)
		require.Less(t, s.turnID(before).String(), s.turnID(turn).String())
		require.EqualValues(t, 7, s.turnID(turn).Version())
		require.Equal(t, uuid.RFC4122, s.turnID(turn).Variant())
		require.EqualValues(t, 4, s.operationID(turn).Version())
		if s.operationID(before).String() < s.operationID(turn).String() {
			rose++
		}
		before = turn
	}
	require.InDelta(t, 1_000, rose, 200)
	last := s.turn(s.turns - 1)
	seconds, nanos := s.turnID(last).Time().UnixTime()
	require.WithinDuration(t, last.at, time.Unix(seconds, nanos), time.Millisecond)
	require.WithinDuration(t, now.Add(-quiet), last.at, time.Second)
}
