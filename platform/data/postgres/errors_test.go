package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/fail"
)

func TestWhatTheDatabaseSaysIsTranslated(t *testing.T) {
	t.Parallel()
	s := setup(t, 4)
	raise := func(code string) string {
		return "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '" + code + "'; END $$"
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	var ours *fail.Error
	tests := map[string]struct {
		sql  string
		want func(error) bool
	}{
		"a session that has ended":       {raise("PY401"), is(fail.ErrUnauthorized)},
		"no member":                      {raise("PY403"), is(fail.ErrForbidden)},
		"a limit":                        {raise("PYLIM"), is(fail.ErrLimitReached)},
		"too many":                       {raise("PYRAT"), is(fail.ErrTooMany)},
		"a row that must be there":       {"SELECT app.require(false, 'thread')", postgres.IsMissing},
		"a row that must be there, NULL": {"SELECT app.require(NULL, 'thread')", postgres.IsMissing},
		"a unique key": {"INSERT INTO workspaces SELECT app.workspace_id(), 'x', now()", func(err error) bool {
			return postgres.Violates(err, "workspaces_pkey") && !postgres.Violates(err, "users_email_key") && !postgres.IsMissing(err)
		}},
		"a foreign key": {"UPDATE threads SET bot_id = gen_random_uuid()", func(err error) bool { return postgres.Violates(err, "threads_bot_fkey") }},
		"a check is neither": {"UPDATE threads SET status = 'x'", func(err error) bool {
			return err != nil && !postgres.Violates(err, "threads_status_check") && !errors.As(err, &ours)
		}},
		"a lock that is not had":      {raise("55P03"), postgres.IsLockTimeout},
		"a statement that takes long": {"SET LOCAL statement_timeout = '1ms'; ", nil},
		"canceled by an operator":     {raise("57014"), is(fail.ErrUnavailable)},
		"shutting down":               {raise("57P01"), is(fail.ErrUnavailable)},
		"too many connections":        {raise("53300"), is(fail.ErrUnavailable)},
		"disk full":                   {raise("53100"), is(fail.ErrUnavailable)},
		"deadlock":                    {raise("40P01"), is(fail.ErrUnavailable)},
		"idle too long":               {raise("25P03"), is(fail.ErrUnavailable)},
		"a mistake of ours":           {"SELECT nonsense", func(err error) bool { return err != nil && !errors.As(err, &ours) }},
	}
	delete(tests, "a statement that takes long") // has a test of its own
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := s.db.Write(s.a, func(ctx context.Context) error {
				_, err := s.db.In(ctx).Exec(ctx, test.sql)
				return err
			})
			require.True(t, test.want(err), "%v", err)
		})
	}
}

func TestAStatementThatTakesTooLongIsUnavailable(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	err := s.db.Write(s.a, func(ctx context.Context) error {
		if err := s.db.In(ctx).QueryRow(ctx, "SELECT set_config('statement_timeout', '5ms', true)").Scan(new(string)); err != nil {
			return err
		}
		return s.db.In(ctx).QueryRow(ctx, "SELECT 1 FROM pg_sleep(60)").Scan(new(int))
	})
	require.ErrorIs(t, err, fail.ErrUnavailable)
	s.requireNoneOut(t)
}

func TestALockTimeoutIsTold(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	holder, err := s.su.Begin(t.Context())
	require.NoError(t, err)
	defer holder.Rollback(context.Background())
	_, err = holder.Exec(t.Context(), "LOCK TABLE threads")
	require.NoError(t, err)
	err = s.db.Write(s.a, func(ctx context.Context) error {
		if err := s.db.In(ctx).QueryRow(ctx, "SELECT set_config('lock_timeout', '5ms', true)").Scan(new(string)); err != nil {
			return err
		}
		return s.insert(ctx, s.aID)
	})
	require.True(t, postgres.IsLockTimeout(err), "%v", err)
}

// The server ends our connections, idle or in the middle of a transaction: the call fails as 503, the next one works.
func TestThePoolRecoversFromATerminatedBackend(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	terminate := func() {
		t.Helper()
		_, err := s.su.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
	}
	err := s.db.Write(s.a, func(ctx context.Context) error {
		require.NoError(t, s.insert(ctx, s.aID))
		require.NoError(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)))
		terminate()
		return s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int))
	})
	require.ErrorIs(t, err, fail.ErrUnavailable)
	s.requireNoneOut(t)
	require.Equal(t, 1, s.stored(t, s.aID))
	require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error { return s.insert(ctx, s.aID) }))

	err = s.db.Write(s.a, func(ctx context.Context) error {
		require.NoError(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)))
		terminate()
		return s.insert(ctx, s.aID) // only the commit meets it
	})
	require.ErrorIs(t, err, fail.ErrUnavailable)
	require.Equal(t, 2, s.stored(t, s.aID))

	failed := 0
	terminate() // idle ones now
	require.Eventually(t, func() bool {
		err := s.db.Ping(t.Context())
		if err != nil {
			require.ErrorIs(t, err, fail.ErrUnavailable)
			failed++
		}
		return err == nil
	}, timeout, tick)
	require.LessOrEqual(t, failed, 2, "no more failures than connections")
	require.Equal(t, []uuid.UUID{s.aID}, s.seen(t, s.a), "a new connection has row-level security too")
}

func TestACallThatEndsWhileItWaitsForAConnectionTakesNone(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	s.db.Raw(t.Context(), t) // the only one
	ctx, cancel := context.WithCancel(s.a)
	failed := make(chan error, 1)
	go func() { failed <- s.db.Write(ctx, func(ctx context.Context) error { return s.insert(ctx, s.aID) }) }()
	require.Eventually(t, s.db.Waits, timeout, tick)
	cancel()
	require.ErrorIs(t, <-failed, fail.ErrUnavailable)
	require.EqualValues(t, 1, s.db.Acquired())
}
