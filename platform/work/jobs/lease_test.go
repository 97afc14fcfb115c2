package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/work/jobs"
)

// freeze is what SIGSTOP does to a worker, as far as the database sees it: its heartbeat falls silent.
func (s *bundle) freeze(t *testing.T) {
	t.Helper()
	_, err := s.su.Exec(t.Context(), "UPDATE job_queue SET lease_until = now() - interval '1 s' WHERE status = 'running'")
	require.NoError(t, err)
}

func TestAFrozenWorkerThatFinishesLateDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]error{"succeeds late": nil, "fails late": errors.New("late")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			started, thaw, result := make(chan int, 2), make(chan struct{}), make(chan error, 2)
			s.register(t, "note", jobs.KindOptions{}, func(ctx context.Context, j jobs.Job[note]) error {
				started <- j.Attempt
				if j.Attempt == 1 {
					<-thaw
				}
				err := s.db.Write(context.WithoutCancel(ctx), func(ctx context.Context) error {
					_, err := s.db.In(ctx).Exec(ctx, `INSERT INTO threads (workspace_id, id, status, created_by, created_at)
						VALUES ($1, $2, 'active', $1, now())`, j.WorkspaceID, uuid.New())
					return errors.Join(err, j.Finish(ctx))
				})
				result <- err
				if j.Attempt == 1 {
					return late
				}
				return err
			})
			s.enqueue(s.a, t, "note", 1, jobs.Options{})
			frozen := s.quick()
			frozen.Lease, frozen.Workers = time.Hour, 1 // its heartbeat is silent, and it takes nothing else
			s.run(t, frozen)
			require.Equal(t, 1, receive(t, started, "the first attempt"))
			s.freeze(t)
			other := s.quick()
			s.run(t, other) // rescues it
			require.Equal(t, 2, receive(t, started, "the second attempt"))
			require.NoError(t, receive(t, result, "the second attempt's end"))
			eventually(t, "done", func() bool { return s.count(t, "done") == 1 })
			close(thaw)
			require.True(t, postgres.IsMissing(receive(t, result, "the first attempt's end")), "a late worker's changes were kept")
			eventually(t, "nobody works", func() bool { return s.count(t, "running") == 0 })
			require.Equal(t, 1, value[int](t, s, "SELECT count(*) FROM threads"), "doubled")
			require.Equal(t, "done 2 1", value[string](t, s, "SELECT concat_ws(' ', status, attempt, failures) FROM job_queue"))
			require.Zero(t, s.deadLetters(t))
		})
	}
}

// The late worker wakes while the other is still at it: neither its success nor its failure may touch that attempt.
func TestALateOutcomeDoesNotTouchTheAttemptThatRuns(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]error{"success": nil, "failure": errors.New("late"), "last failure": jobs.Permanent(errors.New("late"))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			started, ends := make(chan int, 2), []chan struct{}{make(chan struct{}), make(chan struct{})}
			s.register(t, "note", jobs.KindOptions{}, func(_ context.Context, j jobs.Job[note]) error {
				started <- j.Attempt
				<-ends[j.Attempt-1]
				if j.Attempt == 1 {
					return late
				}
				return nil
			})
			s.enqueue(s.a, t, "note", 1, jobs.Options{})
			frozen := s.quick()
			frozen.Lease, frozen.Workers = time.Hour, 1
			first := s.run(t, frozen)
			receive(t, started, "the first attempt")
			s.freeze(t)
			s.run(t, s.quick())
			require.Equal(t, 2, receive(t, started, "the second attempt"))
			close(ends[0])
			stop(first, time.Minute) // it has written down its outcome
			require.Equal(t, "running 2 1", value[string](t, s, "SELECT concat_ws(' ', status, attempt, failures) FROM job_queue"))
			close(ends[1])
			eventually(t, "done", func() bool { return s.count(t, "done") == 1 })
			require.Zero(t, s.deadLetters(t))
		})
	}
}

func TestAHeartbeatKeepsALongJob(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var started atomic.Int64
	end := make(chan struct{})
	s.register(t, "note", jobs.KindOptions{}, func(context.Context, jobs.Job[note]) error {
		started.Add(1)
		<-end
		return nil
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	s.run(t, s.quick())
	s.run(t, s.quick()) // would rescue it
	eventually(t, "started", func() bool { return s.count(t, "running") == 1 })
	begun := value[time.Time](t, s, "SELECT lease_until FROM job_queue")
	eventually(t, "three leases later", func() bool {
		return value[bool](t, s, "SELECT lease_until > $1::timestamptz + interval '900 ms' FROM job_queue", begun)
	})
	close(end)
	eventually(t, "done", func() bool { return s.count(t, "done") == 1 })
	require.EqualValues(t, 1, started.Load())
	require.Equal(t, "1 0", value[string](t, s, "SELECT concat_ws(' ', attempt, failures) FROM job_queue"))
}

func TestAHandlerThatDoesNotHeedItsTimeoutLosesItsJob(t *testing.T) {
	t.Parallel()
	s := setup(t)
	started, end := make(chan int, 5), make(chan struct{})
	s.register(t, "note", jobs.KindOptions{Timeout: 50 * time.Millisecond}, func(_ context.Context, j jobs.Job[note]) error {
		started <- j.Attempt
		if j.Attempt == 1 {
			<-end
		}
		return nil
	})
	t.Cleanup(func() { close(end) })
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	s.run(t, s.quick())
	require.Equal(t, 1, receive(t, started, "the first attempt"))
	require.Equal(t, 2, receive(t, started, "the second attempt"))
	eventually(t, "done", func() bool { return s.count(t, "done") == 1 })
}

func TestAHandlerWhoseJobIsAnothersIsToldToEnd(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ended := make(chan error, 1)
	s.register(t, "note", jobs.KindOptions{}, func(ctx context.Context, _ jobs.Job[note]) error {
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	s.run(t, s.quick())
	eventually(t, "running", func() bool { return s.count(t, "running") == 1 })
	_, err := s.su.Exec(t.Context(), "UPDATE job_queue SET attempt = attempt + 1, lease_until = now() + interval '1 h'")
	require.NoError(t, err)
	require.ErrorContains(t, receive(t, ended, "the end of its context"), "another attempt has this job")
	require.Equal(t, 1, s.count(t, "running"))
}

func TestAJobThatKillsItsWorkersDiesInTheEnd(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	_, err := s.su.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, status, attempt, failures, lease_until)
		VALUES ($1, gen_random_uuid(), 'note', 'k', '{}', '', 3, 'running', 3, 2, now() - interval '1 s')`, s.aID)
	require.NoError(t, err)
	s.run(t, s.quick())
	eventually(t, "dead", func() bool { return s.deadLetters(t) == 1 })
	require.Contains(t, value[string](t, s, "SELECT errors -> 0 ->> 'error' FROM dead_letter_queue"), "its worker was lost")
}

// Between the look for lost jobs and the rescue of one, its worker may give a sign of life.
func TestARescueThatComesTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	for name, failures := range map[string]int{"to be put off": 0, "to be buried": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.register(t, "note", jobs.KindOptions{}, nothing)
			_, err := s.su.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, status, attempt, failures, lease_until)
				VALUES ($1, gen_random_uuid(), 'note', 'k', '{}', '', 3, 'running', 3, $2, now() - interval '1 s')`, s.aID, failures)
			require.NoError(t, err)
			tx, err := s.su.Begin(t.Context())
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), "UPDATE job_queue SET lease_until = now() + interval '1 h'") // not committed yet
			require.NoError(t, err)
			s.run(t, s.quick())
			waits := func() bool {
				return value[bool](t, s, "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')")
			}
			eventually(t, "the rescue waits for the row", waits)
			require.NoError(t, tx.Commit(t.Context()))
			eventually(t, "the rescue is over", func() bool { return !waits() })
			require.Equal(t, 1, s.count(t, "running"))
			require.Zero(t, s.deadLetters(t))
		})
	}
}
