package audit_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/audit"
)

const (
	// aged makes the unsealed rows of a workspace 100 days older, and the sealer look at all rows.
	aged = `UPDATE audit_log a SET created_at = created_at - interval '100 days', id = encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
		PLACING substring(int8send((extract(epoch FROM now() - interval '100 days') * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
		WHERE workspace_id = $1 AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.workspace_id = $1 AND a.id = ANY (s.row_ids))`
	lookAtAll = `UPDATE audit_seal_progress SET sealed_at = 'epoch'`
)

// years makes a workspace with seals of two rows each, of which the first ones are old.
func (l *ledger) years(t *testing.T, old, young int64) uuid.UUID {
	t.Helper()
	workspace := uuid.New()
	for n := range old + young {
		l.record(t, workspace, 2)
		if n < old {
			l.do(t, aged, workspace)
			l.do(t, lookAtAll)
		}
		l.seal(t, workspace, n+1)
	}
	return workspace
}

func (l *ledger) cutter() *audit.Cutter {
	return audit.NewCutter(l.sealer, slog.New(slog.DiscardHandler))
}

// cut removes what is older than 95 days.
func (l *ledger) cut(t *testing.T, workspace uuid.UUID) int {
	t.Helper()
	removed, more, err := l.cutter().Cut(t.Context(), workspace, days(95), time.Now().Add(time.Minute))
	require.NoError(t, err)
	require.False(t, more)
	return removed
}

func days(ago int) time.Time { return time.Now().Add(-time.Duration(ago) * 24 * time.Hour) }

func (l *ledger) count(t *testing.T, table string, workspace uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, l.super.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE workspace_id = $1`, workspace).Scan(&n))
	return n
}

func TestOldRowsGoWithTheirSealsAndTheRestStillVerifies(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace, other := l.years(t, 3, 2), l.years(t, 3, 1)
	removed, more, err := l.cutter().Cut(t.Context(), workspace, days(101), time.Now().Add(time.Minute))
	require.NoError(t, err)
	require.Zero(t, removed, "nothing is as old as that")
	require.False(t, more)
	removed, more, err = l.cutter().Cut(t.Context(), workspace, days(95), time.Now())
	require.NoError(t, err)
	require.Zero(t, removed, "there was no time")
	require.True(t, more)

	require.Equal(t, 6, l.cut(t, workspace))
	require.Equal(t, 4, l.count(t, "audit_log", workspace))
	require.Equal(t, 2, l.count(t, "audit_seals", workspace))
	v := l.verify(t, workspace)
	require.WithinDuration(t, time.Now(), v.Cut.At, time.Minute)
	require.Equal(t, audit.Verification{Sealed: 4, Seals: 2, Cut: &audit.Cut{Seals: 3, Rows: 6, At: v.Cut.At}}, v)
	require.True(t, v.Intact())
	require.Zero(t, l.cut(t, workspace), "what is left is young")
	require.Equal(t, 8, l.count(t, "audit_log", other))
	require.Nil(t, l.verify(t, other).Cut)

	l.record(t, workspace, 1)
	v = l.seal(t, workspace, 3)
	require.Nil(t, v.Broken, "the log goes on")
	_, err = l.sealer.Adopt(t.Context(), l.log, workspace)
	require.NoError(t, err)
	require.True(t, l.verify(t, workspace).Intact(), "the head that an operator adopts counts removed rows")
	require.True(t, l.seal(t, workspace, 4).Intact())
}

func TestTheNewestSealStaysHoweverOldItIs(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := l.years(t, 3, 0)
	require.Equal(t, 4, l.cut(t, workspace))
	v := l.verify(t, workspace)
	require.True(t, v.Intact())
	require.EqualValues(t, 1, v.Seals)
	require.Zero(t, l.cut(t, workspace))

	l.record(t, workspace, 2)
	require.True(t, l.seal(t, workspace, 2).Intact())
	require.Equal(t, 2, l.cut(t, workspace), "now another one is the newest")
	v = l.verify(t, workspace)
	require.True(t, v.Intact())
	require.Equal(t, audit.Cut{Seals: 3, Rows: 6, At: v.Cut.At}, *v.Cut)
}

func TestWhateverASuperuserDoesToTheBeginningOfALogShows(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	const (
		gone   = `WITH gone AS (DELETE FROM audit_seals WHERE workspace_id = $1 AND seq <= 4 RETURNING row_ids) DELETE FROM audit_log USING gone WHERE id = ANY (row_ids)`
		forged = `UPDATE audit_cuts SET seq = 4, rows = rows + 2, seal_mac = (SELECT mac FROM audit_seals WHERE workspace_id = $1 AND seq = 4), mac = sha256('forged') WHERE workspace_id = $1`
	)
	for name, test := range map[string]struct {
		sql    []string
		broken int64
	}{
		"the cut deleted":                       {[]string{`DELETE FROM audit_cuts WHERE workspace_id = $1`}, 1},
		"the cut's mac changed":                 {[]string{`UPDATE audit_cuts SET mac = sha256(mac) WHERE workspace_id = $1`}, 1},
		"the cut's key changed":                 {[]string{`UPDATE audit_cuts SET key_id = '\x0102030405060708' WHERE workspace_id = $1`}, 0},
		"the cut's rows changed":                {[]string{`UPDATE audit_cuts SET rows = rows + 1 WHERE workspace_id = $1`}, 1},
		"the cut's time changed":                {[]string{`UPDATE audit_cuts SET cut_at = cut_at - interval '1 day' WHERE workspace_id = $1`}, 1},
		"the cut's seal changed":                {[]string{`UPDATE audit_cuts SET seal_mac = sha256(seal_mac) WHERE workspace_id = $1`}, 1},
		"the cut moved back":                    {[]string{`UPDATE audit_cuts SET seq = 2 WHERE workspace_id = $1`}, 1},
		"an older cut put back":                 {[]string{`UPDATE audit_cuts c SET seq = o.seq, rows = o.rows, seal_mac = o.seal_mac, cut_at = o.cut_at, mac = o.mac, key_id = o.key_id FROM older o WHERE c.workspace_id = $1 AND o.workspace_id = $1`}, 2},
		"the cut of another log":                {[]string{`UPDATE audit_cuts c SET seq = o.seq, rows = o.rows, seal_mac = o.seal_mac, cut_at = o.cut_at, mac = o.mac FROM audit_cuts o WHERE c.workspace_id = $1 AND o.workspace_id <> $1`}, 1},
		"the mac of the head for a cut":         {[]string{`UPDATE audit_cuts c SET mac = h.mac FROM audit_seal_heads h WHERE c.workspace_id = $1 AND h.workspace_id = $1`}, 1},
		"rows removed without a cut":            {[]string{gone}, 4},
		"rows removed with a forged cut":        {[]string{forged, gone}, 1},
		"rows removed with a cut of no change":  {[]string{gone, `UPDATE audit_cuts SET seq = 4 WHERE workspace_id = $1`}, 1},
		"a seal put back":                       {[]string{`INSERT INTO audit_seals SELECT workspace_id, 3, ARRAY[gen_random_uuid()], now(), mac, key_id FROM audit_seals WHERE workspace_id = $1 AND seq = 4`}, 3},
		"a row put back":                        {[]string{copied + `created_at - interval '100 days' FROM audit_log a WHERE workspace_id = $1 LIMIT 1`}, 4},
		"all seals and rows removed":            {[]string{`DELETE FROM audit_seals WHERE workspace_id = $1`, `DELETE FROM audit_log WHERE workspace_id = $1`}, 4},
		"all but the cut removed":               {[]string{`DELETE FROM audit_seals WHERE workspace_id = $1`, `DELETE FROM audit_log WHERE workspace_id = $1`, `DELETE FROM audit_seal_heads WHERE workspace_id = $1`}, 4},
		"a cut where nothing should be removed": {[]string{`DELETE FROM audit_cuts WHERE workspace_id = $1`, `UPDATE audit_seals SET seq = seq - 3 WHERE workspace_id = $1`}, 1},
	} {
		workspace := l.years(t, 2, 0) // the last of them stays
		l.cut(t, workspace)
		l.do(t, `CREATE TABLE IF NOT EXISTS older AS SELECT * FROM audit_cuts WHERE false`)
		l.do(t, `INSERT INTO older SELECT * FROM audit_cuts WHERE workspace_id = $1`, workspace)
		l.record(t, workspace, 2)
		l.do(t, aged, workspace)
		l.do(t, lookAtAll)
		l.seal(t, workspace, 2)
		for n := range int64(2) {
			l.record(t, workspace, 2)
			l.seal(t, workspace, n+3)
		}
		require.Equal(t, 4, l.cut(t, workspace))
		v := l.verify(t, workspace)
		require.True(t, v.Intact(), name)
		require.EqualValues(t, 3, v.Cut.Seals)
		for _, sql := range test.sql {
			l.do(t, sql, workspace)
		}
		v = l.verify(t, workspace)
		require.False(t, v.Intact(), name)
		if test.broken == 0 {
			require.NotEmpty(t, v.UnknownKeys, name)
			continue
		}
		require.NotNil(t, v.Broken, name)
		require.Equal(t, test.broken, *v.Broken, name)
		if l.count(t, "audit_seal_heads", workspace) == 0 {
			continue
		}
		_, err := l.sealer.Adopt(t.Context(), l.log, workspace)
		if err == nil {
			require.False(t, l.verify(t, workspace).Intact(), "%s: an operator who adopts the log has hidden it", name)
		}
	}
}

func TestNothingIsRemovedBehindASealThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sql  string
		left int // seals
	}{
		"a row changed":       {`UPDATE audit_log a SET action = 'bot.delete'` + second, 4},
		"a row removed":       {`DELETE FROM audit_log WHERE id = (SELECT s.row_ids[2] FROM audit_seals s WHERE s.workspace_id = $1 AND s.seq = 2)`, 4},
		"a seal changed":      {`UPDATE audit_seals SET mac = sha256(mac) WHERE workspace_id = $1 AND seq = 2`, 4},
		"a seal removed":      {`DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 2`, 3},
		"the key not known":   {`UPDATE audit_seals SET key_id = '\x0102030405060708' WHERE workspace_id = $1 AND seq = 2`, 4},
		"the head changed":    {`UPDATE audit_seal_heads SET mac = sha256(mac) WHERE workspace_id = $1`, 5},
		"the head moved back": {`UPDATE audit_seal_heads SET mac_seq = 3 WHERE workspace_id = $1`, 5},
		"a cut forged":        {`INSERT INTO audit_cuts SELECT $1, 1, 2, mac, now(), mac, key_id FROM audit_seals WHERE workspace_id = $1 AND seq = 1`, 5},
	} {
		var logged bytes.Buffer
		l := newLedger(t)
		workspace := l.years(t, 4, 1)
		l.do(t, test.sql, workspace)
		c := audit.NewCutter(l.sealer, slog.New(slog.NewTextHandler(&logged, nil)))
		_, more, err := c.Cut(t.Context(), workspace, days(95), time.Now().Add(time.Minute))
		require.ErrorIs(t, err, audit.ErrNotIntact, name)
		require.False(t, more)
		require.Contains(t, logged.String(), workspace.String())
		require.Equal(t, test.left, l.count(t, "audit_seals", workspace), name)
		require.False(t, l.verify(t, workspace).Intact(), name)
		_, _, err = c.Cut(t.Context(), workspace, days(95), time.Now().Add(time.Minute))
		require.ErrorIs(t, err, audit.ErrNotIntact, name)
		require.Equal(t, test.left, l.count(t, "audit_seals", workspace), name)
	}
}

func TestNothingIsRemovedThatTheAnchorHolds(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	workspace := a.years(t, 2, 0)
	require.Zero(t, a.cut(t, workspace), "nothing is anchored yet")
	a.run(t)
	for n := range int64(3) {
		a.record(t, workspace, 2)
		a.do(t, aged, workspace)
		a.do(t, lookAtAll)
		a.seal(t, workspace, n+3)
	}
	require.Equal(t, 2, a.cut(t, workspace), "the anchored seal is the second")
	v := a.verify(t, workspace)
	require.Nil(t, v.Broken)
	require.Equal(t, audit.Behind, v.Anchor.State)

	a.store.away.Store(true)
	_, _, err := a.cutter().Cut(t.Context(), workspace, days(95), time.Now().Add(time.Minute))
	require.ErrorIs(t, err, errAway)
	a.store.away.Store(false)
	a.run(t)
	require.Equal(t, audit.Agrees, a.state(t, workspace), "an anchor is renewed behind a cut")
	require.Equal(t, 6, a.cut(t, workspace))
	require.Equal(t, audit.Agrees, a.state(t, workspace))

	a.record(t, workspace, 2)
	a.seal(t, workspace, 2)
	a.run(t)
	a.do(t, `DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 6`, workspace)
	_, _, err = a.cutter().Cut(t.Context(), workspace, days(95), time.Now().Add(time.Minute))
	require.ErrorIs(t, err, audit.ErrNotIntact, "the log does not go on from its anchor")
	require.NoError(t, a.anchor.Forget(t.Context(), workspace))
	_, _, err = a.cutter().Cut(t.Context(), workspace, days(95), time.Now().Add(time.Minute))
	require.ErrorIs(t, err, audit.ErrNotIntact, "the anchor is gone")
}
