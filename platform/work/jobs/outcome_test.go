package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

func TestTheDelayGrowsToItsCapWithFullJitter(t *testing.T) {
	t.Parallel()
	b := jobs.Backoff{Base: time.Second, Cap: 10 * time.Second}
	for failures, most := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 100: 10, 100000: 10} {
		require.Equal(t, most*time.Second, b.Delay(failures, 1), "%d failures", failures)
		require.Equal(t, most*time.Second/2, b.Delay(failures, 0.5), "%d failures", failures)
		require.Zero(t, b.Delay(failures, 0))
	}
}

func TestAFailedJobWaitsAndKeepsWhatWentWrong(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{Backoff: jobs.Backoff{Base: time.Hour, Cap: 100 * time.Hour}}, func(_ context.Context, j jobs.Job[note]) error {
		return fmt.Errorf("no %d\x00\xff", j.Attempt)
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := s.quick()
	o.Random, o.Now = func() float64 { return 0.5 }, func() time.Time { return at }
	s.run(t, o)
	for attempt, hours := range []float64{0.5, 1, 2} {
		eventually(t, "a failure", func() bool {
			return value[int](t, s, "SELECT failures FROM job_queue") == attempt+1
		})
		wait := value[float64](t, s, "SELECT extract(epoch FROM run_at - now())::float8 FROM job_queue")
		require.InDelta(t, hours*3600, wait, 60)
		_, err := s.su.Exec(t.Context(), "UPDATE job_queue SET run_at = now()")
		require.NoError(t, err)
	}
	eventually(t, "four failures", func() bool { return value[int](t, s, "SELECT failures FROM job_queue") == 4 })
	var history []jobs.Failure
	require.NoError(t, json.Unmarshal([]byte(value[string](t, s, "SELECT errors::text FROM job_queue")), &history))
	require.Len(t, history, 4)
	require.Equal(t, jobs.Failure{Attempt: 4, At: at, Error: "no 4��"}, history[3])
}

func TestAJobThatFailsTooOftenGoesToTheDeadLettersWithItsHistory(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{MaxAttempts: 3}, func(_ context.Context, j jobs.Job[note]) error {
		return errors.New(strings.Repeat("ü", 3000) + fmt.Sprint(j.Attempt))
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{Key: "few"})
	s.enqueue(s.a, t, "note", 2, jobs.Options{Key: "many", MaxAttempts: 25, Priority: 5})
	s.run(t, s.quick())
	eventually(t, "both dead", func() bool { return s.deadLetters(t) == 2 })
	require.Zero(t, value[int](t, s, "SELECT count(*) FROM job_queue"), "it is in both tables")
	list, err := s.queue.DeadLetters(s.a, nil, nil, 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, l := range list {
		whole, err := s.queue.DeadLetter(s.a, l.ID)
		require.NoError(t, err)
		want := map[string]int{"few": 3, "many": 25}[l.Key]
		require.Equal(t, want, whole.Failures)
		require.Len(t, whole.Errors, min(want, 20), "the last 20")
		require.Equal(t, want, whole.Errors[len(whole.Errors)-1].Attempt)
		require.Len(t, []rune(whole.LastError), 2000)
		require.Equal(t, "trace-1", whole.TraceID)
		require.Equal(t, callctx.From(s.a).Operation.ID, *whole.OperationID)
	}
	_, err = s.queue.DeadLetter(s.b, list[0].ID)
	require.ErrorIs(t, err, jobs.ErrNoDeadLetter, "another workspace reads it")
}

func TestWhatNobodyCanDoIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	other := jobs.NewRegistry() // of another version of the program
	require.NoError(t, jobs.Register(other, "unknown", jobs.KindOptions{}, nothing))
	require.NoError(t, jobs.Register(other, "note", jobs.KindOptions{}, nothing))
	for _, kind := range []string{"note", "hopeless"} {
		s.register(t, kind, jobs.KindOptions{}, func(context.Context, jobs.Job[note]) error {
			return fmt.Errorf("wrapped: %w", jobs.Permanent(errors.New("never")))
		})
	}
	require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error {
		q := jobs.NewQueue(s.db, other)
		return errors.Join(q.Enqueue(ctx, "unknown", note{}, jobs.Options{}), q.Enqueue(ctx, "note", "poison", jobs.Options{}), s.queue.Enqueue(ctx, "hopeless", note{}, jobs.Options{}))
	}))
	s.run(t, s.quick())
	eventually(t, "all dead", func() bool { return s.deadLetters(t) == 3 })
	for kind, want := range map[string]string{"unknown": "nobody handles", "note": "the payload is not one of note", "hopeless": "wrapped: never"} {
		list, err := s.queue.DeadLetters(s.a, &kind, nil, 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Contains(t, list[0].LastError, want)
		require.Equal(t, 1, list[0].Attempts)
	}
}

func TestAPanicIsAFailureWhoseStackIsInTheLogAlone(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{MaxAttempts: 1}, func(context.Context, jobs.Job[note]) error { panic("oops") })
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	var log lockedBuffer
	o := s.quick()
	o.Log = slog.New(slog.NewJSONHandler(&log, nil))
	s.run(t, o)
	eventually(t, "dead", func() bool { return s.deadLetters(t) == 1 })
	require.Equal(t, "panic: oops", value[string](t, s, "SELECT errors -> 0 ->> 'error' FROM dead_letter_queue"))
	require.Contains(t, log.String(), "outcome_test.go")
}

func TestAJobThatTakesTooLongFails(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{Timeout: 20 * time.Millisecond, MaxAttempts: 1}, func(ctx context.Context, _ jobs.Job[note]) error {
		<-ctx.Done()
		return ctx.Err()
	})
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	s.run(t, s.quick())
	eventually(t, "dead", func() bool { return s.deadLetters(t) == 1 })
	require.Contains(t, value[string](t, s, "SELECT errors -> 0 ->> 'error' FROM dead_letter_queue"), "longer than its kind may (20ms)")
}

func TestAKindTakesNoMoreWorkersThanItMayAndKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var now, most atomic.Int64
	hold, others := make(chan struct{}), make(chan struct{}, 10)
	s.register(t, "few", jobs.KindOptions{Concurrency: 2}, func(context.Context, jobs.Job[note]) error {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		<-hold
		return nil
	})
	s.register(t, "other", jobs.KindOptions{}, func(context.Context, jobs.Job[note]) error {
		others <- struct{}{}
		return nil
	})
	s.many(s.a, t, "few", 50)
	s.many(s.b, t, "few", 50)
	s.many(s.a, t, "other", 5) // behind a long queue of a kind that may take no more
	o := s.quick()
	o.Workers = 8
	s.run(t, o)
	for range 5 {
		receive(t, others, "the other kind")
	}
	require.EqualValues(t, 2, now.Load())
	close(hold)
	eventually(t, "all", func() bool { return s.count(t, "done") == 105 })
	require.EqualValues(t, 2, most.Load())
}

func TestAHandlerWorksAsItsTenant(t *testing.T) {
	t.Parallel()
	s := setup(t)
	seen := make(chan *callctx.Call, 1)
	workspaces := make(chan int, 1)
	s.register(t, "note", jobs.KindOptions{}, func(ctx context.Context, _ jobs.Job[note]) error {
		var n int
		err := s.db.In(ctx).QueryRow(ctx, "SELECT count(*) FROM workspaces").Scan(&n)
		seen <- callctx.From(ctx)
		workspaces <- n
		if err == nil {
			err = s.db.Write(ctx, func(ctx context.Context) error {
				return s.queue.Enqueue(ctx, "next", note{}, jobs.Options{}) // inherits
			})
		}
		if err == nil {
			err = s.db.Write(ctx, func(ctx context.Context) error {
				if err := s.queue.Enqueue(ctx, "note", note{}, jobs.Options{}); !errors.Is(err, jobs.ErrNoKey) {
					return fmt.Errorf("its own kind under its own key, which would be itself: %w", err)
				}
				return nil
			})
		}
		return err
	})
	s.register(t, "next", jobs.KindOptions{}, nothing)
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	s.run(t, s.quick())
	c, cause := receive(t, seen, "the job"), callctx.From(s.a)
	require.Equal(t, callctx.Principal{WorkspaceID: s.aID}, c.Principal)
	require.Equal(t, cause.Operation.ID, c.Operation.ID)
	require.Equal(t, cause.TraceID, c.TraceID)
	require.Equal(t, 1, <-workspaces, "it sees others' rows")
	eventually(t, "both done", func() bool { return s.count(t, "done") == 2 })
	require.Equal(t, 2, value[int](t, s, "SELECT count(*) FROM job_queue WHERE operation_id = $1 AND trace_id = 'trace-1'", cause.Operation.ID))
}

func TestADeadLetterIsRetriedOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var mended atomic.Bool
	s.register(t, "note", jobs.KindOptions{MaxAttempts: 1}, func(context.Context, jobs.Job[note]) error {
		if mended.Load() {
			return nil
		}
		return errors.New("no")
	})
	s.enqueue(s.a, t, "note", 7, jobs.Options{Key: "k", Priority: 3})
	r := s.run(t, s.quick())
	eventually(t, "dead", func() bool { return s.deadLetters(t) == 1 })
	stop(r, 0)
	dead := value[uuid.UUID](t, s, "SELECT id FROM dead_letter_queue")
	retry := func(ctx context.Context) (done jobs.Retried, err error) {
		err = s.db.Write(ctx, func(ctx context.Context) error {
			done, err = s.queue.Retry(ctx, dead)
			return err
		})
		return done, err
	}
	_, err := retry(s.b)
	require.ErrorIs(t, err, jobs.ErrNoDeadLetter, "another workspace's")
	done, err := retry(s.a)
	require.NoError(t, err)
	require.Equal(t, dead, done.DeadLetterID)
	_, err = retry(s.a)
	require.ErrorIs(t, err, jobs.ErrNoDeadLetter, "a second time")
	require.Equal(t, "k 3 7 0 1 queued", value[string](t, s, "SELECT concat_ws(' ', key, priority, payload ->> 'n', failures, max_attempts, status) FROM job_queue WHERE id = $1", done.JobID))
	mended.Store(true)
	s.run(t, s.quick())
	eventually(t, "done", func() bool { return s.count(t, "done") == 1 })

	_, err = s.su.Exec(t.Context(), `INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, payload, trace_id, priority, attempts, failures, max_attempts, errors)
		VALUES ($1, $2, gen_random_uuid(), 'note', 'k', '{}', '', 0, 1, 1, 1, '[]')`, s.aID, dead)
	require.NoError(t, err)
	_, err = retry(s.a)
	require.ErrorIs(t, err, jobs.ErrKeyTaken, "its job has been done by another way")
	require.Equal(t, 1, s.deadLetters(t), "a dead letter that could not be retried is gone")
}

func TestWhatIsOldIsRemovedAndNothingElse(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, err := s.su.Exec(t.Context(), `
		INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts, status, created_at, finished_at)
		SELECT $1, gen_random_uuid(), 'note', status || days, '{}', '', 1, status, now() - make_interval(days => days),
		       CASE status WHEN 'done' THEN now() - make_interval(days => days) END
		  FROM unnest(ARRAY['queued', 'running', 'done']) status, unnest(ARRAY[6, 8]) days`, s.aID)
	require.NoError(t, err)
	_, err = s.su.Exec(t.Context(), `
		INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, payload, trace_id, priority, attempts, failures, max_attempts, errors, created_at)
		SELECT $1, gen_random_uuid(), gen_random_uuid(), 'note', days::text, '{}', '', 0, 1, 1, 1, '[]', now() - make_interval(days => days)
		  FROM unnest(ARRAY[89, 91]) days`, s.aID)
	require.NoError(t, err)
	require.NoError(t, s.queue.Expiry().Do(t.Context()))
	require.Equal(t, "done6 queued6 queued8 running6 running8", value[string](t, s, "SELECT string_agg(key, ' ' ORDER BY key) FROM job_queue"))
	require.Equal(t, "89", value[string](t, s, "SELECT string_agg(key, ' ') FROM dead_letter_queue"))
}

// lockedBuffer is a log that is written and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
