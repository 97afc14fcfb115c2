package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/ops/usage"
)

// process makes one that runs turns, and counts in lost how often it was taken for dead.
func (s *bundle) process(t *testing.T) (p *postgres.Process, lost *int) {
	t.Helper()
	lost = new(int)
	p = &postgres.Process{DB: s.db, ID: uuid.New(), Lease: time.Minute, Lost: func() { *lost++ }}
	require.Zero(t, s.beat(t, p))
	return p, lost
}

func (s *bundle) beat(t *testing.T, p *postgres.Process) int {
	t.Helper()
	n, err := p.Beat(t.Context())
	require.NoError(t, err)
	return n
}

// runs begins a turn in a process.
func (s *bundle) runs(t *testing.T, p *postgres.Process) domain.Turn {
	t.Helper()
	s.turns.In(p.ID)
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	return turn
}

func (s *bundle) cuts(turn domain.Turn, reply domain.Reply) error {
	return s.db.Write(s.me, func(ctx context.Context) error { return s.turns.Cut(ctx, turn, reply, now) })
}

func (s *bundle) abandoned(t *testing.T) (threads []uuid.UUID) {
	t.Helper()
	list, err := s.turns.Abandoned(t.Context(), 100)
	require.NoError(t, err)
	for _, a := range list {
		threads = append(threads, a.ThreadID)
	}
	n, err := postgres.CountAbandoned(t.Context(), s.db, 100)
	require.NoError(t, err)
	require.Len(t, threads, n)
	return threads
}

func TestTheTurnsOfASilentProcessAreGivenBackByAnother(t *testing.T) {
	t.Parallel()
	s := setup(t)
	dead, lost := s.process(t)
	alive, alarmed := s.process(t)
	first, second, kept := s.runs(t, dead), s.runs(t, dead), s.runs(t, alive)
	require.Zero(t, s.beat(t, alive), "it has spoken just now")
	s.exec(t, "UPDATE turn_processes SET lease_until = now() - interval '1 s' WHERE id = $1", dead.ID)
	require.Equal(t, 2, s.beat(t, alive))
	require.ElementsMatch(t, []uuid.UUID{first.ThreadID, second.ThreadID}, s.abandoned(t))
	require.Zero(t, s.beat(t, alive), "once")

	again, err := s.resume(first)
	require.NoError(t, err)
	require.Equal(t, 2, again.Attempt)
	require.Error(t, s.complete(first, "late"), "the process was frozen, and is late")
	require.NoError(t, s.complete(*again, "in time"))
	require.Zero(t, *lost)
	s.beat(t, dead)
	require.Equal(t, 1, *lost, "it is told that its turns are others' by now")
	s.beat(t, dead)
	require.Equal(t, []int{1, 0}, []int{*lost, *alarmed})
	require.NoError(t, s.complete(kept, "x"))
}

// After an outage of the database everybody is late: nobody is taken for dead before all could have spoken.
func TestAProcessThatWasLateItselfJudgesNoOther(t *testing.T) {
	t.Parallel()
	s := setup(t)
	one, lost := s.process(t)
	other, _ := s.process(t)
	s.runs(t, one)
	s.exec(t, "UPDATE turn_processes SET lease_until = now() - interval '1 s'")
	require.Zero(t, s.beat(t, other))
	require.Zero(t, s.beat(t, one))
	require.Zero(t, s.beat(t, other))
	require.Empty(t, s.abandoned(t))
	require.Zero(t, *lost)
}

func TestAProcessThatLeavesGivesItsTurnsBack(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p, lost := s.process(t)
	other, _ := s.process(t)
	gone, kept := s.runs(t, p), s.runs(t, other)
	n, err := p.Leave(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []uuid.UUID{gone.ThreadID}, s.abandoned(t))
	require.Zero(t, s.beat(t, p), "it does not come back")
	var there int
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT count(*) FROM turn_processes").Scan(&there))
	require.Equal(t, []int{1, 0}, []int{there, *lost})
	again, err := s.resume(gone)
	require.NoError(t, err)
	require.NoError(t, s.complete(*again, "x"))
	require.NoError(t, s.complete(kept, "x"))
}

// A turn that another release took up again, which does not say by whom, waits for its own lease.
func TestATurnWithoutAProcessKeepsItsLease(t *testing.T) {
	t.Parallel()
	s := setup(t)
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	dead, _ := s.process(t)
	alive, _ := s.process(t)
	s.exec(t, "UPDATE turn_processes SET lease_until = now() - interval '1 s' WHERE id = $1", dead.ID)
	require.Zero(t, s.beat(t, alive))
	require.Empty(t, s.abandoned(t))
	require.NoError(t, s.complete(turn, "x"))
}

func TestAnAttemptThatIsCutShortIsChargedAndItsTurnGoesOn(t *testing.T) {
	t.Parallel()
	s := metered(t, usage.Limits{usage.Cost: 100, usage.Tokens: 1000})
	budget, turn := money(s, 100), s.running(t)
	require.NoError(t, budget.Reserve(s.me, turn.ID, 1, 40))
	require.NoError(t, s.cuts(turn, costs(30)))
	require.EqualValues(t, 30, s.spent(t))
	require.Len(t, s.abandoned(t), 1)
	freed, err := s.turns.Free(s.me, turn.ThreadID, time.Minute, "another turn")
	require.NoError(t, err)
	require.False(t, freed, "those who go on with it come first")
	again, err := s.resume(turn)
	require.NoError(t, err)
	require.Error(t, s.cuts(turn, costs(30)), "another attempt has begun")
	require.EqualValues(t, 30, s.spent(t))
	require.NoError(t, budget.Reserve(s.me, turn.ID, 2, 50))
	require.NoError(t, s.cuts(*again, domain.Reply{}))
	require.EqualValues(t, 80, s.spent(t), "what it had reserved, where nothing better is known")
	again, err = s.resume(turn)
	require.NoError(t, err)
	require.NoError(t, s.finishes(*again, costs(5)))
	require.EqualValues(t, 85, s.spent(t))
}
