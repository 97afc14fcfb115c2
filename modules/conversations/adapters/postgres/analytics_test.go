package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	platform "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
)

// outbox is what analytics will be told: kind, count, messages and latency of each row, in any order.
func (s *bundle) outbox(t *testing.T) (told [][4]any) {
	t.Helper()
	rows, err := s.su.Query(t.Context(), "SELECT kind, count, messages, coalesce(latency_ms, -1) FROM analytics_outbox")
	require.NoError(t, err)
	told, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r [4]any, err error) {
		var kind string
		var count, messages, latency int
		err = row.Scan(&kind, &count, &messages, &latency)
		return [4]any{kind, count, messages, latency}, err
	})
	require.NoError(t, err)
	return told
}

func TestATurnIsCountedOnceByWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.bot(t)
	turn, err := s.start(s.me, s.thread(t, s.me, &bot, now).ID, time.Hour)
	require.NoError(t, err)
	require.Empty(t, s.outbox(t), "it has not ended")
	require.NoError(t, s.fail(turn))
	require.Equal(t, [][4]any{{"failed", 1, 1, -1}}, s.outbox(t))
	again, err := s.resume(turn)
	require.NoError(t, err)
	require.ElementsMatch(t, [][4]any{{"failed", 1, 1, -1}, {"failed", -1, -1, -1}}, s.outbox(t), "the failure is taken back")
	require.True(t, platform.IsMissing(s.complete(turn, "late")), "the first attempt, late")
	require.Len(t, s.outbox(t), 2, "and it counts nothing")
	require.NoError(t, s.complete(*again, "Hello"))
	require.ElementsMatch(t, [][4]any{{"failed", 1, 1, -1}, {"failed", -1, -1, -1}, {"completed", 1, 2, 1000}}, s.outbox(t))

	var places, rows int
	require.NoError(t, s.su.QueryRow(t.Context(), `SELECT count(DISTINCT (workspace_id, bot_id, at)), count(*) FROM analytics_outbox
		WHERE kind = 'failed' AND bot_id = $1`, bot).Scan(&places, &rows))
	require.Equal(t, []int{1, 2}, []int{places, rows}, "what is taken back is taken from where it was counted")
}

func TestATurnThatIsResumedFromItsLeaseAloneTakesNothingBack(t *testing.T) {
	t.Parallel()
	s := setup(t)
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, -time.Minute)
	require.NoError(t, err)
	_, err = s.resume(turn)
	require.NoError(t, err)
	require.Empty(t, s.outbox(t), "no failure was counted")
}

func TestATurnThatIsGivenUpIsCounted(t *testing.T) {
	t.Parallel()
	s := setup(t)
	thread := s.thread(t, s.me, nil, now).ID
	_, err := s.start(s.me, thread, -time.Minute)
	require.NoError(t, err)
	for range 2 {
		_, err = s.turns.Free(s.me, thread, 0, "gone")
		require.NoError(t, err)
	}
	require.Equal(t, [][4]any{{"failed", 1, 1, -1}}, s.outbox(t))
}

func TestOfATurnThatIsCancelledTheMessagesThatStayAreCounted(t *testing.T) {
	t.Parallel()
	for said, messages := range map[string]int{"half": 2, "": 1} {
		s := metered(t, usage.Limits{usage.Messages: 100})
		turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
		require.NoError(t, err)
		require.NoError(t, s.cancel(turn, said))
		require.Len(t, s.said(t, turn.ThreadID), messages)
		require.Equal(t, [][4]any{{"cancelled", 1, messages, -1}}, s.outbox(t))
		require.Equal(t, [3]int{1, messages, 0}, s.used(t))
		require.Error(t, s.complete(turn, "late"))
		require.Equal(t, [3]int{1, messages, 0}, s.used(t))
	}
}

func TestWhatIsRolledBackIsNotCounted(t *testing.T) {
	t.Parallel()
	s := setup(t)
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	died := errors.New("died")
	require.ErrorIs(t, s.db.Write(s.me, func(ctx context.Context) error {
		return errors.Join(s.turns.Fail(ctx, turn, domain.Reply{}, "no answer", domain.Failure{}, now), s.db.Flush(ctx), died)
	}), died)
	require.Empty(t, s.outbox(t))
}
