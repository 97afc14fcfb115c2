package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	platform "github.com/parley/parley/platform/data/postgres"
)

func (s *bundle) cancel(turn domain.Turn, said string) error {
	return s.db.Write(s.me, func(ctx context.Context) error {
		return postgres.TurnViews{DB: s.db}.Cancel(ctx, turn, turn.Partial([]string{said}, now), domain.Reply{})
	})
}

func TestWhoEndsATurnFirstHasEndedIt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	records := postgres.TurnViews{DB: s.db}
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	require.NoError(t, s.cancel(turn, "half"))
	require.True(t, platform.IsMissing(s.complete(turn, "late")), "a late answer overwrites")
	require.True(t, platform.IsMissing(s.fail(turn)))
	require.ErrorIs(t, s.cancel(turn, "again"), ports.ErrOvertaken)
	require.Equal(t, []string{"user Hi", "assistant half"}, s.said(t, turn.ThreadID))
	record, err := records.Get(s.me, turn.ThreadID, turn.ID)
	require.NoError(t, err)
	require.Equal(t, domain.TurnCancelled, record.Status)
	require.True(t, record.Answer.Cancelled)
	require.Equal(t, domain.AnswerID(turn.ID), record.Answer.ID)

	silent, err := s.start(s.me, turn.ThreadID, time.Hour)
	require.NoError(t, err)
	require.NoError(t, s.cancel(silent, ""))
	require.Len(t, s.said(t, turn.ThreadID), 3, "a message without text")
	_, err = records.Get(s.them, turn.ThreadID, turn.ID)
	require.ErrorIs(t, err, ports.ErrTurnNotFound)
}

func TestPiecesAreKeptInTheirOrderForADay(t *testing.T) {
	t.Parallel()
	s := setup(t)
	pieces := postgres.Chunks{DB: s.db}
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	streamed, err := pieces.Any(s.me, turn.ID)
	require.NoError(t, err)
	require.False(t, streamed)
	require.NoError(t, pieces.Append(s.me, turn.ID, 1, 0, []string{"a", "b"}))
	require.NoError(t, pieces.Append(s.me, turn.ID, 1, 2, []string{"c"}))
	require.NoError(t, pieces.Append(s.me, turn.ID, 1, 2, []string{"c", "d"}), "a batch whose commit was in doubt")
	for of, attempt := range map[context.Context]int{s.me: 2, s.them: 1} {
		require.NoError(t, pieces.Append(of, turn.ID, attempt, 4, []string{"e"}), "of what does not run nothing is kept")
		got, _, err := pieces.List(of, turn.ID, attempt, 0)
		require.NoError(t, err)
		require.Empty(t, got, "an attempt that does not run, or another workspace's turn")
	}
	for after, want := range map[int][]string{0: {"a", "b", "c", "d"}, 1: {"a", "b", "c", "d"}, 2: {"c", "d"}, 3: {"c", "d"}, 4: nil} {
		got, first, err := pieces.List(s.me, turn.ID, 1, after)
		require.NoError(t, err)
		require.Equal(t, want, got, after)
		require.LessOrEqual(t, first, after)
	}
	s.exec(t, "UPDATE turn_events SET created_at = now() - interval '26 hours' WHERE first = 0")
	removed, err := pieces.Expire(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	streamed, err = pieces.Any(s.me, turn.ID)
	require.NoError(t, err)
	require.True(t, streamed, "what is younger than a day is gone")
}

func TestACancellationIsOfOneAttemptAndOfWhoAskedFirst(t *testing.T) {
	t.Parallel()
	s := setup(t)
	records := postgres.TurnViews{DB: s.db}
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	wanted := func(attempt int) bool {
		wanted, err := records.Requested(s.me, turn.ID, attempt)
		require.NoError(t, err)
		return wanted
	}
	require.False(t, wanted(1))
	require.NoError(t, records.Request(s.them, turn.ID))
	require.False(t, wanted(1), "another workspace cancels")
	require.NoError(t, records.Request(s.me, turn.ID))
	require.True(t, wanted(1))
	require.NoError(t, s.fail(turn))
	again, err := s.resume(turn)
	require.NoError(t, err)
	require.False(t, wanted(again.Attempt), "the next attempt is cancelled for the last one's sake")
}
