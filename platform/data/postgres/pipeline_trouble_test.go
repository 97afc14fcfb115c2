package postgres_test

import (
	"context"
	"database/sql/driver"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/fail"
)

func TestWhatABrokenPipelineHasNotAnsweredIsReadAlone(t *testing.T) {
	t.Parallel()
	s := setup(t, 3)
	s.db.Pipelines(1, forever, forever)
	openNext := s.shut(t, 2)
	first, open := s.hold(t)
	answered, second := s.queue(t, s.b, 1, owner), s.queue(t, s.a, 2, heldAt, 2)
	third := s.queue(t, s.b, 3, owner)
	open()
	requireGot(t, s.aID, first)
	requireGot(t, s.bID, answered)
	s.requireHeld(t, 2)
	_, err := s.su.Exec(t.Context(), "SELECT pg_terminate_backend(pid)"+gateFrom, 2)
	require.NoError(t, err)
	require.ErrorIs(t, (<-second).err, fail.ErrUnavailable) // its rows had begun
	requireGot(t, s.bID, third)
	openNext()
	require.Equal(t, int64(1), s.db.Pool().Dropped)
	s.requireInOrder(t, 1)
}

func TestAPipelineThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	s := setup(t, 3)
	s.db.Pipelines(1, forever, time.Second) // which no other read takes, on a machine that is busy too
	first, open := s.hold(t)
	requireGot(t, s.bID, s.ask(s.b, owner))
	s.requireHeld(t, 1) // alone
	open()
	requireGot(t, s.aID, first)
	require.Equal(t, int64(1), s.db.Pool().Dropped)
	s.requireInOrder(t, 1)
}

// makePlanWrong has a table read through a pipeline, and then changes the type of its result.
func (s *bundle) makePlanWrong(t *testing.T) {
	t.Helper()
	_, err := s.su.Exec(t.Context(), "CREATE TABLE changes AS SELECT gen_random_uuid() AS id; GRANT SELECT ON changes TO parley_app")
	require.NoError(t, err)
	require.NoError(t, (<-s.ask(s.a, "SELECT * FROM changes")).err)
	_, err = s.su.Exec(t.Context(), "ALTER TABLE changes ALTER id TYPE text")
	require.NoError(t, err)
}

// A plan that has become wrong, a value that cannot be sent and SQL that is wrong concern one read.
func TestAFailingReadTroublesNobodyInItsPipeline(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, forever, forever)
	s.makePlanWrong(t)
	for name, fails := range map[string]func() error{
		"no such SQL":          func() error { return (<-s.ask(s.a, "SELEKT")).err },
		"no such value":        func() error { return (<-s.ask(s.a, owner+" WHERE workspace_id = $1", struct{}{})).err },
		"a failing query":      func() error { return (<-s.ask(s.a, "SELECT gen_random_uuid() WHERE 1/$1 = 1", 0)).err },
		"a change":             func() error { return (<-s.ask(s.a, insertThread+" RETURNING id", s.aID, uuid.New())).err },
		"an unknown caller":    func() error { return (<-s.ask(s.stranger(), owner)).err },
		"a row that is no row": func() error { return s.db.InPipeline(s.a).QueryRow(s.a, owner).Scan(new(int)) },
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they share the pipeline
			require.Error(t, fails())
			s.requireInOrder(t, 1)
		})
	}
	require.NoError(t, (<-s.ask(s.a, "SELECT * FROM changes")).err, "the plan is made anew")
	require.Equal(t, 1, s.stored(t, s.aID))
}

func TestRowsBehindAnothersTagAreNotBelieved(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	s.db.Pipelines(1, forever, forever)
	require.Error(t, s.db.Mistaken(s.a, owner))
	require.Equal(t, int64(1), s.db.Pool().Dropped)
	s.requireInOrder(t, 1)
}

func TestWhoseTurnItIsLeavesWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, forever, forever)
	open := s.shut(t, 1)
	leaving, leave := context.WithCancel(s.a)
	leaves := s.ask(leaving, heldAt, 1)
	s.requireHeld(t, 1)
	stays := s.queue(t, s.b, 1, owner)
	leave()
	require.ErrorIs(t, (<-leaves).err, fail.ErrUnavailable)
	requireGot(t, s.bID, stays)
	open()
	s.requireInOrder(t, 1)
}

func TestNobodyWaitsForAReadThatAnotherHasLeft(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, forever, forever)
	openNext, openLast := s.shut(t, 2), s.shut(t, 3)
	first, open := s.hold(t)
	second := s.queue(t, s.a, 1, heldAt, 2)
	leaving, leave := context.WithCancel(s.b)
	left := s.queue(t, leaving, 2, heldAt, 3)
	open()
	requireGot(t, s.aID, first)
	s.requireHeld(t, 2)
	leave()
	require.ErrorIs(t, (<-left).err, fail.ErrUnavailable)
	openNext()
	requireGot(t, s.aID, second)
	s.requireHeld(t, 3)
	openLast()
	s.requireInOrder(t, 1)
}

func TestTheFirstOfARoundIsGivenUpAlone(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	s.db.Pipelines(1, forever, forever)
	first, open := s.hold(t)
	other := make(chan *pgxpool.Conn) // is next to have the connection
	go func() { other <- s.db.Raw(context.Background(), t) }()
	require.Eventually(t, s.db.Waits, timeout, tick)
	leaving, leave := context.WithCancel(s.a)
	leaves := s.queue(t, leaving, 1, owner)
	stay := []<-chan answer{s.queue(t, s.b, 2, owner), s.queue(t, s.b, 3, owner)}
	open()
	requireGot(t, s.aID, first)
	busy := <-other
	require.Eventually(t, func() bool { return s.db.Queued() == 0 }, timeout, tick)
	leave()
	require.ErrorIs(t, (<-leaves).err, fail.ErrUnavailable)
	require.Eventually(t, func() bool { return s.db.Queued() == 0 }, timeout, tick)
	busy.Release()
	for _, c := range stay {
		requireGot(t, s.bID, c)
	}
	require.Equal(t, int64(3), s.db.Pool().Pipelined)
	s.requireInOrder(t, 1)
}

func TestALongQueueIsNotLeft(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, time.Second, forever) // all take twice as long, and each a fraction of it, on a machine that is busy too
	const reads = 60
	var all [reads]<-chan answer
	for i := range all {
		all[i] = s.ask(s.a, owner+", pg_sleep(0.033)")
	}
	for _, c := range all {
		requireGot(t, s.aID, c)
	}
	require.Equal(t, int64(reads), s.db.Pool().Pipelined)
}

type panics struct{}

func (panics) Value() (driver.Value, error) { panic("no value") }

func TestAnArgumentThatPanicsHurtsItsOwnReadAlone(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, forever, forever)
	require.Panics(t, func() {
		_ = s.db.InPipeline(s.a).QueryRow(s.a, owner+" WHERE workspace_id = $1", panics{}).Scan(new(uuid.UUID))
	})
	s.requireInOrder(t, 1)
}

func TestAPlanThatHasBecomeWrongIsForgottenByWhoGoesAlone(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	s.db.Pipelines(1, forever, forever)
	s.makePlanWrong(t)
	for range 2 {
		require.NoError(t, s.db.In(s.a).QueryRow(s.a, "SELECT * FROM changes").Scan(new(string)))
	}
}

func TestReadsLeaveConnectionsToChanges(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	require.Equal(t, 1, s.db.FreePipelines(), "of two connections")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 32 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = s.db.InPipeline(s.a).QueryRow(s.a, owner+" LIMIT 1").Scan(new(uuid.UUID))
				}
			}
		})
	}
	for range 50 {
		ctx, cancel := context.WithTimeout(s.a, timeout)
		require.NoError(t, s.db.Write(ctx, func(ctx context.Context) error { return s.insert(ctx, s.aID) }))
		cancel()
	}
	s.db.Close() // which ends though reads go on
	close(stop)
	readers.Wait()
	require.Error(t, (<-s.ask(s.a, owner)).err)
}

func TestOneConnectionIsForChanges(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	requireGot(t, s.aID, s.ask(s.a, owner))
	require.Zero(t, s.db.Pool().Pipelined)
}

// Under load, with callers who are refused, who leave and whose connections break, nobody ever gets what is another's.
func TestPipelinesNeverMixUpTenants(t *testing.T) {
	t.Parallel()
	s := setup(t, 6)
	s.db.Pipelines(2, 5*time.Millisecond, forever)
	stop := make(chan struct{})
	var breaker, callers sync.WaitGroup
	breaker.Go(func() {
		for every := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-stop:
				every.Stop()
				return
			case <-every.C:
			}
			_, _ = s.su.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND random() < 0.2`)
		}
	})
	for i := range 24 {
		ctx, workspace := s.a, s.aID
		if i%2 == 1 {
			ctx, workspace = s.b, s.bID
		}
		callers.Go(func() {
			answered := 0
			for range 200 {
				switch n := rand.IntN(20); n {
				case 0:
					err := s.db.InPipeline(s.stranger()).QueryRow(s.stranger(), owner).Scan(new(uuid.UUID))
					if !check(t, err != nil, "a stranger was let in") {
						return
					}
				case 1, 2:
					leaving, leave := context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
					var got uuid.UUID
					if s.db.InPipeline(leaving).QueryRow(leaving, owner).Scan(&got) == nil && !check(t, got == workspace, "another's row") {
						leave()
						return
					}
					leave()
				default:
					var got uuid.UUID
					if s.db.InPipeline(ctx).QueryRow(ctx, owner).Scan(&got) != nil {
						continue // its connection broke
					}
					answered++
					if !check(t, got == workspace, "another's row") {
						return
					}
				}
			}
			check(t, answered > 50, "most reads are to be answered")
		})
	}
	callers.Wait()
	close(stop)
	breaker.Wait()
	p := s.db.Pool()
	require.Greater(t, p.Pipelined, p.Rounds, "no two reads have shared a round")
	s.terminate(t) // what the pool has left may be broken
	s.requireInOrder(t, 2)
}

// check is require for a goroutine other than the test's.
func check(t *testing.T, ok bool, message string) bool {
	t.Helper()
	if !ok {
		t.Error(message)
	}
	return ok
}
