package audit_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/secret"
)

// decades makes a workspace with many old seals, and returns the number of its rows.
func (l *ledger) decades(t *testing.T, seals int) (workspace uuid.UUID, rows int) {
	t.Helper()
	workspace = uuid.New()
	for range seals {
		l.record(t, workspace, 3)
		l.do(t, aged, workspace)
		l.do(t, lookAtAll)
		require.NoError(t, l.sealer.Seal(t.Context()))
	}
	v := l.verify(t, workspace)
	require.EqualValues(t, seals, v.Seals)
	require.True(t, v.Intact())
	return workspace, seals * 3
}

func TestALogIsIntactWhileItIsCutSealedAndVerifiedAtOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace, rows := l.decades(t, 120)
	done := make(chan struct{})
	var removed [2]int
	var cutters, others sync.WaitGroup
	errs := make(chan error, 100)
	for n := range removed {
		cutters.Go(func() {
			for more := true; more; {
				var some int
				var err error
				// A few transactions, so that the others come between.
				if some, more, err = l.cutter().Cut(t.Context(), workspace, days(95), time.Now().Add(10*time.Millisecond)); err != nil {
					errs <- err
					return
				}
				removed[n] += some
			}
		})
	}
	verifications := make(chan audit.Verification, 10_000)
	for range 2 {
		others.Go(func() {
			for last := false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				v, err := l.sealer.Verify(in(t, workspace))
				if err != nil {
					errs <- err
					return
				}
				verifications <- v
			}
		})
	}
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if err := l.sealer.Seal(t.Context()); err != nil {
					errs <- err
					return
				}
			}
		}
	})
	added := 0
	for ; added < 20; added++ {
		l.record(t, workspace, 1)
	}
	cutters.Wait()
	close(done)
	others.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	close(verifications)
	for v := range verifications {
		require.Nil(t, v.Broken)
		require.True(t, v.Intact())
	}
	require.Equal(t, rows, removed[0]+removed[1], "each row is counted by who has removed it")
	require.Eventually(t, func() bool {
		require.NoError(t, l.sealer.Seal(t.Context()))
		return l.verify(t, workspace).Unsealed == 0
	}, 30*time.Second, 10*time.Millisecond)
	v := l.verify(t, workspace)
	require.True(t, v.Intact())
	require.EqualValues(t, added, v.Sealed)
	require.EqualValues(t, rows, v.Cut.Rows)
}

// cutDatabase is set in the process that TestALogIsIntactWhoseCutterWasKilled starts and kills.
const cutDatabase, cutWorkspace = "PARLEY_TEST_CUT_DATABASE", "PARLEY_TEST_CUT_WORKSPACE"

// cutUntilKilled is all that this process does. It ends by itself after some minutes.
func cutUntilKilled(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	db, err := postgres.Open(ctx, postgres.Options{URL: url, MaxConns: 4})
	if err != nil {
		return err
	}
	defer db.Close()
	s := audit.NewSealer(db, keysOf([]byte("a key that is not in the database")), nil)
	if _, _, err = audit.NewCutter(s, slog.New(slog.DiscardHandler)).Cut(ctx, uuid.MustParse(os.Getenv(cutWorkspace)), days(95), time.Now().Add(time.Minute)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func TestALogIsIntactWhoseCutterWasKilled(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace, rows := l.decades(t, 150)
	l.record(t, workspace, 1)
	l.seal(t, workspace, 151)
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = slices.Concat(os.Environ(), []string{cutDatabase + "=" + l.url, cutWorkspace + "=" + workspace.String()})
	require.NoError(t, child.Start())
	require.Eventually(t, func() bool { return l.count(t, "audit_cuts", workspace) > 0 }, time.Minute, time.Millisecond)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	v := l.verify(t, workspace)
	require.True(t, v.Intact(), "what it has removed is in the cut")
	require.EqualValues(t, rows+1, v.Cut.Rows+v.Sealed)
	l.cut(t, workspace)
	v = l.verify(t, workspace)
	require.True(t, v.Intact())
	require.EqualValues(t, rows, v.Cut.Rows, "the next cutter goes on")
}

func TestACutIsSignedAnewWithTheHead(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := l.years(t, 3, 1)
	l.cut(t, workspace)
	old := keysOf(l.key)
	next := secret.Key{ID: secret.KeyID{2}, Bytes: []byte("another key that is not in the database")}
	rotating := audit.NewSealer(l.db, secret.Keys{next, old[0]}, nil)
	rotated := audit.NewSealer(l.db, secret.Keys{next}, old) // the former key is known only for seals

	v, err := rotated.Verify(in(t, workspace))
	require.NoError(t, err)
	require.Contains(t, v.UnknownKeys, old[0].ID.String())
	_, _, err = audit.NewCutter(rotated, slog.New(slog.DiscardHandler)).Cut(t.Context(), workspace, days(95), time.Now().Add(time.Minute))
	require.ErrorIs(t, err, audit.ErrNotIntact, "it cannot verify the cut")

	l.do(t, `UPDATE audit_cuts SET rows = rows + 1 WHERE workspace_id = $1`, workspace)
	changed, fits, err := rotating.RekeyCut(in(t, workspace), workspace)
	require.NoError(t, err)
	require.False(t, changed || fits, "a new mac would hide that it was changed")
	l.do(t, `UPDATE audit_cuts SET rows = rows - 1 WHERE workspace_id = $1`, workspace)
	for _, rekey := range []func(context.Context, uuid.UUID) (bool, bool, error){rotating.Rekey, rotating.RekeyCut} {
		changed, fits, err = rekey(in(t, workspace), workspace)
		require.NoError(t, err)
		require.True(t, changed && fits)
		changed, fits, err = rekey(in(t, workspace), workspace)
		require.NoError(t, err)
		require.True(t, !changed && fits)
	}
	v, err = rotated.Verify(in(t, workspace))
	require.NoError(t, err)
	require.True(t, v.Intact())
	require.EqualValues(t, 6, v.Cut.Rows)

	var stale int
	var kinds []string
	err = pgx.BeginFunc(t.Context(), l.super, func(tx pgx.Tx) error {
		if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM app.workspaces_to_reseal('\x020300000000000000', '\x', $1, 10)`, uuid.Nil).Scan(&stale); err != nil {
			return err
		}
		return tx.QueryRow(t.Context(), `SELECT array_agg(kind) FROM app.sealed_keys()`).Scan(&kinds)
	})
	require.NoError(t, err)
	require.Equal(t, 1, stale)
	require.Contains(t, kinds, "audit_cuts")
	unknown, _, err := l.sealer.RekeyCut(in(t, uuid.New()), uuid.New())
	require.NoError(t, err)
	require.False(t, unknown, "there is no cut")
}
