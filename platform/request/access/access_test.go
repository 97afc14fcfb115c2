package access_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// gate stands in for the database.
type gate struct {
	refused map[uuid.UUID]error // by session
	down    error
	asked   [][]*callctx.Call
	now     time.Time
}

func (g *gate) answer(_ context.Context, calls []*callctx.Call) ([]error, error) {
	g.asked = append(g.asked, calls)
	if g.down != nil {
		return nil, g.down
	}
	errs := make([]error, len(calls))
	for i, c := range calls {
		errs[i] = g.refused[c.Principal.SessionID]
	}
	return errs, nil
}

func newWatcher() (*access.Watcher, *gate, *bytes.Buffer) {
	g, log := &gate{refused: map[uuid.UUID]error{}, now: time.Now()}, &bytes.Buffer{}
	return access.NewWatcher(g.answer, func() time.Time { return g.now }, slog.New(slog.NewTextHandler(log, nil))), g, log
}

func callOf(t *testing.T, p callctx.Principal, roles ...string) context.Context {
	t.Helper()
	return callctx.With(t.Context(), &callctx.Call{Principal: p, Needs: callctx.Needs{Roles: roles}})
}

func TestAnAnswerEndsForTheReasonThatItsCallerIsRefusedFor(t *testing.T) {
	t.Parallel()
	session, key := callctx.Principal{SessionID: uuid.New()}, callctx.Principal{SessionID: uuid.New(), KeyID: uuid.New()}
	for reason, test := range map[access.Reason]struct {
		who     callctx.Principal
		refused *fail.Error
	}{
		access.SessionEnded: {session, fail.ErrUnauthorized}, access.KeyRevoked: {key, fail.ErrUnauthorized},
		access.MembershipEnded: {session, fail.ErrForbidden}, access.WorkspaceDeleted: {session, fail.ErrDeleted},
		access.PermissionLost: {session, fail.ErrNotAllowed.With("role", "viewer")},
	} {
		w, g, _ := newWatcher()
		ctx, stop := w.Watch(callOf(t, test.who))
		defer stop()
		require.NoError(t, w.Check(t.Context()))
		require.NoError(t, ctx.Err(), reason)
		g.refused[test.who.SessionID] = test.refused
		require.NoError(t, w.Check(t.Context()))
		end := access.EndOf(ctx, nil)
		require.NotNil(t, end, reason)
		require.Equal(t, reason, end.Reason)
		require.ErrorIs(t, end, test.refused)
		require.Equal(t, reason, access.EndOf(callOf(t, test.who), test.refused).Reason, "a read that is refused")
		require.Zero(t, w.Watched())
	}
	require.Nil(t, access.EndOf(t.Context(), nil))
	require.Nil(t, access.EndOf(t.Context(), fail.ErrUnavailable))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.Nil(t, access.EndOf(over, nil), "a context that ends for another reason")
}

func TestACallerIsAskedForOnceHoweverManyAnswersItHas(t *testing.T) {
	t.Parallel()
	w, g, _ := newWatcher()
	one, other := callctx.Principal{SessionID: uuid.New(), UserID: uuid.New()}, callctx.Principal{SessionID: uuid.New(), UserID: uuid.New()}
	contexts, stops := []context.Context{}, []func(){}
	for range 100 {
		for _, ctx := range []context.Context{callOf(t, one, "editor"), callOf(t, one, "editor", "viewer"), callOf(t, other)} {
			watched, stop := w.Watch(ctx)
			contexts, stops = append(contexts, watched), append(stops, stop)
		}
	}
	require.NoError(t, w.Check(t.Context()))
	require.Len(t, g.asked, 1, "more than one statement")
	require.Len(t, g.asked[0], 3, "two permissions of one, one of the other")
	g.refused[one.SessionID] = fail.ErrUnauthorized
	require.NoError(t, w.Check(t.Context()))
	for i, ctx := range contexts {
		require.Equal(t, i%3 != 2, access.EndOf(ctx, nil) != nil, i)
	}
	require.Equal(t, 100, w.Watched())
	for _, stop := range stops {
		stop()
		stop()
	}
	require.Zero(t, w.Watched(), "answers that are over are kept")
	asked := len(g.asked)
	require.NoError(t, w.Check(t.Context()))
	require.Len(t, g.asked, asked, "the database is asked for nobody")

	settled, stop := w.Watch(callOf(t, callctx.Principal{WorkspaceID: uuid.New()}))
	defer stop()
	require.Zero(t, w.Watched())
	require.NoError(t, settled.Err())
}

func TestManyCallersAreAskedForInBatches(t *testing.T) {
	t.Parallel()
	w, g, _ := newWatcher()
	for range 1100 {
		_, stop := w.Watch(callOf(t, callctx.Principal{SessionID: uuid.New()}))
		defer stop()
	}
	require.NoError(t, w.Check(t.Context()))
	require.Len(t, g.asked, 3)
}

func TestAnswersOutliveADatabaseThatIsAwayForAWhileAndNoLonger(t *testing.T) {
	t.Parallel()
	w, g, log := newWatcher()
	ctx, stop := w.Watch(callOf(t, callctx.Principal{SessionID: uuid.New()}))
	defer stop()
	g.down = errors.New("away")
	for range access.MaxUnverified / time.Second {
		require.NoError(t, ctx.Err())
		require.NoError(t, w.Check(t.Context()))
		g.now = g.now.Add(time.Second)
	}
	g.down = nil
	require.NoError(t, w.Check(t.Context()))
	require.NoError(t, ctx.Err(), "it came back in time")
	g.down = errors.New("away")
	g.now = g.now.Add(time.Hour) // nobody has asked meanwhile, which is no failure
	require.NoError(t, w.Check(t.Context()))
	require.NoError(t, ctx.Err(), "one check that fails is enough")
	g.now = g.now.Add(access.MaxUnverified)
	require.NoError(t, w.Check(t.Context()))
	end := access.EndOf(ctx, nil)
	require.NotNil(t, end)
	require.Equal(t, access.Unverified, end.Reason)
	require.ErrorIs(t, end, fail.ErrUnavailable)
	require.Equal(t, 2, strings.Count(log.String(), "could not be checked"), "once for each time that it was away: %s", log)
}
