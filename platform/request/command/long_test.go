package command_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
)

var errWork = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the work fails")

// long stores a bot as the beginning of its work and a thread as its end.
func (s *bundle) long() command.Long {
	return command.Long{
		Audit: entry(),
		Begin: func(ctx context.Context) error {
			return s.db.In(ctx).QueryRow(ctx, "UPDATE workspaces SET name = 'begun' RETURNING id").Scan(new(uuid.UUID))
		},
		Resume: func(context.Context) error { return command.ErrInProgress },
		Work:   func(context.Context) error { return nil },
		Finish: func(ctx context.Context) (command.Encoder, error) { return says(200, "done"), s.effect(ctx) },
		Fail: func(ctx context.Context, cause error) error {
			_, err := s.db.In(ctx).Exec(ctx, "UPDATE workspaces SET name = $1", cause.Error())
			return err
		},
	}
}

// state is the name of the workspace, which tells how far a long got.
func (s *bundle) state(t *testing.T) (name string) {
	t.Helper()
	require.NoError(t, s.su.QueryRow(context.Background(), "SELECT name FROM workspaces").Scan(&name))
	return name
}

func TestALongChangeIsDoneOnceAndReplayed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := s.call(t, "a")
	l := s.long()
	l.Work = func(context.Context) error {
		require.Equal(t, left{0, 1, 1, 0}, s.left(t), "claimed and audited before the work")
		require.Equal(t, "begun", s.state(t))
		return nil
	}
	first, err := s.p.RunLong(ctx, l)
	require.NoError(t, err)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
	l.Work = func(context.Context) error { t.Error("worked twice"); return nil }
	again, err := s.p.RunLong(ctx, l)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, first.Answer, again.Answer)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
}

func TestALongChangeHoldsNoConnectionWhileItWorks(t *testing.T) {
	t.Parallel()
	s := setup(t) // two connections
	const many = 6
	var working, wg sync.WaitGroup
	working.Add(many)
	for range many {
		wg.Go(func() {
			l := s.long()
			l.Work = func(context.Context) error { working.Done(); working.Wait(); return nil } // all at once
			_, err := s.p.RunLong(s.call(t, "a"), l)
			require.NoError(t, err)
		})
	}
	wg.Wait()
	require.Equal(t, left{many, many, many, many}, s.left(t))
}

func TestALongChangeGoesOnWhenItsCallerGoesAway(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx, cancel := context.WithCancel(s.call(t, "a"))
	l := s.long()
	l.Work = func(ctx context.Context) error { cancel(); return ctx.Err() }
	_, err := s.p.RunLong(ctx, l)
	require.NoError(t, err)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
}

func TestALongChangeThatCannotBeginLeavesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]func(s *bundle, l *command.Long){
		"Begin fails": func(_ *bundle, l *command.Long) { l.Begin = func(context.Context) error { return errStep } },
		"its query fails": func(s *bundle, l *command.Long) {
			l.Begin = func(ctx context.Context) error {
				return s.db.In(ctx).QueryRow(ctx, "SELECT app.require(false, 'thing')").Scan(new(bool))
			}
		},
		"the audit entry cannot be encoded": func(_ *bundle, l *command.Long) { l.Audit = audit.Entry{Changes: make(chan int)} },
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			l := s.long()
			l.Work = func(context.Context) error { t.Error("worked"); return nil }
			harm(s, &l)
			_, err := s.p.RunLong(s.call(t, "a"), l)
			require.Error(t, err)
			require.Equal(t, left{}, s.left(t))
			require.Equal(t, "Acme", s.state(t))
		})
	}
}

// The work failed: that stays, the answer does not, and the same operation takes the work up again.
func TestAFailedWorkIsKeptAndTakenUpAgain(t *testing.T) {
	t.Parallel()
	s := setup(t)
	operation := uuid.New()
	l := s.long()
	l.Work = func(context.Context) error { return errWork }
	_, err := s.p.RunLong(s.callAs(t, operation, "a"), l)
	require.ErrorIs(t, err, errWork)
	require.Equal(t, left{0, 1, 1, 0}, s.left(t))
	require.Equal(t, errWork.Error(), s.state(t))

	_, err = s.p.RunLong(s.callAs(t, operation, "b"), l)
	require.ErrorIs(t, err, command.ErrReused, "another request under the same id")

	l = s.long()
	resumed := false
	l.Begin = func(ctx context.Context) error { return s.long().Begin(ctx) } // undone by the claim
	l.Resume = func(context.Context) error { resumed = true; return nil }
	answer, err := s.p.RunLong(s.callAs(t, operation, "a"), l)
	require.NoError(t, err)
	require.True(t, resumed)
	require.False(t, answer.Replayed)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t), "one audit row for both attempts")

	answer, err = s.p.RunLong(s.callAs(t, operation, "a"), l)
	require.NoError(t, err)
	require.True(t, answer.Replayed)
}

func TestAWorkThatCannotBeTakenUpSaysWhy(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := s.call(t, "a")
	l := s.long()
	l.Work = func(context.Context) error { return errWork }
	_, err := s.p.RunLong(ctx, l)
	require.ErrorIs(t, err, errWork)
	l.Resume = func(context.Context) error { return errStep }
	l.Work = func(context.Context) error { t.Error("worked"); return nil }
	_, err = s.p.RunLong(ctx, l)
	require.ErrorIs(t, err, errStep)
}

func TestARepetitionOfALongChangeWaitsForTheOtherProcess(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, other := s.pipeline(t)
	ctx := s.call(t, "a")
	working, release := make(chan struct{}), make(chan struct{})
	l := s.long()
	l.Work = func(context.Context) error { close(working); <-release; return nil }
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.p.RunLong(ctx, l)
		require.NoError(t, err)
	})
	<-working
	repeat := s.long()
	repeat.Work = func(context.Context) error { t.Error("worked twice"); return nil }
	_, err := other.RunLong(ctx, repeat) // 2 s
	require.ErrorIs(t, err, command.ErrInProgress)
	gone, cancel := context.WithCancel(ctx)
	repeat.Resume = func(context.Context) error { cancel(); return command.ErrInProgress }
	_, err = other.RunLong(gone, repeat)
	require.ErrorIs(t, err, fail.ErrUnavailable)

	var asked atomic.Bool
	repeat.Resume = func(context.Context) error {
		if !asked.Swap(true) {
			close(release) // the first one comes to its end while we look
		}
		return command.ErrInProgress
	}
	answer, err := other.RunLong(ctx, repeat)
	require.NoError(t, err)
	require.True(t, answer.Replayed)
	wg.Wait()
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
}

// It must not wait for an answer that is not its own, or even receive it.
func TestAnotherRequestUnderAnOperationIsRefusedWhileItsWorkRuns(t *testing.T) {
	t.Parallel()
	s := setup(t)
	operation := uuid.New()
	working, release := make(chan struct{}), make(chan struct{})
	l := s.long()
	l.Work = func(context.Context) error { close(working); <-release; return nil }
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.p.RunLong(s.callAs(t, operation, "a"), l)
		require.NoError(t, err)
	})
	<-working
	repeat := s.long()
	repeat.Work = func(context.Context) error { t.Error("worked twice"); return nil }
	_, other := s.p.RunLong(s.callAs(t, operation, "b"), repeat)
	_, same := s.p.RunLong(s.callAs(t, operation, "a"), repeat)
	close(release)
	wg.Wait()
	require.ErrorIs(t, other, command.ErrReused)
	require.ErrorIs(t, same, command.ErrInProgress)
}

// The lease ran out, another attempt was taken and has finished: what the late one brings is thrown away, and its
// caller gets the answer that was kept.
func TestALateFinisherLosesAndGetsTheAnswerThatWasKept(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, other := s.pipeline(t)
	ctx := s.call(t, "a")
	late := s.long()
	var winner command.Answer
	late.Work = func(context.Context) error {
		l := s.long()
		l.Resume = func(context.Context) error { return nil }
		var err error
		winner, err = other.RunLong(ctx, l)
		require.NoError(t, err)
		return nil
	}
	late.Finish = func(ctx context.Context) (command.Encoder, error) {
		_, err := s.db.In(ctx).Exec(ctx, "SELECT app.require(false, 'turn')") // as the compare and set does
		return says(200, "late"), errors.Join(err, s.effect(ctx))
	}
	answer, err := s.p.RunLong(ctx, late)
	require.NoError(t, err)
	require.Equal(t, winner.Answer, answer.Answer)
	require.True(t, answer.Replayed)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
}

func TestALateFinisherWhoseRivalIsStillAtWorkIsToldSo(t *testing.T) {
	t.Parallel()
	s := setup(t)
	late := s.long()
	late.Finish = func(ctx context.Context) (command.Encoder, error) {
		_, err := s.db.In(ctx).Exec(ctx, "SELECT app.require(false, 'turn')")
		return says(200, "late"), errors.Join(err, s.effect(ctx))
	}
	_, err := s.p.RunLong(s.call(t, "a"), late)
	require.ErrorIs(t, err, command.ErrInProgress)
	require.Equal(t, left{0, 1, 1, 0}, s.left(t))
}

func TestALongChangeWhoseAnswerCannotBeKeptStaysUnfinished(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := s.call(t, "a")
	l := s.long()
	l.Finish = func(ctx context.Context) (command.Encoder, error) { return nil, errors.Join(s.effect(ctx), errStep) }
	_, err := s.p.RunLong(ctx, l)
	require.ErrorIs(t, err, errStep)
	require.Equal(t, left{0, 1, 1, 0}, s.left(t))
	l = s.long()
	l.Resume = func(context.Context) error { return nil }
	_, err = s.p.RunLong(ctx, l)
	require.NoError(t, err)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
}

func TestAPanicInTheWorkIsAFailureAndLeavesTheOperationFree(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := s.call(t, "a")
	l := s.long()
	l.Work = func(context.Context) error { panic("boom") }
	var kept error
	l.Fail = func(_ context.Context, cause error) error {
		kept = cause
		return nil
	}
	_, err := s.p.RunLong(ctx, l)
	require.ErrorIs(t, err, fail.ErrInternal)
	require.ErrorContains(t, kept, "boom", "the work would stay open until its lease ends")
	l = s.long()
	l.Resume = func(context.Context) error { return nil }
	_, err = s.p.RunLong(ctx, l)
	require.NoError(t, err)
	require.Zero(t, s.p.Waiting(ctx))
}
