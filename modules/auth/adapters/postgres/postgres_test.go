package postgres_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	platform "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

var now = time.Now().UTC().Truncate(time.Microsecond)

type bundle struct {
	db       *platform.DB
	url      string
	su       *pgx.Conn
	users    *postgres.Users
	sessions *postgres.Sessions
	work     *postgres.Transactions
	audit    *postgres.Audit
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := pg.URL(t)
	s := &bundle{url: url, su: pg.Superuser(t, url)}
	return s.on(pg.Open(t, url))
}

// on is the same bundle on another pool.
func (s *bundle) on(db *platform.DB) *bundle {
	return &bundle{
		db: db, url: s.url, su: s.su, users: postgres.NewUsers(db), sessions: postgres.NewSessions(db),
		work: postgres.NewTransactions(db), audit: postgres.NewAudit(audit.NewLog(db), postgres.NewAccountEvents(db)),
	}
}

func registration(t *testing.T, address string) domain.Registration {
	t.Helper()
	email, err := domain.NewEmail(address)
	require.NoError(t, err)
	r, err := domain.NewRegistration(email, "hash", "Acme", uuid.New(), now)
	require.NoError(t, err)
	return r
}

// register stores a user with an open session.
func (s *bundle) register(t *testing.T, address string) (domain.Registration, domain.Session) {
	t.Helper()
	r := registration(t, address)
	session := domain.NewSession(r.WorkspaceID, r.UserID, "k1", domain.Client{IP: netip.MustParseAddr("2001:db8::1"), UserAgent: "curl"}, time.Hour, now)
	require.NoError(t, s.work.As(t.Context(), r.WorkspaceID, r.UserID, func(ctx context.Context) error {
		return errors.Join(s.users.Register(ctx, r), s.sessions.Create(ctx, session))
	}))
	return r, session
}

func TestARegisteredUserIsFoundAndSeesItself(t *testing.T) {
	t.Parallel()
	s := setup(t)
	r, session := s.register(t, "ada@example.com")
	login, err := s.users.FindLogin(t.Context(), r.Email, uuid.Nil)
	require.NoError(t, err)
	require.Equal(t, &domain.Login{UserID: r.UserID, WorkspaceID: r.WorkspaceID, PasswordHash: "hash", OperationID: r.OperationID}, login)

	me := callctx.With(t.Context(), &callctx.Call{Principal: callctx.Principal{WorkspaceID: r.WorkspaceID, UserID: r.UserID, SessionID: session.ID, HomeID: r.WorkspaceID}})
	profile, err := s.users.Profile(me)
	require.NoError(t, err)
	require.Equal(t, domain.Profile{
		UserID: r.UserID, Email: "ada@example.com", Proof: domain.NoProof, HasPassword: true, WorkspaceID: r.WorkspaceID, WorkspaceName: "Acme", Role: domain.Owner,
		Memberships: []domain.Membership{{WorkspaceID: r.WorkspaceID, Name: "Acme", Role: domain.Owner}}, CreatedAt: now,
	}, profile)

	nobody, err := s.users.FindLogin(t.Context(), registration(t, "bob@example.com").Email, uuid.Nil)
	require.NoError(t, err)
	require.Nil(t, nobody)
	_, err = s.users.Profile(callctx.As(t.Context(), r.WorkspaceID, uuid.New()))
	require.ErrorIs(t, err, fail.ErrForbidden, "somebody else in the same workspace")
}

func TestATakenAddressUndoesTheWholeRegistration(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.register(t, "ada@example.com")
	r := registration(t, " Ada@Example.com ")
	err := s.work.As(t.Context(), r.WorkspaceID, r.UserID, func(ctx context.Context) error { return s.users.Register(ctx, r) })
	require.ErrorIs(t, err, ports.ErrEmailExists)
	var workspaces int
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT count(*) FROM workspaces").Scan(&workspaces))
	require.Equal(t, 1, workspaces)
}

func TestASessionIsKeptWhole(t *testing.T) {
	t.Parallel()
	s := setup(t)
	r, session := s.register(t, "ada@example.com")
	workspace, user, err := s.sessions.Owner(t.Context(), session.ID)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{r.WorkspaceID, r.UserID}, []uuid.UUID{workspace, user})
	require.Equal(t, domain.Rotated, session.Refresh(1, "k2", time.Hour, now.Add(time.Minute)))
	require.Equal(t, domain.Rotated, session.Refresh(2, "k2", time.Hour, now.Add(time.Minute+time.Second)))
	session.Revoke(now.Add(2 * time.Minute))
	session.AuthenticatedAt, session.Methods = now.Add(time.Minute), []domain.Method{domain.MethodPassword, domain.MethodTOTP}
	var got domain.Session
	require.NoError(t, s.work.As(t.Context(), workspace, user, func(ctx context.Context) (err error) {
		if err = s.sessions.Save(ctx, session); err != nil {
			return err
		}
		got, err = s.sessions.Lock(ctx, session.ID)
		return err
	}))
	require.Equal(t, session, got)
}

func TestASessionOfNobodyOrOfAnotherWorkspaceIsABadToken(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, session := s.register(t, "ada@example.com")
	other, _ := s.register(t, "bob@example.com")
	_, _, err := s.sessions.Owner(t.Context(), uuid.New())
	require.ErrorIs(t, err, ports.ErrBadRefreshToken)
	require.ErrorIs(t, s.work.As(t.Context(), other.WorkspaceID, other.UserID, func(ctx context.Context) error {
		_, err := s.sessions.Lock(ctx, session.ID)
		return err
	}), ports.ErrBadRefreshToken)
}

// fixed reads refresh tokens that are just the generation's letter, and gives none.
type fixed struct {
	session         uuid.UUID
	workspace, user uuid.UUID // that its tokens name; zero ids: none
}

func (fixed) KeyID() string { return "k2" }
func (fixed) Pair(s domain.Session) (ports.Pair, error) {
	return ports.Pair{Refresh: string(rune('0' + s.Generation))}, nil
}
func (f fixed) ReadRefresh(token string) (ports.RefreshClaims, error) {
	return ports.RefreshClaims{SessionID: f.session, UserID: f.user, WorkspaceID: f.workspace, Generation: int(token[0] - '0')}, nil
}

func (s *bundle) refresher(session uuid.UUID, at time.Time) usecases.RefreshSession {
	return usecases.RefreshSession{
		Sessions: s.sessions, Settler: s.sessions, Tokens: fixed{session: session}, Transactions: s.work, Audit: s.audit, Limits: unlimited{}, IdleLife: time.Hour,
		Now: func() time.Time { return at },
	}
}

// A token that names the workspace costs one transaction, and the database is asked for no other; one that does not costs a search.
func TestARefreshTakesTwoRoundTrips(t *testing.T) {
	t.Parallel()
	s := setup(t)
	r, session := s.register(t, "ada@example.com")
	counted, trips := s.counted(t)
	refresh := func(claims fixed, token string) (int, error) {
		claims.session = session.ID
		u := counted.refresher(session.ID, now.Add(time.Minute))
		u.Tokens = claims
		before := trips.n.Load()
		_, err := u.Do(t.Context(), token)
		return int(trips.n.Load() - before), err
	}
	named := fixed{workspace: r.WorkspaceID, user: r.UserID}
	n, err := refresh(named, "1")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	n, err = refresh(fixed{}, "2")
	require.NoError(t, err)
	require.Equal(t, 3, n, "a token that names no workspace")
	n, err = refresh(named, "3")
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// counted is the same bundle on a pool that counts its round trips.
func (s *bundle) counted(t *testing.T) (*bundle, *tripCounter) {
	t.Helper()
	trips := &tripCounter{}
	db, err := platform.Open(t.Context(), platform.Options{URL: s.url, MaxConns: 1, Tracer: trips})
	require.NoError(t, err)
	require.NoError(t, db.Admitted(t.Context())) // so that it is connected
	t.Cleanup(db.Close)
	return s.on(db), trips
}

// tripCounter counts round trips: batches and single queries.
type tripCounter struct{ n atomic.Int64 }

func (c *tripCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *tripCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (c *tripCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *tripCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *tripCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// What a token says of its session is not trusted: the row has to agree.
func TestATokenThatNamesAnotherWorkspaceOrUserIsRefusedAndTouchesNothing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	r, session := s.register(t, "ada@example.com")
	other, _ := s.register(t, "bob@example.com")
	for name, claims := range map[string]fixed{
		"another workspace": {workspace: other.WorkspaceID, user: r.UserID},
		"another user":      {workspace: r.WorkspaceID, user: other.UserID},
		"both":              {workspace: other.WorkspaceID, user: other.UserID},
	} {
		for _, token := range []string{"1", "7"} { // good for its session, and one that would end it
			claims.session = session.ID
			u := s.refresher(session.ID, now.Add(time.Minute))
			u.Tokens = claims
			_, err := u.Do(t.Context(), token)
			require.ErrorIs(t, err, ports.ErrBadRefreshToken, name)
		}
	}
	var untouched int
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE generation = 1 AND revoked_at IS NULL").Scan(&untouched))
	require.Equal(t, 2, untouched)
}

type unlimited struct{}

func (unlimited) Allow(context.Context, string) error { return nil }

// The refusal of a stolen token must not roll back what it is refused for.
func TestAStolenSessionIsRevokedAndAuditedBeforeTheRefusal(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, session := s.register(t, "ada@example.com")
	_, err := s.refresher(session.ID, now.Add(time.Minute)).Do(t.Context(), "1")
	require.NoError(t, err)
	_, err = s.refresher(session.ID, now.Add(2*time.Minute)).Do(t.Context(), "1")
	require.ErrorIs(t, err, ports.ErrBadRefreshToken)
	_, err = s.refresher(session.ID, now.Add(2*time.Minute)).Do(t.Context(), "2")
	require.ErrorIs(t, err, ports.ErrBadRefreshToken, "the newest token is refused too")
	var revoked bool
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT revoked_at IS NOT NULL FROM sessions").Scan(&revoked))
	require.True(t, revoked)
	rows, err := s.su.Query(t.Context(), "SELECT action FROM audit_log ORDER BY created_at")
	require.NoError(t, err)
	actions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"session.refresh", "session.revoke_stolen"}, actions)
}

func TestManyTabsThatRefreshAtOnceGetTheSameToken(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, session := s.register(t, "ada@example.com")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			grant, err := s.refresher(session.ID, now.Add(time.Minute)).Do(t.Context(), "1")
			require.NoError(t, err)
			require.Equal(t, "2", grant.Tokens.Refresh)
		})
	}
	wg.Wait()
	var generation, audits int
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT generation, (SELECT count(*) FROM audit_log) FROM sessions").Scan(&generation, &audits))
	require.Equal(t, []int{2, 1}, []int{generation, audits}, "nothing moved but once")
}

func TestASessionThatHasEndedIsRefusedAndNotTouched(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, session := s.register(t, "ada@example.com")
	_, err := s.refresher(session.ID, now.Add(time.Hour)).Do(t.Context(), "7") // a thief's, were it alive
	require.ErrorIs(t, err, ports.ErrBadRefreshToken)
	var revoked bool
	require.NoError(t, s.su.QueryRow(t.Context(), "SELECT revoked_at IS NOT NULL FROM sessions").Scan(&revoked))
	require.False(t, revoked)
}
