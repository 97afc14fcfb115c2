package postgres_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/events"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/jobs"
	platformevents "github.com/parley/parley/platform/work/outbound"
)

// metered is setup under limits.
func metered(t *testing.T, limits usage.Limits) *bundle {
	t.Helper()
	s := setup(t)
	publisher := platformevents.NewPublisher(s.db, jobs.NewQueue(s.db, jobs.NewRegistry()), time.Now)
	s.turns = postgres.NewTurns(s.db, domain.ModelName{Provider: domain.Echo, Name: domain.Echo}, events.Events{Publisher: publisher}, limits)
	return s
}

// used gives what the workspace has used, all months together: turns, messages, tokens.
func (s *bundle) used(t *testing.T) (list [3]int) {
	t.Helper()
	require.NoError(t, s.su.QueryRow(t.Context(), `SELECT coalesce(sum(turns), 0), coalesce(sum(messages), 0), coalesce(sum(tokens), 0)
		FROM usage_counters WHERE workspace_id = $1`, s.workspace).Scan(&list[0], &list[1], &list[2]))
	return list
}

// answered completes a turn that took so many tokens.
func (s *bundle) answered(turn domain.Turn, in, out int) error {
	return s.db.Write(s.me, func(ctx context.Context) error {
		return s.turns.Complete(ctx, turn, turn.Answer("text", now), domain.Reply{Content: "text", Usage: domain.Usage{InputTokens: &in, OutputTokens: &out}})
	})
}

func TestATurnCountsWhenItBeginsAndItsAnswerWhenItIsThere(t *testing.T) {
	t.Parallel()
	s := metered(t, nil)
	thread := s.thread(t, s.me, nil, now).ID
	turn, err := s.start(s.me, thread, time.Hour)
	require.NoError(t, err)
	require.Equal(t, [3]int{1, 1, 0}, s.used(t))
	require.NoError(t, s.fail(turn))
	require.Equal(t, [3]int{1, 1, 0}, s.used(t), "a turn that failed has no answer")

	again, err := s.resume(turn)
	require.NoError(t, err)
	require.Equal(t, [3]int{1, 1, 0}, s.used(t), "another attempt is no other turn")
	require.Error(t, s.answered(turn, 5, 5), "the first attempt is late")
	require.Equal(t, [3]int{1, 1, 0}, s.used(t), "who comes late counts nothing")
	require.NoError(t, s.answered(*again, 5, 7))
	require.Equal(t, [3]int{1, 2, 12}, s.used(t))

	_, err = s.start(s.me, thread, time.Hour)
	require.NoError(t, err)
	_, err = s.start(s.me, thread, time.Hour)
	require.ErrorIs(t, err, ports.ErrThreadBusy)
	_, err = s.start(s.me, uuid.New(), time.Hour)
	require.ErrorIs(t, err, ports.ErrThreadNotFound)
	require.Equal(t, [3]int{2, 3, 12}, s.used(t), "a call that was refused")
}

func TestATurnThatBeganIsAnsweredAndTheNextOneIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits usage.Limits
		metric string
	}{
		"tokens":   {usage.Limits{usage.Tokens: 12}, `"tokens"`},
		"messages": {usage.Limits{usage.Messages: 1}, `"messages"`},
		"turns":    {usage.Limits{usage.Turns: 1}, `"turns"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := metered(t, test.limits)
			thread := s.thread(t, s.me, nil, now)
			turn, err := s.start(s.me, thread.ID, time.Hour)
			require.NoError(t, err)
			require.NoError(t, s.answered(turn, 5, 7), "an answer that is there is not thrown away")
			_, err = s.start(s.me, thread.ID, time.Hour)
			require.ErrorIs(t, err, fail.ErrLimitReached)
			require.JSONEq(t, test.metric, string(fail.From(err).Details["metric"].(json.RawMessage)))
			require.Equal(t, [3]int{1, 2, 12}, s.used(t))
			require.Len(t, s.said(t, thread.ID), 2)
			_, err = s.start(s.me, uuid.New(), time.Hour)
			require.ErrorIs(t, err, ports.ErrThreadNotFound, "what is not there is told first")

			other := s.thread(t, s.them, nil, now)
			_, err = s.start(s.them, other.ID, time.Hour)
			require.NoError(t, err, "another workspace")
		})
	}
}

func TestTheWarningOfWhatATurnTookIsQueuedAtItsEnd(t *testing.T) {
	t.Parallel()
	s := metered(t, usage.Limits{usage.Tokens: 10})
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	require.NoError(t, s.answered(turn, 4, 4))
	var payload string
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT payload - 'month' - 'resets_at' FROM job_queue WHERE kind = $1", usage.Kind).Scan(&payload))
	require.JSONEq(t, `{"metric": "tokens", "used": 8, "limit": 10}`, payload)
}
