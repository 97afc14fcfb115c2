package jobs_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/jobs"
)

// stage is a handler that holds each attempt until the test ends it.
type stage struct {
	*bundle
	mu    sync.Mutex
	ends  map[int]chan struct{} // of the attempts that run, by the number in their payload
	cause map[int]error         // why the context of one was ended
}

// newStage handles the kinds "a" and "b" in a pool.
func newStage(t *testing.T, pool string) *stage {
	t.Helper()
	s := &stage{bundle: setup(t), ends: map[int]chan struct{}{}, cause: map[int]error{}}
	for _, kind := range []string{"a", "b"} {
		s.register(t, kind, jobs.KindOptions{Pool: pool, MaxAttempts: 1}, s.hold)
	}
	s.register(t, "probe", jobs.KindOptions{Pool: "probes"}, nothing)
	return s
}

func (s *stage) hold(ctx context.Context, j jobs.Job[note]) error {
	end := make(chan struct{})
	s.mu.Lock()
	s.ends[j.Payload.N] = end
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ends, j.Payload.N)
		s.cause[j.Payload.N] = context.Cause(ctx)
	}()
	select {
	case <-end:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start runs jobs in 4 workers and in a pool "p".
func (s *stage) start(t *testing.T, p jobs.Pool) {
	t.Helper()
	o := s.quick()
	o.Lease = time.Minute
	o.Pools = map[string]jobs.Pool{"p": p, "probes": {New: 1}}
	s.run(t, o)
}

func (s *stage) add(ctx context.Context, t *testing.T, kind string, n int, target string) {
	t.Helper()
	s.enqueue(ctx, t, kind, n, jobs.Options{Key: uuid.NewString(), Target: target})
}

func (s *stage) running() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.ends))
}

func (s *stage) end(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ends[n])
}

// requireRunning waits until these run, and then until the queue has been looked through once more.
func (s *stage) requireRunning(t *testing.T, what string, numbers ...int) {
	t.Helper()
	eventually(t, what, func() bool { return slices.Equal(s.running(), numbers) })
	for range 2 {
		done := value[int](t, s.bundle, "SELECT count(*) FROM job_queue WHERE kind = 'probe' AND status = 'done'")
		s.add(s.of(t, s.bID), t, "probe", 0, "")
		eventually(t, "a look", func() bool {
			return value[int](t, s.bundle, "SELECT count(*) FROM job_queue WHERE kind = 'probe' AND status = 'done'") > done
		})
	}
	require.Equal(t, numbers, s.running(), what)
}

func TestNoWorkspaceAndNoKindTakesMoreThanHalfOfTheWorkers(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	for n := range 3 {
		s.add(s.a, t, "a", n, "")
	}
	s.start(t, jobs.Pool{})
	s.requireRunning(t, "half of the workers", 0, 1)
	s.add(s.a, t, "b", 10, "")
	s.add(s.b, t, "a", 11, "")
	s.requireRunning(t, "the other half is for other workspaces, and other kinds", 0, 1)
	s.add(s.b, t, "b", 12, "")
	s.add(s.b, t, "b", 13, "")
	s.requireRunning(t, "another workspace with another kind", 0, 1, 12, 13)
	s.end(0)
	s.requireRunning(t, "the next of the workspace", 1, 2, 12, 13)
}

func TestASlowTargetTakesNoSlotFromOthersAndIsKnownInEachProcess(t *testing.T) {
	t.Parallel()
	s := newStage(t, "p")
	s.start(t, jobs.Pool{Quick: 2, New: 2, Slow: 2, SlowAfter: 50 * time.Millisecond})
	s.add(s.a, t, "a", 0, "slow")
	eventually(t, "it is known as slow", func() bool {
		return value[int](t, s.bundle, "SELECT count(*) FROM job_targets WHERE slow AND target = 'slow' AND until > now()") == 1
	})
	s.add(s.a, t, "a", 1, "slow")
	s.requireRunning(t, "a workspace has half of the slow slots", 0)
	s.add(s.a, t, "a", 2, "other")
	s.requireRunning(t, "the slot for new targets is free", 0, 2)
	s.end(0)
	s.end(2)
	s.requireRunning(t, "it has its turn in the slow slot", 1)

	other := s.quick()
	other.Lease, other.Pools = time.Minute, map[string]jobs.Pool{"p": {Quick: 2, New: 2, Slow: 0}, "probes": {New: 1}}
	s.run(t, other)
	s.add(s.b, t, "a", 3, "slow")
	s.requireRunning(t, "the target of another workspace", 1, 3)
	s.add(s.a, t, "a", 4, "slow")
	s.requireRunning(t, "a process without slow slots leaves it", 1, 3)
}

func TestTargetsThatWereQuickWaitForNoneThatIsNew(t *testing.T) {
	t.Parallel()
	s := newStage(t, "p")
	s.start(t, jobs.Pool{Quick: 1, New: 1, Slow: 1, SlowAfter: time.Minute})
	s.add(s.a, t, "a", 0, "quick")
	s.requireRunning(t, "it is new", 0)
	s.end(0)
	eventually(t, "it is known as quick", func() bool {
		return value[int](t, s.bundle, "SELECT count(*) FROM job_targets WHERE NOT slow AND target = 'quick' AND until > now()") == 1
	})
	s.add(s.a, t, "a", 1, "new")
	s.add(s.b, t, "a", 2, "newer")
	s.requireRunning(t, "one new target has the slot", 1)
	s.add(s.a, t, "a", 3, "quick")
	s.requireRunning(t, "the quick one has its own", 1, 3)
}

func TestASlowAttemptWithoutASlowSlotEndsAndWaitsForOne(t *testing.T) {
	t.Parallel()
	s := newStage(t, "p")
	s.start(t, jobs.Pool{Quick: 2, New: 2, Slow: 1, SlowAfter: 50 * time.Millisecond, EndSlow: true})
	s.add(s.a, t, "a", 0, "slow")
	eventually(t, "it has the slow slot", func() bool {
		return value[int](t, s.bundle, "SELECT count(*) FROM job_targets WHERE slow") == 1
	})
	s.add(s.b, t, "a", 1, "slow too")
	eventually(t, "it is ended", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.cause[1] != nil
	})
	require.ErrorIs(t, s.cause[1], jobs.ErrNoSlowSlot)
	s.requireRunning(t, "it waits", 0)
	s.end(0)
	s.requireRunning(t, "it has the slow slot", 1)
	require.Equal(t, "running 2 0", value[string](t, s.bundle, "SELECT concat_ws(' ', status, attempt, failures) FROM job_queue WHERE payload @> '{\"n\": 1}'"))
	require.Zero(t, s.deadLetters(t), "to wait is no failure")
	s.end(1)
	eventually(t, "done", func() bool {
		return value[int](t, s.bundle, "SELECT count(*) FROM job_queue WHERE kind = 'a' AND status = 'done'") == 2
	})
}

func TestOneTargetHasItsBoundOverAllWorkspaces(t *testing.T) {
	t.Parallel()
	s := newStage(t, "p")
	third := uuid.New()
	_, err := s.su.Exec(t.Context(), "INSERT INTO workspaces VALUES ($1, 'C', now())", third)
	require.NoError(t, err)
	for n := range 4 {
		s.add(s.a, t, "a", n, "host")
		s.add(s.b, t, "a", 10+n, "host")
	}
	s.add(s.a, t, "a", 30, "another")
	s.start(t, jobs.Pool{New: 16, PerTarget: 4})
	s.requireRunning(t, "two of each workspace, and another host", 0, 1, 10, 11, 30)
	s.add(s.of(t, third), t, "a", 20, "host")
	s.requireRunning(t, "four in all", 0, 1, 10, 11, 30)
	s.end(0)
	s.requireRunning(t, "the workspace that was never served", 1, 10, 11, 20, 30)
}
