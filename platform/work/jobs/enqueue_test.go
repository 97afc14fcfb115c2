package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

func nothing(context.Context, jobs.Job[note]) error { return nil }

func TestAJobIsQueuedWithItsCauseOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	broken := errors.New("broken")
	err := s.db.Write(s.a, func(ctx context.Context) error {
		require.NoError(t, s.queue.Enqueue(ctx, "note", note{}, jobs.Options{}))
		require.NoError(t, s.db.Flush(ctx), "the job has reached the database")
		return broken
	})
	require.ErrorIs(t, err, broken)
	require.Zero(t, s.count(t, "queued"), "rolled back, and its job is there")
	require.Error(t, s.queue.Enqueue(s.a, "note", note{}, jobs.Options{}), "outside of any transaction")
	s.enqueue(s.a, t, "note", 1, jobs.Options{})
	require.Equal(t, 1, s.count(t, "queued"))
	c := callctx.From(s.a)
	require.Equal(t, s.aID.String()+" "+c.Operation.ID.String()+" trace-1 "+c.Operation.ID.String(),
		value[string](t, s, "SELECT concat_ws(' ', workspace_id, operation_id, trace_id, key) FROM job_queue"), "workspace, operation, trace and key are the cause's")
}

func TestAJobIsThereOncePerWorkspaceKindAndKey(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, kind := range []string{"note", "other"} {
		s.register(t, kind, jobs.KindOptions{MaxAttempts: 1}, nothing)
	}
	for range 3 { // by the operation
		s.enqueue(s.a, t, "note", 1, jobs.Options{})
	}
	require.Equal(t, 1, s.count(t, "queued"))
	s.enqueue(s.a, t, "other", 1, jobs.Options{})
	s.enqueue(s.a, t, "note", 1, jobs.Options{Key: "k"})
	s.enqueue(s.of(t, s.aID), t, "note", 1, jobs.Options{Key: "k"})
	require.Equal(t, 3, s.count(t, "queued"))
	s.enqueue(s.b, t, "note", 1, jobs.Options{Key: "k"})
	require.Equal(t, 4, s.count(t, "queued"), "another workspace's key is another")

	r := s.run(t, s.quick())
	eventually(t, "all done", func() bool { return s.count(t, "done") == 4 })
	s.enqueue(s.a, t, "note", 1, jobs.Options{Key: "k"})
	require.Zero(t, s.count(t, "queued"), "what is done was done again")
	stop(r, 0)
	_, err := s.su.Exec(t.Context(), `INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, payload, trace_id, priority, attempts, failures, max_attempts, errors)
		VALUES ($1, gen_random_uuid(), gen_random_uuid(), 'note', 'dead', '{}', '', 0, 1, 1, 1, '[]')`, s.aID)
	require.NoError(t, err)
	s.enqueue(s.a, t, "note", 1, jobs.Options{Key: "dead"})
	require.Zero(t, s.count(t, "queued"), "what lies in the dead letters was queued beside it")
}

func TestOfManyEnqueuesAtOnceOneMakesTheJob(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	failed := make(chan error, 16)
	for range cap(failed) {
		go func() {
			failed <- s.db.Write(s.a, func(ctx context.Context) error { return s.queue.Enqueue(ctx, "note", note{}, jobs.Options{}) })
		}()
	}
	for range cap(failed) {
		require.NoError(t, <-failed)
	}
	require.Equal(t, 1, s.count(t, "queued"))
}

func TestWhatCannotBeAJobIsRefusedBeforeItIsQueued(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "note", jobs.KindOptions{}, nothing)
	require.Error(t, jobs.Register(s.registry, "note", jobs.KindOptions{}, nothing), "twice")
	enqueue := func(ctx context.Context, kind string, payload any, key string) error {
		return s.db.Write(ctx, func(ctx context.Context) error {
			return s.queue.Enqueue(ctx, kind, payload, jobs.Options{Key: key})
		})
	}
	require.ErrorIs(t, enqueue(s.a, "nobody's", note{}, ""), jobs.ErrUnknownKind)
	require.ErrorIs(t, enqueue(t.Context(), "note", note{}, "k"), jobs.ErrNoWorkspace)
	require.ErrorIs(t, enqueue(callctx.As(t.Context(), s.aID, uuid.New()), "note", note{}, ""), jobs.ErrNoKey)
	require.ErrorIs(t, enqueue(s.a, "note", note{}, strings.Repeat("k", 513)), jobs.ErrNoKey)
	require.ErrorIs(t, enqueue(s.a, "note", note{Text: "a\x00b"}, ""), jobs.ErrUnstorable)
	require.ErrorIs(t, enqueue(s.a, "note", note{Text: `\` + "\x00"}, ""), jobs.ErrUnstorable)
	require.ErrorIs(t, enqueue(s.a, "note", note{Text: strings.Repeat("x", 1<<20)}, ""), jobs.ErrUnstorable)
	require.ErrorIs(t, enqueue(s.a, "note", func() {}, ""), jobs.ErrUnstorable)
	require.NoError(t, enqueue(s.a, "note", note{Text: `a\u0000b`}, ""), "six characters, no NUL")
}

func TestJobsOfAWorkspaceRunByPriorityThenTimeThenId(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var order []int
	s.register(t, "note", jobs.KindOptions{}, func(_ context.Context, j jobs.Job[note]) error {
		order = append(order, j.Payload.N) // one worker
		return nil
	})
	hour := func(n int) time.Time { return time.Now().Add(time.Duration(n) * time.Hour) }
	for n, o := range []jobs.Options{
		{Priority: 1, RunAt: hour(-9)}, {RunAt: hour(-1)}, {RunAt: hour(-2)}, {RunAt: hour(1)}, {Priority: -1}, {Priority: 1, RunAt: hour(-10)},
	} {
		o.Key = uuid.NewString()
		s.enqueue(s.a, t, "note", n, o)
	}
	o := s.quick()
	o.Workers = 1
	r := s.run(t, o)
	eventually(t, "all that are due", func() bool { return s.count(t, "done") == 5 })
	stop(r, time.Minute)
	require.Equal(t, []int{4, 2, 1, 5, 0}, order)
	require.Equal(t, 1, s.count(t, "queued"), "the one for later has been left")
}

func TestAFloodOfOneTenantKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 4} {
		s := setup(t)
		served := make(chan uuid.UUID, 2000)
		s.register(t, "note", jobs.KindOptions{}, func(_ context.Context, j jobs.Job[note]) error {
			served <- j.WorkspaceID
			return nil
		})
		s.many(s.a, t, "note", 1000)
		s.many(s.b, t, "note", 3) // later, and of no better priority
		o := s.quick()
		o.Workers = workers
		s.run(t, o)
		last := 0
		for place, seen := 1, 0; seen < 3; place++ {
			if receive(t, served, "the jobs of the small tenant") == s.bID {
				seen, last = seen+1, place
			}
		}
		require.LessOrEqual(t, last, 8*workers, "the small tenant waited behind the flood")
	}
}
