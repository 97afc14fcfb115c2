package command_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
)

var errStep = errors.New("the step fails")

func TestAChangeLeavesEffectAuditRowAndAnswerTogether(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := s.call(t, "a")
	first, err := s.p.Run(ctx, s.step)
	require.NoError(t, err)
	require.False(t, first.Replayed)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))

	again, err := s.p.Run(ctx, s.step)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, first.Answer, again.Answer, "the stored answer, byte for byte")
	require.Equal(t, left{1, 1, 1, 1}, s.left(t), "the second call had an effect")

	w := httptest.NewRecorder()
	require.NoError(t, again.Write(w))
	require.Equal(t, http.StatusCreated, w.Code)
	require.Equal(t, []byte("{\"say\":\"done\"}\n"), w.Body.Bytes()) //nolint:testifylint // byte for byte is the promise
	require.Equal(t, []string{"application/json", "/things/1", `"1"`, "true"}, []string{
		w.Header().Get("Content-Type"), w.Header().Get("Location"), w.Header().Get("ETag"), w.Header().Get(command.HeaderReplayed)})
	w = httptest.NewRecorder()
	require.NoError(t, first.Write(w))
	require.NotContains(t, w.Header(), command.HeaderReplayed)
}

func TestTheSameIdForAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	operation := uuid.New()
	_, err := s.p.Run(s.callAs(t, operation, "a"), s.step)
	require.NoError(t, err)
	_, err = s.p.Run(s.callAs(t, operation, "b"), s.step)
	require.ErrorIs(t, err, command.ErrReused)
	require.Equal(t, fail.Invalid, fail.From(err).Kind)
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
}

// The key is (workspace, actor, id): others may use the same id without meeting each other.
func TestTheSameIdOfAnotherActorIsAnotherOperation(t *testing.T) {
	t.Parallel()
	s := setup(t)
	operation := uuid.New()
	for range 2 {
		s.user = uuid.New()
		answer, err := s.p.Run(s.callAs(t, operation, "a"), s.step)
		require.NoError(t, err)
		require.False(t, answer.Replayed)
	}
	require.Equal(t, left{2, 2, 2, 2}, s.left(t))
}

// Whatever fails leaves nothing behind, and the same call may be sent again.
func TestAFailedChangeLeavesNothingAndMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	run := func(step func(s *bundle, ctx context.Context) (command.Outcome, error)) func(*testing.T, *bundle, context.Context) {
		return func(t *testing.T, s *bundle, ctx context.Context) {
			t.Helper()
			_, err := s.p.Run(ctx, func(ctx context.Context) (command.Outcome, error) { return step(s, ctx) })
			require.Error(t, err)
		}
	}
	tests := map[string]func(t *testing.T, s *bundle, ctx context.Context){
		"the step fails": run(func(s *bundle, ctx context.Context) (command.Outcome, error) {
			return command.Outcome{Answer: says(201, "done"), Audit: entry()}, errors.Join(s.effect(ctx), errStep)
		}),
		"an effect fails at the commit": run(func(s *bundle, ctx context.Context) (command.Outcome, error) {
			_, err := s.db.In(ctx).Exec(ctx, "UPDATE threads SET status = 'x'; SELECT 1/0")
			return command.Outcome{Answer: says(201, "done"), Audit: entry()}, errors.Join(s.effect(ctx), err)
		}),
		"the answer cannot be encoded": run(func(s *bundle, ctx context.Context) (command.Outcome, error) {
			return command.Outcome{Answer: func(http.ResponseWriter) error { return errStep }, Audit: entry()}, s.effect(ctx)
		}),
		"the audit entry cannot be encoded": run(func(s *bundle, ctx context.Context) (command.Outcome, error) {
			return command.Outcome{Answer: says(201, "done"), Audit: audit.Entry{Changes: make(chan int)}}, s.effect(ctx)
		}),
		"the audit log cannot be written": func(t *testing.T, s *bundle, ctx context.Context) {
			t.Helper()
			_, err := s.su.Exec(t.Context(), "REVOKE INSERT ON audit_log FROM parley_app")
			require.NoError(t, err)
			_, err = s.p.Run(ctx, s.step)
			require.ErrorContains(t, err, "audit_log")
			_, err = s.su.Exec(t.Context(), "GRANT INSERT ON audit_log TO parley_app")
			require.NoError(t, err)
		},
		"the step panics": func(t *testing.T, s *bundle, ctx context.Context) {
			t.Helper()
			require.PanicsWithValue(t, "boom", func() {
				_, _ = s.p.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
					_ = s.effect(ctx)
					_ = s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int))
					panic("boom")
				})
			})
		},
	}
	for name, failing := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			ctx := s.call(t, "a")
			failing(t, s, ctx)
			require.Equal(t, left{}, s.left(t))
			answer, err := s.p.Run(ctx, s.step)
			require.NoError(t, err)
			require.False(t, answer.Replayed)
			require.Equal(t, left{1, 1, 1, 1}, s.left(t))
		})
	}
}

// 64 repetitions at once, in two processes with two connections each.
func TestManySameCallsAtOnceMakeOneEffect(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, other := s.pipeline(t)
	ctx := s.call(t, "a")
	var wg sync.WaitGroup
	var fresh atomic.Int32
	for i := range 64 {
		wg.Go(func() {
			answer, err := []*command.Pipeline{s.p, other}[i%2].Run(ctx, func(ctx context.Context) (command.Outcome, error) {
				o, err := s.step(ctx)
				return o, err
			})
			require.NoError(t, err)
			if !answer.Replayed {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, fresh.Load())
	require.Equal(t, left{1, 1, 1, 1}, s.left(t))
}

// Repetitions that wait for the first must not take the connections that others need.
func TestManyRepetitionsHoldAtMostOneConnection(t *testing.T) {
	t.Parallel()
	s := setup(t) // two connections
	ctx := s.call(t, "a")
	running, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.p.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
			require.NoError(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)))
			close(running)
			<-release
			return s.step(ctx)
		})
		require.NoError(t, err)
	})
	<-running
	for range 20 {
		wg.Go(func() {
			_, err := s.p.Run(ctx, s.step)
			require.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return s.p.Waiting(ctx) == 21 }, timeout, tick)
	_, err := s.p.Run(s.call(t, "b"), s.step)
	require.NoError(t, err, "another operation finds a connection")
	close(release)
	wg.Wait()
	require.Equal(t, left{2, 2, 2, 2}, s.left(t))
	require.Zero(t, s.p.Waiting(ctx), "the operation is not forgotten: memory grows")
}

func TestARepetitionWaitsNoLongerThanPromised(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := s.call(t, "a")
	running, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.p.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
			close(running)
			<-release
			return s.step(ctx)
		})
		require.NoError(t, err)
	})
	<-running
	_, err := s.p.Run(ctx, s.step) // 2 s
	require.ErrorIs(t, err, command.ErrInProgress)
	require.NotZero(t, fail.From(err).RetryAfter)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.p.Run(gone, s.step)
	require.ErrorIs(t, err, fail.ErrUnavailable, "a caller that went away is no fault of ours")
	close(release)
	wg.Wait()
	require.Zero(t, s.p.Waiting(ctx))
}

// Another process holds the claim in a transaction that has not ended.
func TestARepetitionInAnotherProcessWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end  string // "": it goes on for too long
		want func(t *testing.T, s *bundle, answer command.Answer, err error)
	}{
		"it commits in time": {"COMMIT", func(t *testing.T, s *bundle, answer command.Answer, err error) {
			t.Helper()
			require.NoError(t, err)
			require.True(t, answer.Replayed)
			require.Equal(t, "theirs", string(answer.Body))
			require.Equal(t, left{0, 0, 1, 1}, s.left(t))
		}},
		"it is rolled back": {"ROLLBACK", func(t *testing.T, s *bundle, answer command.Answer, err error) {
			t.Helper()
			require.NoError(t, err)
			require.False(t, answer.Replayed)
			require.Equal(t, left{1, 1, 1, 1}, s.left(t))
		}},
		"it takes too long": {"", func(t *testing.T, s *bundle, _ command.Answer, err error) {
			t.Helper()
			require.ErrorIs(t, err, command.ErrInProgress)
			require.Equal(t, left{}, s.left(t))
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			ctx := s.call(t, "a")
			c := callctx.From(ctx)
			their := pg.Superuser(t, s.url)
			_, err := their.Exec(t.Context(), "BEGIN")
			require.NoError(t, err)
			_, err = their.Exec(t.Context(), `INSERT INTO operations (workspace_id, actor_id, id, fingerprint, finished_at, status, content_type, body)
				VALUES ($1, $2, $3, $4, now(), 200, 'text/plain', 'theirs')`, s.workspace, s.user, c.Operation.ID, c.Operation.Fingerprint)
			require.NoError(t, err)
			type result struct {
				answer command.Answer
				err    error
			}
			got := make(chan result, 1)
			go func() {
				answer, err := s.p.Run(ctx, s.step)
				got <- result{answer, err}
			}()
			if test.end != "" {
				require.Eventually(t, func() (waits bool) {
					require.NoError(t, s.su.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_stat_activity
						WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits))
					return waits
				}, timeout, tick)
				_, err = their.Exec(t.Context(), test.end)
				require.NoError(t, err)
			}
			r := <-got
			test.want(t, s, r.answer, r.err)
		})
	}
}
