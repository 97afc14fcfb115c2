package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

const (
	owner    = "SELECT workspace_id FROM threads"
	raises   = "SELECT app.require(false, 'thread')"
	heldAt   = "SELECT workspace_id FROM threads, pg_advisory_xact_lock_shared($1)" // owner, once the gate is open
	forever  = time.Minute
	gateFrom = ` FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
)

// answer is what became of a read.
type answer struct {
	workspace uuid.UUID
	err       error
}

// ask reads through a pipeline, in the background.
func (s *bundle) ask(ctx context.Context, sql string, args ...any) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		var a answer
		a.err = s.db.InPipeline(ctx).QueryRow(ctx, sql, args...).Scan(&a.workspace)
		c <- a
	}()
	return c
}

// queue is ask for a read that is the n-th to wait.
func (s *bundle) queue(t *testing.T, ctx context.Context, n int, sql string, args ...any) <-chan answer { //nolint:revive // t first, as everywhere
	t.Helper()
	c := s.ask(ctx, sql, args...)
	require.Eventually(t, func() bool { return s.db.Queued() == n }, timeout, tick)
	return c
}

// shut closes a gate, behind which reads of heldAt wait, and gives what opens it.
func (s *bundle) shut(t *testing.T, gate int) (open func()) {
	t.Helper()
	_, err := s.su.Exec(t.Context(), "SELECT pg_advisory_lock($1)", gate)
	require.NoError(t, err)
	return func() {
		_, err := s.su.Exec(context.Background(), "SELECT pg_advisory_unlock($1)", gate)
		require.NoError(t, err)
	}
}

// requireHeld waits until a read stands at the gate.
func (s *bundle) requireHeld(t *testing.T, gate int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int
		return s.su.QueryRow(t.Context(), "SELECT count(*)"+gateFrom, gate).Scan(&n) == nil && n > 0
	}, timeout, tick)
}

// hold closes the first gate, has a read wait there, and gives what opens it.
func (s *bundle) hold(t *testing.T) (first <-chan answer, open func()) {
	t.Helper()
	open = s.shut(t, 1)
	first = s.ask(s.a, heldAt, 1)
	s.requireHeld(t, 1)
	return first, open
}

// requireGot waits for an answer, which must be the row of this workspace.
func requireGot(t *testing.T, workspace uuid.UUID, c <-chan answer) {
	t.Helper()
	a := <-c
	require.NoError(t, a.err)
	require.Equal(t, workspace, a.workspace)
}

// requireInOrder checks that nothing is left over: the pipelines are free, the connections back, both tenants read on.
func (s *bundle) requireInOrder(t *testing.T, pipelines int) {
	t.Helper()
	s.requireNoneOut(t)
	require.Equal(t, pipelines, s.db.FreePipelines())
	s.trips.mu.Lock()
	require.Zero(t, s.trips.open, "the tracer sees the end of each")
	s.trips.mu.Unlock()
	for range 3 {
		requireGot(t, s.aID, s.ask(s.a, owner))
		requireGot(t, s.bID, s.ask(s.b, owner))
	}
}

// stranger is a context whose caller is not let in.
func (s *bundle) stranger() context.Context {
	c := *callctx.From(s.a)
	c.Principal.SessionID = uuid.New()
	return callctx.With(s.a, &c)
}

func TestReadsThatWaitGoInOneRound(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, forever, forever)
	first, open := s.hold(t)
	s.trips.take()
	a := s.queue(t, s.a, 1, owner)
	refused := s.queue(t, s.stranger(), 2, owner)
	b := s.queue(t, s.b, 3, owner)
	missing := s.queue(t, s.b, 4, raises)
	none := s.queue(t, s.a, 5, owner+" WHERE workspace_id = $1", s.bID)
	last := s.queue(t, s.a, 6, owner)
	open()
	requireGot(t, s.aID, first)
	requireGot(t, s.aID, a)
	require.ErrorIs(t, (<-refused).err, fail.ErrUnauthorized)
	requireGot(t, s.bID, b)
	require.True(t, postgres.IsMissing((<-missing).err))
	require.ErrorIs(t, (<-none).err, pgx.ErrNoRows)
	requireGot(t, s.aID, last)
	p := s.db.Pool()
	require.Equal(t, []int64{7, 2, 0}, []int64{p.Pipelined, p.Rounds, p.Dropped})
	_, queries := s.trips.take()
	require.Equal(t, 6, queries, "the tracer sees each")
	s.requireInOrder(t, 1)
}

func TestAReadThatWaitsTooLongGoesAlone(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, tick, forever)
	first, open := s.hold(t)
	requireGot(t, s.bID, s.ask(s.b, owner))
	open()
	requireGot(t, s.aID, first)
	require.Equal(t, int64(1), s.db.Pool().Pipelined)
	s.requireInOrder(t, 1)
}

func TestWhoLeavesAPipelineTroublesNobody(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	s.db.Pipelines(1, forever, forever)
	openNext := s.shut(t, 2)
	first, open := s.hold(t)
	early, leaveEarly := context.WithCancel(s.a)
	late, leaveLate := context.WithCancel(s.b)
	unsent := s.queue(t, early, 1, owner)
	second := s.queue(t, s.a, 2, heldAt, 2)
	unsentToo := s.queue(t, early, 3, owner)
	sent, sentToo := s.queue(t, late, 4, owner), s.queue(t, late, 5, raises)
	stays := s.queue(t, s.b, 6, owner)
	sentLast := s.queue(t, late, 7, owner)
	leaveEarly()
	require.ErrorIs(t, (<-unsent).err, fail.ErrUnavailable)
	require.ErrorIs(t, (<-unsentToo).err, fail.ErrUnavailable)
	open()
	requireGot(t, s.aID, first)
	s.requireHeld(t, 2)
	leaveLate()
	for _, c := range []<-chan answer{sent, sentToo, sentLast} {
		require.ErrorIs(t, (<-c).err, fail.ErrUnavailable)
	}
	openNext()
	requireGot(t, s.aID, second)
	requireGot(t, s.bID, stays)
	p := s.db.Pool()
	require.Equal(t, []int64{6, 2, 0}, []int64{p.Pipelined, p.Rounds, p.Dropped})
	s.requireInOrder(t, 1)
}
