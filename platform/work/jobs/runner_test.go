package jobs_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/jobs"
)

func TestAStopLetsARunningJobEndAndClaimsNoMore(t *testing.T) {
	t.Parallel()
	s := setup(t)
	started, end := make(chan int, 2), make(chan struct{})
	s.register(t, "note", jobs.KindOptions{}, func(ctx context.Context, j jobs.Job[note]) error {
		started <- j.Payload.N
		<-end
		return ctx.Err() // which has not ended
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{Key: "1"})
	o := s.quick()
	r := s.run(t, o)
	receive(t, started, "the job")
	stopped := make(chan struct{})
	go func() {
		stop(r, time.Minute)
		close(stopped)
	}()
	<-r.Halted()
	s.enqueue(s.a, t, "note", 2, jobs.Options{Key: "2", RunAt: time.Now().Add(time.Second)})
	_, err := s.su.Exec(t.Context(), "UPDATE job_queue SET run_at = now() WHERE key = '2'")
	require.NoError(t, err)
	close(end)
	receive(t, stopped, "the end of the stop")
	require.Equal(t, 1, s.count(t, "done"))
}

func TestWhatAStopCutsOffIsAnothersAtOnceAndHasNotFailed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	started, cause := make(chan int, 2), make(chan error, 1)
	s.register(t, "note", jobs.KindOptions{MaxAttempts: 1}, func(ctx context.Context, j jobs.Job[note]) error {
		started <- j.Attempt
		if j.Attempt == 1 {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return ctx.Err()
		}
		return nil
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	leases := s.quick()
	leases.Lease, leases.Workers = time.Hour, 1 // nothing but the release brings it back
	r := s.run(t, leases)
	receive(t, started, "the first attempt")
	waiting := s.quick()
	waiting.Lease, waiting.Poll, waiting.ListenURL = time.Hour, time.Hour, s.url
	s.run(t, waiting)
	eventually(t, "the other listens, and has looked", func() bool {
		return s.listeners(t) == 1 && value[bool](t, s, `SELECT bool_and(now() - state_change > interval '200 ms') FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	})
	stop(r, 0)
	require.ErrorIs(t, receive(t, cause, "the end of its context"), jobs.ErrStopping)
	require.Equal(t, 2, receive(t, started, "the second attempt"))
	eventually(t, "done", func() bool { return s.count(t, "done") == 1 })
	require.Equal(t, "2 0 []", value[string](t, s, "SELECT concat_ws(' ', attempt, failures, errors) FROM job_queue"))
	require.Zero(t, s.deadLetters(t))
}

func (s *bundle) listeners(t *testing.T) int {
	t.Helper()
	return value[int](t, s, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parley listener'
		AND query LIKE '%LISTEN%' AND state = 'idle'`)
}

func TestANotificationWakesAWorkerThatDoesNotLook(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	o := s.quick()
	o.Poll, o.ListenURL = time.Hour, s.url
	s.run(t, o)
	eventually(t, "it listens", func() bool { return s.listeners(t) == 1 })
	for n := range 3 {
		s.enqueue(s.of(t, s.aID), t, "note", n, jobs.Options{})
		eventually(t, "done", func() bool { return s.count(t, "done") == n+1 })
	}
	// A connection that is lost is made anew, and what came meanwhile is seen.
	for n := 3; n < 6; n++ {
		_, err := s.su.Exec(t.Context(), "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parley listener'")
		require.NoError(t, err)
		s.enqueue(s.of(t, s.aID), t, "note", n, jobs.Options{})
		eventually(t, "done", func() bool { return s.count(t, "done") == n+1 })
	}
}

func TestWithoutNotificationsJobsAreFoundByLooking(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	s.run(t, s.quick())
	s.enqueue(s.a, t, "note", 1, jobs.Options{RunAt: time.Now().Add(50 * time.Millisecond)})
	eventually(t, "done", func() bool { return s.count(t, "done") == 1 })
}

func TestAWorkerSurvivesTheLossOfEveryConnection(t *testing.T) {
	t.Parallel()
	s := setup(t)
	started, end := make(chan int, 1), make(chan struct{})
	s.register(t, "note", jobs.KindOptions{}, func(_ context.Context, j jobs.Job[note]) error {
		if j.Payload.N == 0 {
			started <- 0
			<-end
		}
		return nil
	})
	s.enqueue(s.a, t, "note", 0, jobs.Options{})
	o := s.quick()
	o.ListenURL, o.Lease = s.url, 5*time.Second
	s.run(t, o)
	receive(t, started, "the job")
	_, err := s.su.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	close(end) // its outcome meets dead connections
	eventually(t, "done", func() bool { return s.count(t, "done") == 1 })
	require.Equal(t, 1, value[int](t, s, "SELECT attempt FROM job_queue"), "it was done twice")
	eventually(t, "a new one is taken", func() bool {
		return s.db.Write(s.of(t, s.aID), func(ctx context.Context) error { return s.queue.Enqueue(ctx, "note", note{N: 1}, jobs.Options{}) }) == nil
	})
	eventually(t, "done too", func() bool { return s.count(t, "done") >= 2 })
}

// More groups than one look sees: each is reached, those that have nothing due included.
func TestMoreTenantsThanOneLookSeesAreAllServed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	_, err := s.su.Exec(t.Context(), "INSERT INTO workspaces SELECT gen_random_uuid(), 'x', now() FROM generate_series(1, 1300)")
	require.NoError(t, err)
	_, err = s.su.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, run_at)
		SELECT id, gen_random_uuid(), 'note', 'k', '{}', '', 1, now() + CASE WHEN random() < 0.9 THEN interval '1 h' ELSE interval '0' END FROM workspaces`)
	require.NoError(t, err)
	due := value[int](t, s, "SELECT count(*) FROM job_queue WHERE run_at <= now()")
	s.run(t, s.quick())
	eventually(t, "all that are due", func() bool { return s.count(t, "done") == due })
}

func TestTwoRunnersDoEachJobOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var done atomic.Int64
	s.register(t, "note", jobs.KindOptions{}, func(context.Context, jobs.Job[note]) error {
		done.Add(1)
		return nil
	})
	s.many(s.a, t, "note", 300)
	s.many(s.b, t, "note", 300)
	for range 3 {
		o := s.quick()
		o.Lease = time.Minute
		s.run(t, o)
	}
	eventually(t, "all", func() bool { return s.count(t, "done") == 600 })
	require.EqualValues(t, 600, done.Load())
	require.Equal(t, 600, value[int](t, s, "SELECT sum(attempt)::int FROM job_queue"))
}

func BenchmarkJobs(b *testing.B) {
	for _, workers := range []int{4, 16} {
		b.Run("workers="+string(rune('0'+workers/10))+string(rune('0'+workers%10)), func(b *testing.B) {
			s := setup(b)
			var left atomic.Int64
			all := make(chan struct{})
			s.register(b, "note", jobs.KindOptions{}, func(context.Context, jobs.Job[note]) error {
				if left.Add(-1) == 0 {
					close(all)
				}
				return nil
			})
			left.Store(int64(b.N))
			s.many(s.a, b, "note", b.N)
			o := s.quick()
			o.Workers, o.Lease = workers, time.Minute
			b.ResetTimer()
			s.run(b, o)
			<-all
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
