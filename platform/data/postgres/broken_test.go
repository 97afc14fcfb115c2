package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/fail"
)

// terminate ends every backend that the program has here, idle or at work, and waits until they are gone.
func (s *bundle) terminate(t *testing.T) {
	t.Helper()
	const others = ` FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
	_, err := s.su.Exec(context.Background(), "SELECT pg_terminate_backend(pid)"+others)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var left int
		return s.su.QueryRow(context.Background(), "SELECT count(*)"+others).Scan(&left) == nil && left == 0
	}, time.Minute, time.Millisecond)
}

func TestConnectionsThatWereEndedWhileIdleTroubleNobody(t *testing.T) {
	t.Parallel()
	s := setup(t, 8)
	count := func(ctx context.Context) error {
		return s.db.In(ctx).QueryRow(ctx, "SELECT count(*) FROM threads").Scan(new(int))
	}
	for name, work := range map[string]func() error{
		"a read":  func() error { return count(s.a) },
		"a write": func() error { return s.db.Write(s.a, func(ctx context.Context) error { return s.insert(ctx, s.aID) }) },
		"a write once": func() error {
			return s.db.WriteOnce(s.a, func(ctx context.Context) error { return errors.Join(s.insert(ctx, s.aID), count(ctx)) })
		},
		"a write that asks": func() error {
			return s.db.Write(s.a, func(ctx context.Context) error { return errors.Join(count(ctx), s.insert(ctx, s.aID)) })
		},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they share the pool
			var busy sync.WaitGroup // so that the pool has several connections
			for range 8 {
				busy.Go(func() { _ = s.db.In(s.a).QueryRow(s.a, "SELECT pg_sleep(0.02)::text").Scan(new(string)) })
			}
			busy.Wait()
			s.terminate(t)
			before := s.stored(t, s.aID)
			for range 8 {
				require.NoError(t, work())
			}
			want := before + 8
			if name == "a read" {
				want = before
			}
			require.Equal(t, want, s.stored(t, s.aID))
		})
	}
}

// cutAtWork ends the backend of a piece of work while it runs.
func (s *bundle) cutAtWork(t *testing.T, work func() error) error {
	t.Helper()
	failed := make(chan error, 1)
	go func() { failed <- work() }()
	require.Eventually(t, func() bool {
		var at int
		return s.su.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep' AND datname = current_database()`).Scan(&at) == nil && at == 1
	}, time.Minute, time.Millisecond)
	_, err := s.su.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
	require.NoError(t, err)
	return <-failed
}

func TestWhatCannotHaveChangedAnythingIsSentAgain(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	sleep := func(ctx context.Context) error {
		return s.db.In(ctx).QueryRow(ctx, "SELECT pg_sleep(0.3)::text").Scan(new(string))
	}
	require.NoError(t, s.cutAtWork(t, func() error {
		return s.db.Write(s.a, func(ctx context.Context) error { // the sleep is a part of the first batch, before its end
			if err := s.insert(ctx, s.aID); err != nil {
				return err
			}
			if _, err := s.db.In(ctx).Exec(ctx, "SELECT pg_sleep(0.3)"); err != nil {
				return err
			}
			return s.db.Flush(ctx)
		})
	}))
	require.Equal(t, 2, s.stored(t, s.aID), "its effect is there once")
	require.NoError(t, sleep(s.a))
}

func TestWhatMayHaveBeenCommittedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	err := s.cutAtWork(t, func() error {
		return s.db.Write(s.a, func(ctx context.Context) error {
			_, err := s.db.In(ctx).Exec(ctx, "SELECT pg_sleep(0.3)")
			return errors.Join(s.insert(ctx, s.aID), err)
		})
	})
	require.ErrorIs(t, err, fail.ErrUnavailable)
	require.Equal(t, 1, s.stored(t, s.aID), "nothing was done, and no call succeeded")
}

func TestALookAtAConnectionWaitsForNobodyWhoReadsIt(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	conn := s.db.Raw(t.Context(), t)
	wire := conn.Conn().PgConn().Conn()
	reading := make(chan struct{})
	go func() { // as the driver does after a write that was slow
		close(reading)
		_, _ = wire.Read(make([]byte, 1))
	}()
	<-reading
	looked := make(chan bool, 1)
	go func() {
		hungUp := false
		for range 1000 {
			hungUp = hungUp || postgres.HungUp(conn)
		}
		looked <- hungUp
	}()
	select {
	case hungUp := <-looked:
		require.False(t, hungUp)
	case <-time.After(10 * time.Second):
		t.Fatal("it waits")
	}
	require.NoError(t, wire.Close())
}
