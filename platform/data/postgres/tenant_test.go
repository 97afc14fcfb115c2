package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

var errStop = errors.New("stop")

// One connection serves both tenants in turn, whatever became of the transaction before.
func TestAPoolOfOneConnectionNeverLeaksATenant(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	read := func(ctx context.Context) error {
		_, err := s.db.In(ctx).Exec(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		return s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int))
	}
	endings := map[string]func(ctx context.Context){
		"read":   func(ctx context.Context) { s.seen(t, ctx) },
		"commit": func(ctx context.Context) { require.NoError(t, s.db.Write(ctx, read)) },
		"rollback": func(ctx context.Context) {
			require.ErrorIs(t, s.db.Write(ctx, func(ctx context.Context) error { return errors.Join(read(ctx), errStop) }), errStop)
		},
		"nothing done": func(ctx context.Context) {
			require.NoError(t, s.db.Write(ctx, func(context.Context) error { return nil }))
		},
		"failing read": func(ctx context.Context) {
			require.Error(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1/0").Scan(new(int)))
		},
		"failing query": func(ctx context.Context) {
			require.Error(t, s.db.Write(ctx, func(ctx context.Context) error { return s.db.In(ctx).QueryRow(ctx, "SELECT 1/0").Scan(new(int)) }))
		},
		"failing query, ignored": func(ctx context.Context) {
			require.Error(t, s.db.Write(ctx, func(ctx context.Context) error {
				_ = s.db.In(ctx).QueryRow(ctx, "SELECT 1/0").Scan(new(int))
				return nil
			}))
		},
		"no such statement": func(ctx context.Context) {
			require.Error(t, s.db.Write(ctx, func(ctx context.Context) error { return s.db.In(ctx).QueryRow(ctx, "SELEKT").Scan(new(int)) }))
		},
		"failing commit": func(ctx context.Context) {
			require.Error(t, s.db.Write(ctx, func(ctx context.Context) error { return errors.Join(read(ctx), s.insert(ctx, uuid.New())) }))
		},
		"panic": func(ctx context.Context) {
			require.PanicsWithValue(t, "boom", func() {
				_ = s.db.Write(ctx, func(ctx context.Context) error { _ = read(ctx); panic("boom") })
			})
		},
		"panic with open rows": func(ctx context.Context) {
			require.PanicsWithValue(t, "boom", func() {
				_ = s.db.Write(ctx, func(ctx context.Context) error {
					rows, err := s.db.In(ctx).Query(ctx, "SELECT generate_series(1, 100000)")
					require.NoError(t, err)
					require.True(t, rows.Next())
					panic("boom")
				})
			})
		},
		"canceled in the middle": func(ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			require.ErrorIs(t, s.db.Write(ctx, func(ctx context.Context) error {
				require.NoError(t, read(ctx))
				cancel()
				return read(ctx)
			}), fail.ErrUnavailable)
		},
		"canceled before": func(ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			require.ErrorIs(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)), fail.ErrUnavailable)
		},
		"refused at the entry": func(ctx context.Context) {
			c := *callctx.From(ctx)
			c.Principal.SessionID = uuid.New()
			ctx = callctx.With(ctx, &c)
			require.ErrorIs(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)), fail.ErrUnauthorized)
		},
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) { // one after the other: they share the connection
			end(s.a)
			s.requireNoneOut(t)
			require.Empty(t, s.seen(t, s.ctx), "nobody sees nothing")
			require.Equal(t, []uuid.UUID{s.bID}, s.seen(t, s.b))
			end(s.b)
			require.Equal(t, []uuid.UUID{s.aID}, s.seen(t, s.a))
		})
	}
}

func TestAQueryThatForgetsItsWorkspaceSeesNothingForeign(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	require.Equal(t, []uuid.UUID{s.aID}, s.seen(t, s.a))
	require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error {
		require.Equal(t, []uuid.UUID{s.aID}, s.seen(t, ctx))
		_, err := s.db.In(ctx).Exec(ctx, "UPDATE threads SET status = 'archived'")
		return err
	}))
	var archived []uuid.UUID
	rows, err := s.su.Query(t.Context(), "SELECT workspace_id FROM threads WHERE status = 'archived'")
	require.NoError(t, err)
	archived, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{s.aID}, archived)
}

func TestWritingIntoAnotherWorkspaceIsRefused(t *testing.T) {
	t.Parallel()
	s := setup(t, 2)
	err := s.db.Write(s.a, func(ctx context.Context) error { return s.insert(ctx, s.bID) })
	require.ErrorContains(t, err, "row-level security")
	err = s.db.Write(s.a, func(ctx context.Context) error {
		_, err := s.db.In(ctx).Exec(ctx, "UPDATE threads SET workspace_id = $1", s.bID)
		return err
	})
	require.ErrorContains(t, err, "row-level security")
	require.Equal(t, 1, s.stored(t, s.bID))
}

func TestEveryConnectionWorksAsParleyAppAndForNobody(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	require.NoError(t, s.db.Write(s.a, func(ctx context.Context) error { return s.insert(ctx, s.aID) }))
	var super bool
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT rolsuper FROM pg_roles WHERE rolname = session_user").Scan(&super))
	require.True(t, super, "the URL names a superuser, else this shows nothing")
	for range 2 { // also after a transaction has ended
		var role, workspace, user, timeout, idle, readOnly string
		require.NoError(t, s.db.In(s.ctx).QueryRow(s.ctx, `SELECT current_user, coalesce(current_setting('app.workspace_id', true), ''),
			coalesce(current_setting('app.user_id', true), ''), current_setting('statement_timeout'),
			current_setting('idle_in_transaction_session_timeout'), current_setting('transaction_read_only')`,
		).Scan(&role, &workspace, &user, &timeout, &idle, &readOnly))
		require.Equal(t, []string{"parley_app", "", "", "30s", "15s", "on"}, []string{role, workspace, user, timeout, idle, readOnly})
	}
	// outside of any transaction of ours, as a mistake would
	db := s.db.Raw(t.Context(), t)
	var role string
	var n int
	require.NoError(t, db.QueryRow(t.Context(), "SELECT current_user, (SELECT count(*) FROM threads)").Scan(&role, &n))
	require.Equal(t, "parley_app", role)
	require.Zero(t, n)
}

// session makes a signed-in member of workspace A and gives its call.
func (s *bundle) session(t *testing.T, change string) context.Context {
	t.Helper()
	user, session := uuid.New(), uuid.New()
	for sql, args := range map[string][]any{
		"INSERT INTO users VALUES ($1, $2, 'hash', $1, now())": {user, user.String() + "@example.com"},
	} {
		_, err := s.su.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	_, err := s.su.Exec(t.Context(), "INSERT INTO workspace_members VALUES ($1, $2, 'owner', now())", s.aID, user)
	require.NoError(t, err)
	_, err = s.su.Exec(t.Context(), `INSERT INTO sessions (workspace_id, id, user_id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, user_agent)
		VALUES ($1, $2, $3, 1, now(), 'k', now() + interval '1 hour', now() + interval '1 day', now(), '')`, s.aID, session, user)
	require.NoError(t, err)
	if change != "" {
		_, err = s.su.Exec(t.Context(), change+" AND user_id = $1", user)
		require.NoError(t, err)
	}
	return callctx.With(t.Context(), &callctx.Call{Principal: callctx.Principal{WorkspaceID: s.aID, UserID: user, SessionID: session, HomeID: s.aID}})
}

func TestTheEntryLetsInOnlyTheLivingSessionOfAMember(t *testing.T) {
	t.Parallel()
	s := setup(t, 4)
	as := func(ctx context.Context, change func(*callctx.Principal)) context.Context {
		c := *callctx.From(ctx)
		change(&c.Principal)
		return callctx.With(ctx, &c)
	}
	tests := map[string]struct {
		ctx  context.Context
		want error
	}{
		"alive":             {s.session(t, ""), nil},
		"revoked":           {s.session(t, "UPDATE sessions SET revoked_at = now() WHERE true"), fail.ErrUnauthorized},
		"idle too long":     {s.session(t, "UPDATE sessions SET idle_expires_at = now() - interval '1 s' WHERE true"), fail.ErrUnauthorized},
		"too old":           {s.session(t, "UPDATE sessions SET expires_at = now() - interval '1 s' WHERE true"), fail.ErrUnauthorized},
		"member no more":    {s.session(t, "DELETE FROM workspace_members WHERE true"), fail.ErrUnauthorized}, // the session went with it
		"another workspace": {as(s.session(t, ""), func(p *callctx.Principal) { p.WorkspaceID = s.bID }), fail.ErrForbidden},
		"no such workspace": {as(s.session(t, ""), func(p *callctx.Principal) { p.WorkspaceID = uuid.New() }), fail.ErrForbidden},
		"another home":      {as(s.session(t, ""), func(p *callctx.Principal) { p.HomeID = s.bID }), fail.ErrUnauthorized},
		"another user":      {as(s.session(t, ""), func(p *callctx.Principal) { p.UserID = uuid.New() }), fail.ErrUnauthorized},
		"no such session":   {as(s.session(t, ""), func(p *callctx.Principal) { p.SessionID = uuid.New() }), fail.ErrUnauthorized},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := s.db
			read := before.In(test.ctx).QueryRow(test.ctx, "SELECT 1").Scan(new(int))
			deferred := before.Write(test.ctx, func(ctx context.Context) error {
				_, err := before.In(ctx).Exec(ctx, "INSERT INTO threads (workspace_id, id, status, created_by, created_at) VALUES ($1, $2, 'active', $1, now())",
					callctx.From(ctx).Principal.WorkspaceID, uuid.New())
				return err
			})
			if test.want == nil {
				require.NoError(t, errors.Join(read, deferred))
				return
			}
			require.ErrorIs(t, read, test.want)
			require.ErrorIs(t, deferred, test.want)
		})
	}
}

func TestSettledWorkGoesOnWithoutItsSession(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	ctx := s.session(t, "UPDATE sessions SET revoked_at = now() WHERE true")
	require.ErrorIs(t, s.db.In(ctx).QueryRow(ctx, "SELECT 1").Scan(new(int)), fail.ErrUnauthorized)
	require.Equal(t, []uuid.UUID{s.aID}, s.seen(t, callctx.Trusted(ctx)))
}

func TestOpenRefusesWhatIsNoServer(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"no URL":    "postgres://[",
		"no server": "postgres://parley@127.0.0.1:1/parley?connect_timeout=1",
		"no schema": pg.EmptyURL(t) + "&application_name=x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := postgres.Open(t.Context(), postgres.Options{URL: url})
			if name == "no schema" { // it is the migrator's to make it
				require.NoError(t, err)
				db.Close()
				return
			}
			require.Error(t, err)
		})
	}
}
