package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/jobs"
)

func TestAJobThatHasToWaitHasNotFailed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var starts atomic.Int64
	s.register(t, "note", jobs.KindOptions{MaxAttempts: 2}, func(context.Context, jobs.Job[note]) error {
		if starts.Add(1) < 6 {
			return fmt.Errorf("wrapped: %w", jobs.NotYet("others first", time.Millisecond))
		}
		return nil
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	s.run(t, s.quick())
	eventually(t, "it is done", func() bool { return value[string](t, s, "SELECT status FROM job_queue") == "done" })
	require.Equal(t, "6 0 []", value[string](t, s, "SELECT concat_ws(' ', attempt, failures, errors) FROM job_queue"))
}

func TestAJobWaitsForAsLongAsItWasToldTo(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, func(context.Context, jobs.Job[note]) error {
		return fmt.Errorf("wrapped: %w", jobs.RetryAfter(errors.New("busy"), time.Hour))
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	s.run(t, s.quick())
	eventually(t, "a failure", func() bool { return value[int](t, s, "SELECT failures FROM job_queue") == 1 })
	require.InDelta(t, 3600, value[float64](t, s, "SELECT extract(epoch FROM run_at - now())::float8 FROM job_queue"), 60)
	require.Equal(t, "wrapped: busy", value[string](t, s, "SELECT errors->0->>'error' FROM job_queue"))
}

func TestAgainRunsAJobWhereverItIs(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var fails, starts atomic.Int64
	s.register(t, "note", jobs.KindOptions{MaxAttempts: 1}, func(context.Context, jobs.Job[note]) error {
		starts.Add(1)
		if fails.Load() > 0 {
			return errors.New("no")
		}
		return nil
	})
	again := func() {
		t.Helper()
		require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error {
			return s.queue.Again(ctx, "note", note{N: 1}, jobs.Options{Key: "k"})
		}))
	}
	state := func() string {
		return value[string](t, s, `SELECT concat_ws(' ', (SELECT string_agg(status, ',') FROM job_queue), (SELECT count(*) FROM dead_letter_queue))`)
	}
	again() // where it never was
	require.Equal(t, "queued 0", state())
	s.run(t, s.quick())
	eventually(t, "it is done", func() bool { return state() == "done 0" })
	fails.Store(1)
	again() // where it was done
	eventually(t, "it is dead", func() bool { return state() == "1" })
	require.EqualValues(t, 2, starts.Load())
	fails.Store(0)
	again() // where it was dead
	eventually(t, "it is done", func() bool { return state() == "done 0" })
	_, err := s.su.Exec(t.Context(), "UPDATE job_queue SET status = 'queued', run_at = now() + interval '1 hour', failures = 3")
	require.NoError(t, err)
	again() // where it waits
	eventually(t, "it is done", func() bool { return state() == "done 0" })
	require.Zero(t, value[int](t, s, "SELECT failures FROM job_queue"), "with all its attempts before it")
}

func TestAgainLeavesAJobThatRunsToIt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var starts atomic.Int64
	running, release := make(chan struct{}, 2), make(chan struct{})
	s.register(t, "note", jobs.KindOptions{}, func(context.Context, jobs.Job[note]) error {
		starts.Add(1)
		running <- struct{}{}
		<-release
		return nil
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{Key: "k"})
	s.run(t, s.quick())
	<-running
	require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error {
		return s.queue.Again(ctx, "note", note{N: 1}, jobs.Options{Key: "k"})
	}))
	close(release)
	eventually(t, "it is done", func() bool { return value[string](t, s, "SELECT status FROM job_queue") == "done" })
	require.EqualValues(t, 1, starts.Load())
}

func TestADeathIsToldInItsTransactionOrIsNone(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{MaxAttempts: 1}, func(context.Context, jobs.Job[note]) error { return errors.New("no") })
	s.register(t, "published", jobs.KindOptions{}, nothing)
	s.enqueue(s.a, t, "note", 7, jobs.Options{Key: "k"})
	var refusals atomic.Int64
	deadLetters := make(chan jobs.DeadLetterDetail, 8)
	o := s.quick()
	o.Lease = time.Minute // nobody takes the job meanwhile for lost
	o.OnDeadLetter = func(ctx context.Context, l jobs.DeadLetterDetail) error {
		if err := s.queue.Enqueue(ctx, "published", note{}, jobs.Options{Key: uuid.NewString(), RunAt: time.Now().Add(time.Hour)}); err != nil {
			return err
		}
		if refusals.Add(1) == 1 {
			return errors.New("cannot be published now")
		}
		deadLetters <- l
		return nil
	}
	s.run(t, o)
	l := <-deadLetters
	eventually(t, "it is dead", func() bool { return s.deadLetters(t) == 1 })
	require.EqualValues(t, 2, refusals.Load(), "what could not be published was tried again")
	require.Equal(t, 1, value[int](t, s, "SELECT count(*) FROM job_queue WHERE kind = 'published'"), "and left nothing behind the first time")
	require.Equal(t, []any{"note", "k", 1, "no"}, []any{l.Kind, l.Key, l.Attempts, l.LastError})
	require.JSONEq(t, `{"n": 7, "text": ""}`, string(l.Payload))
	require.Equal(t, value[string](t, s, "SELECT id::text FROM dead_letter_queue"), l.ID.String())
}

func TestTheDepthOfTheQueueIsCountedOverAllWorkspaces(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	s.many(s.a, t, "note", 3)
	s.enqueue(s.b, t, "note", 1, jobs.Options{RunAt: time.Now().Add(time.Hour)})
	_, err := s.su.Exec(t.Context(), `UPDATE job_queue SET status = 'done', finished_at = now() WHERE id = (SELECT id FROM job_queue WHERE workspace_id = $1 LIMIT 1)`, s.aID)
	require.NoError(t, err)
	_, err = s.su.Exec(t.Context(), `UPDATE job_queue SET run_at = now() - interval '10 s' WHERE workspace_id = $1`, s.aID)
	require.NoError(t, err)
	d, err := s.queue.Depth(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{3, 0, 0}, []int{d.Queued, d.Running, d.Dead})
	require.InDelta(t, 10*time.Second, d.Oldest, float64(5*time.Second))
}
