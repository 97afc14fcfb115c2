package audit_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/ops/audit"
)

// flaky is a store that can be away.
type flaky struct {
	*blob.Disk
	away atomic.Bool
	puts atomic.Int64
}

var errAway = errors.New("the store is away")

func (f *flaky) Put(ctx context.Context, key string, content io.Reader) (int64, error) {
	if f.away.Load() {
		return 0, errAway
	}
	f.puts.Add(1)
	return f.Disk.Put(ctx, key, content)
}

func (f *flaky) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.Disk.Get(ctx, key, offset, length)
}

// anchored is a ledger with an anchor.
type anchored struct {
	*ledger
	store  *flaky
	anchor *audit.Anchor
	keep   *audit.Anchoring
	dir    string
}

func newAnchored(t *testing.T) *anchored {
	t.Helper()
	l, dir := newLedger(t), t.TempDir()
	disk, err := blob.NewDisk(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = disk.Close() })
	a := &anchored{ledger: l, store: &flaky{Disk: disk}, dir: dir}
	a.anchor = audit.NewAnchor(a.store, "folder")
	a.fresh()
	return a
}

// fresh has the sealer and the writer of the anchor of a process that has just started.
func (a *anchored) fresh() {
	a.sealer = audit.NewSealer(a.db, keysOf(a.key), nil)
	a.sealer.Anchored(a.anchor)
	a.keep = audit.NewAnchoring(a.sealer, slog.New(slog.DiscardHandler))
}

func (a *anchored) run(t *testing.T) {
	t.Helper()
	require.NoError(t, a.keep.Run(t.Context()))
}

func (a *anchored) state(t *testing.T, workspace uuid.UUID) audit.AnchorState {
	t.Helper()
	return a.verify(t, workspace).Anchor.State
}

// truncate removes the newest seal with its rows, and lowers the head, as somebody does who may do anything in the database.
func (l *ledger) truncate(t *testing.T, workspace uuid.UUID) {
	t.Helper()
	l.do(t, `WITH gone AS (DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = (SELECT max(seq) FROM audit_seals WHERE workspace_id = $1) RETURNING row_ids)
		DELETE FROM audit_log USING gone WHERE id = ANY (row_ids)`, workspace)
	l.do(t, `UPDATE audit_seal_heads SET seq = (SELECT coalesce(max(seq), 0) FROM audit_seals WHERE workspace_id = $1) WHERE workspace_id = $1`, workspace)
}

func TestALogWhoseEndWasRemovedIsNotIntactWhateverIsDoneToItsHead(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	require.NoError(t, l.sealer.Seal(t.Context())) // the first start
	for name, also := range map[string]string{
		"nothing more":                     `SELECT $1::uuid`,
		"the authenticated number lowered": `UPDATE audit_seal_heads SET mac_seq = seq WHERE workspace_id = $1`,
		"the rows recounted":               `UPDATE audit_seal_heads SET mac_seq = seq, mac_rows = 4 WHERE workspace_id = $1`,
		"the head without its mac":         `UPDATE audit_seal_heads SET mac_seq = NULL, mac_rows = NULL, mac = NULL WHERE workspace_id = $1`,
		"no head at all":                   `DELETE FROM audit_seal_heads WHERE workspace_id = $1`,
		"the mac of another log's head": `UPDATE audit_seal_heads h SET mac = o.mac, mac_seq = o.mac_seq, mac_rows = o.mac_rows
			FROM audit_seal_heads o WHERE o.workspace_id <> $1 AND h.workspace_id = $1`,
	} {
		l.three(t) // another
		workspace := l.three(t)
		l.truncate(t, workspace)
		l.do(t, also, workspace)
		v := l.verify(t, workspace)
		require.False(t, v.Intact(), name)
		require.EqualValues(t, 3, *v.Broken, "%s: the seal that is gone", name)
		l.record(t, workspace, 1)
		require.NoError(t, l.sealer.Seal(t.Context()))
		require.False(t, l.verify(t, workspace).Intact(), "%s: the next seal has hidden it", name)
	}
}

func TestTheReleaseBeforeMaySealBesideThisOne(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := l.three(t)
	l.do(t, `UPDATE audit_seal_heads SET mac_seq = NULL, mac_rows = NULL, mac = NULL`) // all seals are of the release before
	l.do(t, `UPDATE audit_seal_progress SET adopt_until = NULL, adopt_mac = NULL`)
	l.sealer = audit.NewSealer(l.db, keysOf(l.key), nil)
	require.Equal(t, audit.Verification{Sealed: 6, Seals: 3}, l.verify(t, workspace), "not adopted yet")
	require.NoError(t, l.sealer.Seal(t.Context()))
	var rows int
	require.NoError(t, l.super.QueryRow(t.Context(), `SELECT mac_rows FROM audit_seal_heads WHERE workspace_id = $1`, workspace).Scan(&rows))
	require.Equal(t, 6, rows, "it was adopted, though nothing was to be sealed")

	// The release before makes a seal, and moves the head's first number only.
	l.do(t, `CREATE TEMP TABLE before AS SELECT * FROM audit_seal_heads WHERE workspace_id = $1`, workspace)
	l.record(t, workspace, 2)
	l.seal(t, workspace, 4)
	l.do(t, `UPDATE audit_seal_heads h SET mac_seq = b.mac_seq, mac_rows = b.mac_rows, mac = b.mac FROM before b WHERE h.workspace_id = $1`, workspace)
	require.Equal(t, audit.Verification{Sealed: 8, Seals: 4}, l.verify(t, workspace))
	l.record(t, workspace, 1)
	require.Equal(t, audit.Verification{Sealed: 9, Seals: 5}, l.seal(t, workspace, 5))
	require.NoError(t, l.super.QueryRow(t.Context(), `SELECT mac_rows FROM audit_seal_heads WHERE workspace_id = $1 AND mac_seq = 5`, workspace).Scan(&rows))
	require.Equal(t, 9, rows, "the next seal of this release has caught up")

	// Adoption is for once.
	closed := newLedger(t)
	require.NoError(t, closed.sealer.Seal(t.Context()))
	other := closed.three(t)
	closed.truncate(t, other)
	closed.do(t, `UPDATE audit_seal_heads SET mac_seq = NULL, mac_rows = NULL, mac = NULL`)
	closed.do(t, `UPDATE audit_seal_progress SET adopt_until = adopt_until + interval '1 day'`)
	closed.sealer = audit.NewSealer(closed.db, keysOf(closed.key), nil)
	closed.record(t, other, 1)
	require.NoError(t, closed.sealer.Seal(t.Context()))
	require.False(t, closed.verify(t, other).Intact(), "the time for it cannot be changed")
}

func TestTheAnchorFollowsTheLogAndShowsWhatWasRemovedFromItsEnd(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	workspace := uuid.New()
	a.record(t, workspace, 2)
	a.seal(t, workspace, 1)
	require.Equal(t, audit.Behind, a.state(t, workspace), "not written yet")
	a.run(t)
	require.Equal(t, audit.Agrees, a.state(t, workspace))
	a.run(t)
	require.EqualValues(t, 1, a.store.puts.Load(), "nothing new, nothing written")

	var old string // the head as it was, mac and all, which an attacker has kept
	require.NoError(t, a.super.QueryRow(t.Context(), `SELECT to_json(h)::text FROM audit_seal_heads h WHERE workspace_id = $1`, workspace).Scan(&old))
	a.record(t, workspace, 3)
	kept := a.seal(t, workspace, 2)
	require.Equal(t, audit.Behind, kept.Anchor.State)
	require.True(t, kept.Intact())
	a.run(t)
	require.EqualValues(t, 5, a.verify(t, workspace).Anchor.Head.Rows)

	a.truncate(t, workspace)
	a.do(t, `DELETE FROM audit_seal_heads WHERE workspace_id = $1`, workspace)
	a.do(t, `INSERT INTO audit_seal_heads SELECT * FROM json_populate_record(null::audit_seal_heads, $1)`, old)
	v := a.verify(t, workspace)
	require.Nil(t, v.Broken, "within the database all fits")
	require.False(t, v.Intact())
	require.Equal(t, audit.Restored, v.Anchor.State)
	require.EqualValues(t, 1, v.Anchor.RestoredTo.Seal)
	require.EqualValues(t, 2, v.Anchor.Head.Seal)

	a.record(t, workspace, 4) // the log goes on, past where the anchor is
	require.NoError(t, a.sealer.Seal(t.Context()))
	a.record(t, workspace, 1)
	require.NoError(t, a.sealer.Seal(t.Context()))
	a.fresh()
	a.run(t)
	v = a.verify(t, workspace)
	require.EqualValues(t, 3, v.Seals)
	require.Equal(t, audit.Restored, v.Anchor.State, "writing the anchor has hidden it")
	require.EqualValues(t, 1, v.Anchor.RestoredTo.Seal, "the point to which the log is as the anchor has seen it")

	done, err := a.sealer.Adopt(t.Context(), a.log, workspace)
	require.NoError(t, err)
	require.EqualValues(t, 2, done.Before.Seal)
	require.Equal(t, audit.Agrees, a.state(t, workspace))
	require.True(t, a.verify(t, workspace).Intact())
	var entries int
	require.NoError(t, a.super.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'audit.adopt'
		AND changes @> '{"anchored_seal": 2, "seal": 3}'`, workspace).Scan(&entries))
	require.Equal(t, 1, entries)
	a.seal(t, workspace, 4)
	a.fresh() // a process that has left the log alone does so for a few minutes
	a.run(t)
	require.Equal(t, audit.Agrees, a.state(t, workspace), "and it goes on")
}

func TestAnAnchorThatIsAwayOrGoneStopsNothing(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	workspace := a.three(t)
	a.run(t)
	require.Equal(t, audit.Agrees, a.state(t, workspace))

	a.store.away.Store(true)
	a.record(t, workspace, 1)
	require.NoError(t, a.sealer.Seal(t.Context()))
	a.run(t)
	v := a.verify(t, workspace)
	require.Equal(t, audit.Unreachable, v.Anchor.State)
	require.True(t, v.Intact())
	_, err := a.sealer.Adopt(t.Context(), a.log, workspace)
	require.ErrorIs(t, err, errAway, "an operator sees the error")
	a.store.away.Store(false)
	require.Equal(t, audit.Behind, a.state(t, workspace))
	a.run(t)
	require.Equal(t, audit.Agrees, a.state(t, workspace), "it has caught up")

	file := filepath.Join(a.dir, "audit-anchor", workspace.String()+".json")
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append([]byte(`{"seal": 1, `), whole[1:]...), 0o600))
	require.Equal(t, audit.Agrees, a.state(t, workspace), "the later of two fields counts")
	for _, forged := range []string{`{"seal": 0}`, `no JSON`, `{}`} {
		require.NoError(t, os.WriteFile(file, []byte(forged), 0o600))
		v = a.verify(t, workspace)
		require.Equal(t, audit.Invalid, v.Anchor.State)
		require.False(t, v.Intact())
	}
	require.NoError(t, os.Remove(file))
	require.Equal(t, audit.Missing, a.state(t, workspace))
	a.record(t, workspace, 1)
	require.NoError(t, a.sealer.Seal(t.Context()))
	a.run(t)
	require.Equal(t, audit.Missing, a.state(t, workspace), "one that was there is not made anew by itself")
	_, err = a.sealer.Adopt(t.Context(), a.log, workspace)
	require.NoError(t, err)
	require.Equal(t, audit.Agrees, a.state(t, workspace))
	require.NoError(t, a.anchor.Forget(t.Context(), workspace))
	require.NoFileExists(t, file)
}

func TestAnAnchorThatComesLaterTakesTheLogsThatAreThere(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	first, second := a.three(t), a.three(t) // sealed, and in no anchor
	a.run(t)
	for _, workspace := range []uuid.UUID{first, second} {
		require.Equal(t, audit.Agrees, a.state(t, workspace))
	}
	all := map[uuid.UUID]bool{}
	require.NoError(t, a.sealer.Each(t.Context(), func(_ context.Context, workspace uuid.UUID) error {
		all[workspace] = true
		return nil
	}))
	require.Equal(t, map[uuid.UUID]bool{first: true, second: true}, all)
}
