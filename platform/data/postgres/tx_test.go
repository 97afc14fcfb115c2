package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/fail"
)

func TestAReadIsReadOnly(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	_, err := s.db.In(s.a).Exec(s.a, insertThread, s.aID, uuid.New())
	require.ErrorContains(t, err, "DB.Write")
	var id uuid.UUID
	err = s.db.In(s.a).QueryRow(s.a, insertThread+" RETURNING id", s.aID, uuid.New()).Scan(&id)
	require.ErrorContains(t, err, "read-only transaction")
	require.Equal(t, 1, s.stored(t, s.aID))
}

// A change takes as few round trips as the package comment promises.
func TestTransactionsTakeNoMoreRoundTripsThanPromised(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	query := func(ctx context.Context) error {
		return s.db.In(ctx).QueryRow(ctx, "SELECT count(*) FROM threads").Scan(new(int))
	}
	effects := func(ctx context.Context) error { return errors.Join(s.insert(ctx, s.aID), s.insert(ctx, s.aID)) }
	tests := map[string]struct {
		work func() error
		want int
	}{
		"a read":              {func() error { return query(s.a) }, 1},
		"effects alone":       {func() error { return s.db.Write(s.a, effects) }, 1},
		"effects alone, once": {func() error { return s.db.WriteOnce(s.a, effects) }, 1},
		"effects and a last query, once": {func() error {
			return s.db.WriteOnce(s.a, func(ctx context.Context) error { return errors.Join(effects(ctx), query(ctx)) })
		}, 1},
		"a query, then effects": {func() error {
			return s.db.Write(s.a, func(ctx context.Context) error { return errors.Join(query(ctx), effects(ctx)) })
		}, 2},
		"two queries": {func() error {
			return s.db.Write(s.a, func(ctx context.Context) error { return errors.Join(query(ctx), query(ctx)) })
		}, 3},
		"nothing": {func() error { return s.db.Write(s.a, func(context.Context) error { return nil }) }, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { // one after the other: they share the counter
			s.trips.take()
			require.NoError(t, test.work())
			batches, queries := s.trips.take()
			require.Equal(t, test.want, batches)
			require.Zero(t, queries, "statements outside of a batch")
		})
	}
}

func TestAWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	taken := uuid.New()
	insert := func(s *bundle, ctx context.Context, id uuid.UUID) error {
		_, err := s.db.In(ctx).Exec(ctx, insertThread, s.aID, id)
		return err
	}
	query := func(s *bundle, ctx context.Context) error {
		return s.db.In(ctx).QueryRow(ctx, "SELECT count(*) FROM threads").Scan(new(int))
	}
	tests := map[string]struct {
		once bool
		work func(s *bundle, ctx context.Context) error
		want func(error) bool // nil: it succeeds
	}{
		"effects alone": {work: func(s *bundle, ctx context.Context) error { return insert(s, ctx, uuid.New()) }},
		"effects round a query": {work: func(s *bundle, ctx context.Context) error {
			return errors.Join(insert(s, ctx, uuid.New()), query(s, ctx))
		}},
		"a queued failure shows at the commit": {
			work: func(s *bundle, ctx context.Context) error {
				return errors.Join(insert(s, ctx, uuid.New()), insert(s, ctx, taken), insert(s, ctx, uuid.New()))
			},
			want: isTaken,
		},
		"a queued failure shows at the next query": {
			work: func(s *bundle, ctx context.Context) error {
				if err := errors.Join(insert(s, ctx, uuid.New()), insert(s, ctx, taken)); err != nil {
					return nil //nolint:nilerr // it must not show yet
				}
				return query(s, ctx)
			},
			want: isTaken,
		},
		"a failure that fn hides is not forgotten": {
			work: func(s *bundle, ctx context.Context) error {
				_ = errors.Join(insert(s, ctx, uuid.New()), insert(s, ctx, taken))
				_ = query(s, ctx)
				return nil
			},
			want: isTaken,
		},
		"nothing runs behind a failure": {
			work: func(s *bundle, ctx context.Context) error {
				_ = insert(s, ctx, taken)
				_ = query(s, ctx)
				_ = insert(s, ctx, uuid.New())
				return query(s, ctx)
			},
			want: isTaken,
		},
		"a failing effect after a query": {
			work: func(s *bundle, ctx context.Context) error {
				return errors.Join(insert(s, ctx, uuid.New()), query(s, ctx), insert(s, ctx, taken))
			},
			want: isTaken,
		},
		"what fn returns undoes all": {
			work: func(s *bundle, ctx context.Context) error {
				return errors.Join(insert(s, ctx, uuid.New()), query(s, ctx), errStop)
			},
			want: func(err error) bool { return errors.Is(err, errStop) },
		},
		"once, an effect fails": {
			once: true,
			work: func(s *bundle, ctx context.Context) error {
				return errors.Join(insert(s, ctx, uuid.New()), insert(s, ctx, taken), query(s, ctx))
			},
			want: isTaken,
		},
		"once, the query fails": {
			once: true,
			work: func(s *bundle, ctx context.Context) error {
				return errors.Join(insert(s, ctx, uuid.New()), s.db.In(ctx).QueryRow(ctx, "SELECT 1/0").Scan(new(int)))
			},
			want: func(err error) bool { return err != nil },
		},
		"once, fn fails before its query": {
			once: true,
			work: func(s *bundle, ctx context.Context) error { return errors.Join(insert(s, ctx, uuid.New()), errStop) },
			want: func(err error) bool { return errors.Is(err, errStop) },
		},
		"once, the entry refuses": {
			once: true,
			work: func(s *bundle, ctx context.Context) error { return errors.Join(s.insert(ctx, s.bID), query(s, ctx)) },
			want: func(err error) bool { return err != nil },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, 1)
			_, err := s.su.Exec(t.Context(), insertThread, s.aID, taken)
			require.NoError(t, err)
			before := s.stored(t, s.aID)
			write := s.db.Write
			if test.once {
				write = s.db.WriteOnce
			}
			err = write(s.a, func(ctx context.Context) error { return test.work(s, ctx) })
			s.requireNoneOut(t)
			if test.want == nil {
				require.NoError(t, err)
				require.Greater(t, s.stored(t, s.aID), before)
				return
			}
			require.True(t, test.want(err), "%v", err)
			require.Equal(t, before, s.stored(t, s.aID), "something stayed")
		})
	}
}

func isTaken(err error) bool { return postgres.Violates(err, "threads_pkey") }

func TestAWriteInsideAWriteIsPartOfIt(t *testing.T) {
	t.Parallel()
	s := setup(t, 1) // with a transaction of its own the inner one would wait for a connection for ever
	for _, inner := range []func(context.Context, func(context.Context) error) error{s.db.Write, s.db.WriteOnce} {
		err := s.db.Write(s.a, func(ctx context.Context) error {
			require.NoError(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)))
			require.NoError(t, inner(ctx, func(ctx context.Context) error {
				require.NoError(t, s.insert(ctx, s.aID))
				return s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int))
			}))
			require.NoError(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)), "the outer transaction goes on")
			return errStop
		})
		require.ErrorIs(t, err, errStop)
		require.Equal(t, 1, s.stored(t, s.aID), "the inner one committed by itself")
	}
}

func TestNothingRunsBehindARefusedEntry(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	ctx := s.session(t, "UPDATE sessions SET revoked_at = now() WHERE true")
	reached := false
	for _, write := range []func(context.Context, func(context.Context) error) error{s.db.Write, s.db.WriteOnce} {
		require.ErrorIs(t, write(ctx, func(ctx context.Context) error { return s.insert(ctx, s.aID) }), fail.ErrUnauthorized)
		require.ErrorIs(t, write(ctx, func(ctx context.Context) error {
			_ = s.insert(ctx, s.aID)
			if err := s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)); err != nil {
				return err
			}
			reached = true
			return nil
		}), fail.ErrUnauthorized)
	}
	require.False(t, reached)
	require.Equal(t, 1, s.stored(t, s.aID))
}

func TestATransactionIsOverWithItsWrite(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	var kept context.Context
	require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error { kept = ctx; return nil }))
	_, err := s.db.In(kept).Exec(kept, "SELECT 1")
	require.ErrorContains(t, err, "the transaction is over")
	require.ErrorContains(t, s.db.In(kept).QueryRow(kept, "SELECT 1").Scan(new(int)), "the transaction is over")
}

func TestOnceEndsWithItsFirstQuery(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	err := s.db.WriteOnce(s.a, func(ctx context.Context) error {
		require.NoError(t, s.insert(ctx, s.aID))
		require.NoError(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)))
		require.Equal(t, 2, s.stored(t, s.aID), "committed with its query")
		require.Zero(t, s.db.Acquired(), "the connection is given back at once")
		require.ErrorContains(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)), "the transaction is over")
		return nil
	})
	require.NoError(t, err)
}

// A row of a transaction that ends with it is believed only after the commit, which a deferred constraint may refuse.
func TestARowOfATransactionThatDoesNotCommitIsNotGiven(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	sql := `INSERT INTO bots (workspace_id, id, name, status, current_version, created_by, created_at, updated_at)
		VALUES ($1, $2, 'Ada', 'draft', 1, $1, now(), now()) RETURNING id`
	var id uuid.UUID
	err := s.db.WriteOnce(s.a, func(ctx context.Context) error {
		return s.db.In(ctx).QueryRow(ctx, sql, s.aID, uuid.New()).Scan(&id)
	})
	require.True(t, postgres.Violates(err, "bots_workspace_id_id_current_version_fkey"), "%v", err)
	err = s.db.WriteOnce(s.a, func(ctx context.Context) error {
		rows, err := s.db.In(ctx).Query(ctx, sql, s.aID, uuid.New())
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	require.True(t, postgres.Violates(err, "bots_workspace_id_id_current_version_fkey"), "%v", err)
	require.NoError(t, s.db.Ping(t.Context()), "the connection is good for the next")
}

func TestAQueryWithoutARowSaysSo(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	err := s.db.In(s.a).QueryRow(s.a, "SELECT id FROM threads WHERE false").Scan(new(uuid.UUID))
	require.True(t, postgres.IsMissing(err), "%v", err)
	s.requireNoneOut(t)
}
