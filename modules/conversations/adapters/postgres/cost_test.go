package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/domain"
	platform "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/fail"
)

// money is the budget of a bundle whose workspaces may spend so much.
func money(s *bundle, most int64) postgres.Budget {
	return postgres.Budget{DB: s.db, Limits: usage.Limits{usage.Cost: most}, Now: func() time.Time { return now }}
}

// spent is what has been charged to the workspace.
func (s *bundle) spent(t *testing.T) (micros int64) {
	t.Helper()
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT coalesce(sum(cost_micros), 0) FROM usage_counters WHERE workspace_id = $1", s.workspace).Scan(&micros))
	return micros
}

// running begins a turn in a thread of its own.
func (s *bundle) running(t *testing.T) domain.Turn {
	t.Helper()
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	return turn
}

// costs is a reply that costs so much with the operator's key.
func costs(micros int64) domain.Reply {
	return domain.Reply{Content: "text", Usage: domain.Usage{InputTokens: new(3), OutputTokens: new(4), CostMicros: &micros, ChargedMicros: &micros}}
}

func (s *bundle) finishes(turn domain.Turn, reply domain.Reply) error {
	return s.db.Write(s.me, func(ctx context.Context) error {
		return s.turns.Complete(ctx, turn, turn.Answer("text", now), reply)
	})
}

func TestTurnsAtOnceNeverReserveMoreThanTheLimitHasLeft(t *testing.T) {
	t.Parallel()
	const limit, each, turns = 1000, 100, 24
	s := metered(t, usage.Limits{usage.Cost: limit})
	budget := money(s, limit)
	spent := s.running(t)
	require.NoError(t, budget.Reserve(s.me, spent.ID, 1, each))
	require.NoError(t, s.finishes(spent, costs(250)))
	require.EqualValues(t, 250, s.spent(t))

	list := make([]domain.Turn, turns)
	for i := range list {
		list[i] = s.running(t)
	}
	var reserved atomic.Int64
	var all sync.WaitGroup
	for _, turn := range list {
		all.Go(func() {
			err := budget.Reserve(s.me, turn.ID, 1, each)
			if err == nil {
				reserved.Add(1)
				return
			}
			require.ErrorIs(t, err, fail.ErrLimitReached)
		})
	}
	all.Wait()
	require.EqualValues(t, (limit-250)/each, reserved.Load())
	other := s.thread(t, s.them, nil, now)
	theirs, err := s.start(s.them, other.ID, time.Hour)
	require.NoError(t, err)
	require.NoError(t, budget.Reserve(s.them, theirs.ID, 1, limit), "another workspace")
}

func TestAReservationEndsWithItsTurn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *bundle, turn domain.Turn) error{
		"completed": func(s *bundle, turn domain.Turn) error { return s.finishes(turn, costs(10)) },
		"failed": func(s *bundle, turn domain.Turn) error {
			return s.db.Write(s.me, func(ctx context.Context) error {
				return s.turns.Fail(ctx, turn, costs(10), "no answer", domain.Failure{Code: "X"}, now)
			})
		},
		"cancelled": func(s *bundle, turn domain.Turn) error {
			return s.db.Write(s.me, func(ctx context.Context) error {
				return postgres.TurnViews{DB: s.db}.Cancel(ctx, turn, turn.Partial([]string{"hel"}, now), costs(10))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := metered(t, usage.Limits{usage.Cost: 100})
			budget, turn, next := money(s, 100), s.running(t), s.running(t)
			require.NoError(t, budget.Reserve(s.me, turn.ID, 1, 90))
			require.NoError(t, budget.Reserve(s.me, turn.ID, 1, 100), "in place of the first")
			err := budget.Reserve(s.me, next.ID, 1, 1)
			require.ErrorIs(t, err, fail.ErrLimitReached)
			require.NoError(t, end(s, turn))
			require.EqualValues(t, 10, s.spent(t))
			require.Equal(t, 7, s.used(t)[2], "its tokens count, whatever became of it")
			require.NoError(t, budget.Reserve(s.me, next.ID, 1, 90))
			require.ErrorIs(t, budget.Reserve(s.me, next.ID, 1, 91), fail.ErrLimitReached)
			require.True(t, platform.IsMissing(budget.Reserve(s.me, turn.ID, 1, 0)), "a turn that has ended")
		})
	}
}

func TestTheReservationOfAProcessThatDiedEndsWithItsLease(t *testing.T) {
	t.Parallel()
	s := metered(t, usage.Limits{usage.Cost: 100})
	budget, lost, next := money(s, 100), s.running(t), s.running(t)
	require.NoError(t, budget.Reserve(s.me, lost.ID, 1, 100))
	require.ErrorIs(t, budget.Reserve(s.me, next.ID, 1, 1), fail.ErrLimitReached)
	s.exec(t, "UPDATE llm_turns SET lease_until = now() - interval '1 s' WHERE id = $1", lost.ID)
	require.NoError(t, budget.Reserve(s.me, next.ID, 1, 100))
	again, err := s.resume(lost)
	require.NoError(t, err)
	require.True(t, again.CostLimited)
	require.ErrorIs(t, budget.Reserve(s.me, lost.ID, 2, 1), fail.ErrLimitReached, "the attempt that takes it up begins anew")
	require.NoError(t, s.finishes(next, costs(0)))
	require.NoError(t, budget.Reserve(s.me, lost.ID, 2, 100))
	require.True(t, platform.IsMissing(budget.Reserve(s.me, lost.ID, 1, 1)), "the first attempt")
	require.Zero(t, s.spent(t))
}

func TestATurnIsRefusedBeforeItIsStoredWhereTheLimitOfCostsIsReached(t *testing.T) {
	t.Parallel()
	s := metered(t, usage.Limits{usage.Cost: 100})
	first := s.running(t)
	require.True(t, first.CostLimited)
	require.NoError(t, s.finishes(first, costs(100)))
	thread := s.thread(t, s.me, nil, now)
	_, err := s.start(s.me, thread.ID, time.Hour)
	require.ErrorIs(t, err, fail.ErrLimitReached)
	require.Empty(t, s.said(t, thread.ID))

	s.exec(t, "INSERT INTO model_keys VALUES ($1, 'openai', '', '', NULL, $1, now())", s.workspace)
	turn, err := s.start(s.me, thread.ID, time.Hour)
	require.NoError(t, err, "it may ask with its own key")
	require.ErrorIs(t, money(s, 100).Reserve(s.me, turn.ID, 1, 1), fail.ErrLimitReached, "and not with the operator's")
}

func TestAWorkspacesOwnLimitOfCostsGoesBeforeTheSettings(t *testing.T) {
	t.Parallel()
	s := metered(t, nil)
	require.False(t, s.running(t).CostLimited)
	s.exec(t, "INSERT INTO workspace_limits VALUES ($1, 'cost_micros', 50)", s.workspace)
	turn := s.running(t)
	require.True(t, turn.CostLimited)
	require.ErrorIs(t, money(s, 0).Reserve(s.me, turn.ID, 1, 51), fail.ErrLimitReached)
	require.NoError(t, money(s, 10).Reserve(s.me, turn.ID, 1, 50))
	s.exec(t, "UPDATE workspace_limits SET most = 0")
	require.NoError(t, money(s, 10).Reserve(s.me, turn.ID, 1, 1_000), "0 is no limit")
}

// What an attempt has used that failed is paid for, though another one continues the turn.
func TestEveryAttemptAtATurnIsPaidFor(t *testing.T) {
	t.Parallel()
	s := metered(t, usage.Limits{usage.Cost: 1000})
	turn := s.running(t)
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error {
		return s.turns.Fail(ctx, turn, costs(100), "broke off", domain.Failure{Code: "X"}, now)
	}))
	again, err := s.resume(turn)
	require.NoError(t, err)
	require.NoError(t, s.finishes(*again, costs(200)))
	require.EqualValues(t, 300, s.spent(t))
	require.Equal(t, [3]int{1, 2, 14}, s.used(t))
	var count, tokens, micros int
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT sum(count), sum(input_tokens + output_tokens), sum(cost_micros) FROM analytics_outbox").Scan(&count, &tokens, &micros))
	require.Equal(t, []int{1, 14, 300}, []int{count, tokens, micros}, "one turn, and what both attempts have used")
}

// An attempt that ends without anybody knowing what it has used has used what it had reserved.
func TestWhatIsNotKnownCostsWhatWasReserved(t *testing.T) {
	t.Parallel()
	s := metered(t, usage.Limits{usage.Cost: 1000})
	turn := s.running(t)
	require.NoError(t, money(s, 1000).Reserve(s.me, turn.ID, 1, 80))
	require.NoError(t, s.cancel(turn, "hel"))
	require.EqualValues(t, 80, s.spent(t))
}

func TestTheWarningOfCostsIsQueued(t *testing.T) {
	t.Parallel()
	s := metered(t, usage.Limits{usage.Cost: 100})
	require.NoError(t, s.finishes(s.running(t), costs(80)))
	var payload string
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT payload - 'month' - 'resets_at' FROM job_queue WHERE kind = $1", usage.Kind).Scan(&payload))
	require.JSONEq(t, `{"metric": "cost_micros", "used": 80, "limit": 100}`, payload)
}

// The turns of one workspace whose processes have died do not keep another workspace's from being taken up again.
func TestAbandonedTurnsAreTakenUpFairly(t *testing.T) {
	t.Parallel()
	s := metered(t, nil)
	for range 6 {
		s.running(t)
	}
	theirs, err := s.start(s.them, s.thread(t, s.them, nil, now).ID, time.Hour)
	require.NoError(t, err)
	s.exec(t, "UPDATE llm_turns SET lease_until = now() - interval '1 h' WHERE id <> $1", theirs.ID)
	s.exec(t, "UPDATE llm_turns SET lease_until = now() - interval '1 s' WHERE id = $1", theirs.ID)
	list, err := s.turns.Abandoned(t.Context(), 2)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, theirs.OperationID, list[1].OperationID)
}
