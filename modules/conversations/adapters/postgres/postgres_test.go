package postgres_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/events"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	platform "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/testing/pgtest"
	"github.com/parley/parley/platform/work/jobs"
	platformevents "github.com/parley/parley/platform/work/outbound"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

var now = time.Now().UTC().Truncate(time.Microsecond)

type bundle struct {
	db        *platform.DB
	su        *pgx.Conn
	threads   *postgres.Threads
	turns     *postgres.Turns
	me        context.Context
	them      context.Context // another workspace
	workspace uuid.UUID
	by        uuid.UUID
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := pg.URL(t)
	s := &bundle{db: pg.Open(t, url), su: pg.Superuser(t, url), by: uuid.New(), workspace: uuid.New()}
	s.threads, s.turns = postgres.NewThreads(s.db), postgres.NewTurns(s.db, domain.ModelName{Provider: domain.Echo, Name: domain.Echo}, events.Events{Publisher: platformevents.NewPublisher(s.db, jobs.NewQueue(s.db, jobs.NewRegistry()), time.Now)}, nil)
	s.me, s.them = callctx.As(t.Context(), s.workspace, s.by), callctx.As(t.Context(), uuid.New(), s.by)
	for _, ctx := range []context.Context{s.me, s.them} {
		s.exec(t, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", callctx.From(ctx).Principal.WorkspaceID)
	}
	return s
}

func (s *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := s.su.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// bot stores one in version 1.
func (s *bundle) bot(t *testing.T) uuid.UUID {
	t.Helper()
	bot := uuid.New()
	s.exec(t, `WITH b AS (INSERT INTO bots VALUES ($1, $2, 'Ada', 'draft', 1, $2, now(), now()))
		INSERT INTO bot_versions VALUES ($1, $2, 1, 'one', '{"n": 1}', $2, now())`, s.workspace, bot)
	return bot
}

func (s *bundle) thread(t *testing.T, ctx context.Context, bot *uuid.UUID, at time.Time) domain.Thread { //nolint:revive // t first
	t.Helper()
	thread := domain.NewThread(callctx.From(ctx).Principal.WorkspaceID, s.by, bot, at)
	require.NoError(t, s.db.Write(ctx, func(ctx context.Context) error { return s.threads.Create(ctx, thread) }))
	return thread
}

// start begins a turn of a new operation.
func (s *bundle) start(ctx context.Context, thread uuid.UUID, lease time.Duration) (domain.Turn, error) {
	turn, err := domain.NewTurn(thread, s.by, uuid.New(), "Hi", lease, now)
	if err != nil {
		return turn, err
	}
	return turn, s.db.WriteOnce(ctx, func(ctx context.Context) error { return s.turns.Start(ctx, &turn) })
}

func (s *bundle) resume(turn domain.Turn) (again *domain.Turn, err error) {
	err = s.db.Write(s.me, func(ctx context.Context) (err error) {
		again, err = s.turns.Resume(ctx, turn.ActorID, turn.OperationID, now.Add(time.Hour))
		return err
	})
	return again, err
}

func (s *bundle) complete(turn domain.Turn, text string) error {
	return s.db.Write(s.me, func(ctx context.Context) error {
		return s.turns.Complete(ctx, turn, turn.Answer(text, now), domain.Reply{Content: text, Latency: time.Second})
	})
}

func (s *bundle) fail(turn domain.Turn) error {
	return s.db.Write(s.me, func(ctx context.Context) error {
		return s.turns.Fail(ctx, turn, domain.Reply{}, "no answer", domain.Failure{Code: "DOWNSTREAM_UNAVAILABLE", Message: "later"}, now)
	})
}

// said gives the thread as one reads it.
func (s *bundle) said(t *testing.T, thread uuid.UUID) (said []string) {
	t.Helper()
	messages, err := s.threads.Messages(s.me, thread, ports.Reading{}, 100)
	require.NoError(t, err)
	for _, m := range messages {
		said = append(said, string(m.Role)+" "+m.Content)
	}
	return said
}

func TestATurnIsNumberedAndPinsTheVersionOfThatMoment(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.bot(t)
	thread := s.thread(t, s.me, &bot, now)
	first, err := s.start(s.me, thread.ID, time.Hour)
	require.NoError(t, err)
	require.EqualValues(t, 1, first.User.Seq)
	require.Equal(t, &domain.Pinned{BotID: bot, Version: 1, Instruction: "one", Settings: []byte(`{"n": 1}`)}, first.Pinned)
	s.exec(t, `WITH v AS (INSERT INTO bot_versions VALUES ($1, $2, 2, 'two', '{}', $2, now())) UPDATE bots SET published_version = 2`, s.workspace, bot)
	require.NoError(t, s.complete(first, "one"))

	second, err := s.start(s.me, thread.ID, time.Hour)
	require.NoError(t, err)
	require.EqualValues(t, 3, second.User.Seq)
	require.Equal(t, "two", second.Pinned.Instruction)
	require.NoError(t, s.fail(second))
	s.exec(t, `WITH v AS (INSERT INTO bot_versions VALUES ($1, $2, 3, 'three', '{}', $2, now())) UPDATE bots SET published_version = 3`, s.workspace, bot)
	again, err := s.resume(second)
	require.NoError(t, err)
	require.Equal(t, second.Pinned, again.Pinned, "a retry goes on with the version that was pinned")
	require.Equal(t, []any{2, second.User}, []any{again.Attempt, again.User})

	bare, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	require.Nil(t, bare.Pinned)
}

func TestAThreadThatIsNotThereTakesNoTurn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, id := range map[string]uuid.UUID{"never": uuid.New(), "foreign": s.thread(t, s.them, nil, now).ID} {
		_, err := s.start(s.me, id, time.Hour)
		require.ErrorIs(t, err, ports.ErrThreadNotFound, name)
		_, err = s.threads.Get(s.me, id)
		require.ErrorIs(t, err, ports.ErrThreadNotFound, name)
		_, err = s.threads.Messages(s.me, id, ports.Reading{}, 10)
		require.ErrorIs(t, err, ports.ErrThreadNotFound, name)
		_, err = s.threads.Messages(s.me, id, ports.Reading{Backwards: true}, 10)
		require.ErrorIs(t, err, ports.ErrThreadNotFound, name)
		_, err = s.change(id, ports.ThreadChanges{Title: &name})
		require.ErrorIs(t, err, ports.ErrThreadNotFound, name)
	}
	threads, err := s.threads.List(s.me, ports.ThreadFilter{}, nil, 10)
	require.NoError(t, err)
	require.Empty(t, threads, "a foreign thread is listed")
}

func TestOneTurnAtATimeRunsInAThread(t *testing.T) {
	t.Parallel()
	s := setup(t)
	thread := s.thread(t, s.me, nil, now).ID
	var wg sync.WaitGroup
	var started, busy atomic.Int32
	for range 8 {
		wg.Go(func() {
			switch _, err := s.start(s.me, thread, time.Hour); {
			case err == nil:
				started.Add(1)
			case errors.Is(err, ports.ErrThreadBusy):
				busy.Add(1)
			default:
				require.NoError(t, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, []int32{1, 7}, []int32{started.Load(), busy.Load()})
	require.Equal(t, []string{"user Hi"}, s.said(t, thread), "a refused turn left its message")
	var seq int
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT last_seq FROM threads").Scan(&seq))
	require.Equal(t, 2, seq)
	running, _, err := s.turns.Busy(s.me, thread)
	require.NoError(t, err)
	require.NotEqual(t, uuid.Nil, running)
	none, _, err := s.turns.Busy(s.me, s.thread(t, s.me, nil, now).ID)
	require.NoError(t, err)
	require.Equal(t, uuid.Nil, none)
}

func TestALateAttemptChangesNothing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	thread := s.thread(t, s.me, nil, now).ID
	late, err := s.start(s.me, thread, -time.Minute) // its lease has run out
	require.NoError(t, err)
	holder, err := s.resume(late)
	require.NoError(t, err)
	require.Equal(t, 2, holder.Attempt)
	require.True(t, platform.IsMissing(s.complete(late, "late")))
	require.True(t, platform.IsMissing(s.fail(late)))
	require.Equal(t, []string{"user Hi"}, s.said(t, thread))
	require.NoError(t, s.complete(*holder, "in time"))
	require.True(t, platform.IsMissing(s.complete(*holder, "twice")))
	require.True(t, platform.IsMissing(s.fail(*holder)), "a completed turn fails no more")
	require.Equal(t, []string{"user Hi", "assistant in time"}, s.said(t, thread))
}

func TestWhetherATurnIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lease   time.Duration
		prepare func(t *testing.T, s *bundle, turn domain.Turn)
		want    error
	}{
		"failed":                   {time.Hour, func(t *testing.T, s *bundle, turn domain.Turn) { t.Helper(); require.NoError(t, s.fail(turn)) }, nil},
		"running, lease run out":   {-time.Minute, nil, nil},
		"running, lease still on":  {time.Hour, nil, command.ErrInProgress},
		"completed":                {time.Hour, func(t *testing.T, s *bundle, turn domain.Turn) { t.Helper(); require.NoError(t, s.complete(turn, "x")) }, nil},
		"cancelled":                {time.Hour, func(t *testing.T, s *bundle, turn domain.Turn) { t.Helper(); require.NoError(t, s.cancel(turn, "x")) }, ports.ErrTurnCancelled},
		"failed, thread moved on":  {time.Hour, moveOn(true), ports.ErrTurnMovedOn},
		"failed, another one runs": {time.Hour, moveOn(false), ports.ErrTurnMovedOn},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, test.lease)
			require.NoError(t, err)
			if test.prepare != nil {
				test.prepare(t, s, turn)
			}
			before := s.said(t, turn.ThreadID)
			again, err := s.resume(turn)
			require.Equal(t, before, s.said(t, turn.ThreadID))
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
				return
			}
			require.NoError(t, err)
			if again.Done != nil { // by another operation: this one has no answer yet
				require.Equal(t, []any{turn.ID, "x", 1}, []any{again.ID, again.Done.Content, again.Attempt})
				return
			}
			require.Equal(t, []any{turn.ID, 2, turn.User}, []any{again.ID, again.Attempt, again.User})
			_, err = s.resume(turn)
			require.ErrorIs(t, err, command.ErrInProgress, "two took it up")
			require.NoError(t, s.complete(*again, "at last"))
			require.Equal(t, append(before, "assistant at last"), s.said(t, turn.ThreadID))
		})
	}
}

// moveOn has the turn fail and another one follow in the thread.
func moveOn(complete bool) func(*testing.T, *bundle, domain.Turn) {
	return func(t *testing.T, s *bundle, turn domain.Turn) {
		t.Helper()
		require.NoError(t, s.fail(turn))
		next, err := s.start(s.me, turn.ThreadID, time.Hour)
		require.NoError(t, err)
		if complete {
			require.NoError(t, s.complete(next, "next"))
		}
	}
}

func TestAnOperationOfAnotherActorOrNoneIsNotTakenUp(t *testing.T) {
	t.Parallel()
	s := setup(t)
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, -time.Minute)
	require.NoError(t, err)
	turn.ActorID = uuid.New()
	_, err = s.resume(turn)
	require.ErrorIs(t, err, command.ErrInProgress)
}

func TestAFailedTurnKeepsItsReasonAndItsMessage(t *testing.T) {
	t.Parallel()
	s := setup(t)
	turn, err := s.start(s.me, s.thread(t, s.me, nil, now).ID, time.Hour)
	require.NoError(t, err)
	require.NoError(t, s.fail(turn))
	var status, why string
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT status, error FROM llm_turns").Scan(&status, &why))
	require.Equal(t, []string{"failed", "no answer"}, []string{status, why})
	require.Equal(t, []string{"user Hi"}, s.said(t, turn.ThreadID))
}

func TestAThreadNeedsABotOfItsWorkspace(t *testing.T) {
	t.Parallel()
	s := setup(t)
	active, archived, unknown := s.bot(t), s.bot(t), uuid.New()
	s.exec(t, "UPDATE bots SET status = 'archived' WHERE id = $1", archived)
	for name, test := range map[string]struct {
		caller context.Context
		bot    *uuid.UUID
		want   error
	}{
		"without a bot":               {s.me, nil, nil},
		"with one":                    {s.me, &active, nil},
		"an unknown one":              {s.me, &unknown, ports.ErrBotNotFound},
		"an archived one":             {s.me, &archived, ports.ErrBotArchived},
		"one of another workspace":    {s.them, &active, ports.ErrBotNotFound},
		"archived, another workspace": {s.them, &archived, ports.ErrBotNotFound},
	} {
		thread := domain.NewThread(uuid.Nil, s.by, test.bot, now)
		err := s.db.Write(test.caller, func(ctx context.Context) error { return s.threads.Create(ctx, thread) })
		require.ErrorIs(t, err, test.want, name)
		_, err = s.threads.Get(test.caller, thread.ID)
		if test.want == nil {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, ports.ErrThreadNotFound, name)
		}
	}
}

func TestPagesOfThreadsAndMessagesNeitherSkipNorRepeat(t *testing.T) {
	t.Parallel()
	s := setup(t)
	want := map[uuid.UUID]bool{}
	var thread uuid.UUID
	for range 7 {
		thread = s.thread(t, s.me, nil, now).ID // all of the same moment
		want[thread] = true
	}
	var after *ports.ThreadPosition
	for range 3 {
		list, err := s.threads.List(s.me, ports.ThreadFilter{}, after, 3)
		require.NoError(t, err)
		for _, l := range list {
			require.True(t, want[l.ID])
			delete(want, l.ID)
		}
		last := list[len(list)-1]
		after = &ports.ThreadPosition{At: last.CreatedAt, ID: last.ID}
	}
	require.Empty(t, want)

	for range 3 {
		turn, err := s.start(s.me, thread, time.Hour)
		require.NoError(t, err)
		require.NoError(t, s.complete(turn, "x"))
	}
	var seqs []int64
	var behind *ports.MessagePosition
	for range 3 {
		list, err := s.threads.Messages(s.me, thread, ports.Reading{After: behind}, 2)
		require.NoError(t, err)
		for _, m := range list {
			seqs = append(seqs, m.Seq)
		}
		behind = &ports.MessagePosition{Seq: list[len(list)-1].Seq}
	}
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6}, seqs, "oldest first")
	end, err := s.threads.Messages(s.me, thread, ports.Reading{After: behind}, 2)
	require.NoError(t, err)
	require.Empty(t, end)
}
