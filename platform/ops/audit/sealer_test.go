package audit_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/testing/pgtest"
)

type ledger struct {
	db     *postgres.DB
	log    *audit.Log
	sealer *audit.Sealer
	key    []byte
	url    string
	super  *pgx.Conn // who may do anything to the database, but has no key
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	url := pg.URL(t)
	db := pg.Open(t, url)
	key := []byte("a key that is not in the database")
	l := &ledger{db: db, url: url, log: audit.NewLog(db), sealer: audit.NewSealer(db, keysOf(key), nil), key: key, super: pg.Superuser(t, url)}
	l.do(t, `SET session_replication_role = replica`) // no trigger stops this one
	return l
}

func (l *ledger) do(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := l.super.Exec(t.Context(), sql, args...)
	require.NoError(t, err, sql)
}

func in(t *testing.T, workspace uuid.UUID) context.Context {
	t.Helper()
	return callctx.As(t.Context(), workspace, uuid.Must(uuid.NewV7()))
}

// record writes rows in one transaction.
func (l *ledger) record(t *testing.T, workspace uuid.UUID, n int) {
	t.Helper()
	require.NoError(t, l.db.Write(in(t, workspace), func(ctx context.Context) error {
		for range n {
			err := l.log.Record(ctx, audit.Entry{Action: "bot.create", Resource: "bot", ResourceID: uuid.New(), Changes: map[string]any{"name": "a"}})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func (l *ledger) verify(t *testing.T, workspace uuid.UUID) audit.Verification {
	t.Helper()
	v, err := l.sealer.Verify(in(t, workspace))
	require.NoError(t, err)
	return v
}

// seal seals until a workspace has this many seals.
func (l *ledger) seal(t *testing.T, workspace uuid.UUID, seals int64) audit.Verification {
	t.Helper()
	var v audit.Verification
	require.Eventually(t, func() bool {
		require.NoError(t, l.sealer.Seal(t.Context()))
		v = l.verify(t, workspace)
		return v.Seals == seals && v.Unsealed == 0
	}, 30*time.Second, 10*time.Millisecond)
	return v
}

// three makes a workspace with three seals of two rows each.
func (l *ledger) three(t *testing.T) uuid.UUID {
	t.Helper()
	workspace := uuid.New()
	for n := range int64(3) {
		l.record(t, workspace, 2)
		l.seal(t, workspace, n+1)
	}
	v := l.verify(t, workspace)
	v.Anchor = nil
	require.Equal(t, audit.Verification{Sealed: 6, Seals: 3}, v)
	return workspace
}

const (
	second = ` FROM audit_seals s WHERE s.workspace_id = $1 AND s.seq = 2 AND a.workspace_id = $1 AND a.id = ANY (s.row_ids)`
	copied = `INSERT INTO audit_log SELECT workspace_id, gen_random_uuid(), user_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent, `
	swap   = ` FROM audit_log b, audit_seals s WHERE s.workspace_id = $1 AND s.seq = 2 AND a.workspace_id = $1 AND b.workspace_id = $1
		AND a.id = ANY (s.row_ids) AND b.id = ANY (s.row_ids) AND a.id <> b.id`
)

func TestWhateverASuperuserDoesToASealedLogShows(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for name, test := range map[string]struct {
		sql    string
		broken int64
	}{
		"a user changed":                       {`UPDATE audit_log a SET user_id = gen_random_uuid()` + second, 2},
		"an operation changed":                 {`UPDATE audit_log a SET operation_id = gen_random_uuid()` + second, 2},
		"a trace changed":                      {`UPDATE audit_log a SET trace_id = 'x'` + second, 2},
		"an action changed":                    {`UPDATE audit_log a SET action = 'bot.delete'` + second, 2},
		"a resource's kind changed":            {`UPDATE audit_log a SET resource_type = 'thread'` + second, 2},
		"a resource changed":                   {`UPDATE audit_log a SET resource_id = gen_random_uuid()` + second, 2},
		"changes changed":                      {`UPDATE audit_log a SET changes = '{"name": "b"}'` + second, 2},
		"an address changed":                   {`UPDATE audit_log a SET ip = '192.0.2.1'` + second, 2},
		"a user agent changed":                 {`UPDATE audit_log a SET user_agent = 'x'` + second, 2},
		"a time changed":                       {`UPDATE audit_log a SET created_at = a.created_at + interval '1 microsecond'` + second, 2},
		"an id changed":                        {`UPDATE audit_log a SET id = gen_random_uuid()` + second, 2},
		"a row deleted":                        {`DELETE FROM audit_log WHERE id = (SELECT s.row_ids[2] FROM audit_seals s WHERE s.workspace_id = $1 AND s.seq = 2)`, 2},
		"a row carried off to elsewhere":       {`UPDATE audit_log a SET workspace_id = gen_random_uuid()` + second, 2},
		"a row made to have been long ago":     {copied + `created_at - interval '1 hour' FROM audit_log a WHERE workspace_id = $1 LIMIT 1`, 1},
		"what two rows say swapped":            {`UPDATE audit_log a SET resource_id = b.resource_id` + swap, 2},
		"a seal's mac edited":                  {`UPDATE audit_seals SET mac = sha256(mac) WHERE workspace_id = $1 AND seq = 2`, 2},
		"a row left out of its seal":           {`UPDATE audit_seals SET row_ids = row_ids[1:1] WHERE workspace_id = $1 AND seq = 2`, 2},
		"a row taken into a seal":              {`UPDATE audit_seals SET row_ids = row_ids || gen_random_uuid() WHERE workspace_id = $1 AND seq = 2`, 2},
		"a seal's time edited":                 {`UPDATE audit_seals SET sealed_at = sealed_at - interval '1 day' WHERE workspace_id = $1 AND seq = 2`, 2},
		"two seals swapped":                    {`UPDATE audit_seals a SET mac = b.mac FROM audit_seals b WHERE a.workspace_id = $1 AND b.workspace_id = $1 AND a.seq + b.seq = 5 AND a.seq <> b.seq`, 2},
		"the first seal removed":               {`DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 1`, 1},
		"a seal removed":                       {`DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 2`, 2},
		"the last seal removed":                {`DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 3`, 3},
		"the last seal removed with its rows":  {`WITH gone AS (DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 3 RETURNING row_ids) DELETE FROM audit_log USING gone WHERE id = ANY (row_ids)`, 3},
		"all seals removed":                    {`DELETE FROM audit_seals WHERE workspace_id = $1`, 1},
		"a seal removed, the next in its name": {`WITH gone AS (DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 2) UPDATE audit_seals SET seq = 4 WHERE workspace_id = $1 AND seq = 3`, 2},
	} {
		workspace := l.three(t)
		l.do(t, test.sql, workspace)
		v := l.verify(t, workspace)
		require.NotNil(t, v.Broken, name)
		require.Equal(t, test.broken, *v.Broken, name)

		l.record(t, workspace, 1)
		require.NoError(t, l.sealer.Seal(t.Context()), name)
		after := l.verify(t, workspace)
		require.NotNil(t, after.Broken, "%s: the next seal has hidden it", name)
		require.LessOrEqual(t, *after.Broken, test.broken, name)
	}
}

// A dump that is restored into a new server brings rows, seals and progress, and nothing that the old server counted.
func TestALogThatWasMovedToAnotherServerStillVerifiesAndGoesOn(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for range 500 { // the old server has counted on
		l.do(t, `SELECT pg_current_xact_id()`)
	}
	workspace := l.three(t)
	l.record(t, workspace, 1) // not sealed yet
	var other pgtest.Server
	url := other.Start(t)
	db := pg.Open(t, url)
	moved := &ledger{db: db, log: audit.NewLog(db), sealer: audit.NewSealer(db, keysOf(l.key), nil), super: pg.Superuser(t, url)}
	for _, table := range []string{"audit_log", "audit_seals", "audit_seal_heads", "audit_seal_progress"} {
		var data bytes.Buffer
		_, err := l.super.PgConn().CopyTo(t.Context(), &data, "COPY "+table+" TO STDOUT")
		require.NoError(t, err)
		_, err = moved.super.PgConn().CopyFrom(t.Context(), &data, "COPY "+table+" FROM STDIN")
		require.NoError(t, err)
	}
	require.Equal(t, audit.Verification{Sealed: 6, Unsealed: 1, Seals: 3}, moved.verify(t, workspace))
	moved.record(t, workspace, 2)
	require.Equal(t, audit.Verification{Sealed: 9, Seals: 4}, moved.seal(t, workspace, 4))
}

func TestAnotherKeyMakesNoSealThatFits(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := l.three(t)
	v, err := audit.NewSealer(l.db, keysOf([]byte("the key of a forger")), nil).Verify(in(t, workspace))
	require.NoError(t, err)
	require.NotNil(t, v.Broken)
	require.EqualValues(t, 1, *v.Broken)
}

func TestATransactionThatCommitsLateIsNotPassedOver(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := uuid.New()
	l.record(t, workspace, 1) // an earlier one
	begun, ended, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	finish := sync.OnceFunc(func() { close(ended) })
	defer finish()
	ctx := in(t, workspace)
	go func() {
		done <- l.db.Write(ctx, func(ctx context.Context) error {
			err := l.log.Record(ctx, audit.Entry{Action: "late", Resource: "bot"})
			if err == nil {
				err = l.db.Flush(ctx)
			}
			close(begun)
			<-ended
			return err
		})
	}()
	<-begun
	l.record(t, workspace, 3) // later ones that commit before it
	require.Equal(t, audit.Verification{Sealed: 4, Seals: 1}, l.seal(t, workspace, 1))
	finish()
	require.NoError(t, <-done)
	require.Equal(t, audit.Verification{Sealed: 5, Seals: 2}, l.seal(t, workspace, 2))
}

func TestSealersOfSeveralProcessesMakeOneChain(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspaces := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	errs := make(chan error, 200)
	for range 10 {
		for _, w := range workspaces {
			l.record(t, w, 1)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { errs <- l.sealer.Seal(t.Context()) })
		}
		wg.Wait()
	}
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	for _, w := range workspaces {
		require.Eventually(t, func() bool {
			require.NoError(t, l.sealer.Seal(t.Context()))
			return l.verify(t, w).Unsealed == 0
		}, 30*time.Second, 10*time.Millisecond)
		v := l.verify(t, w)
		require.Nil(t, v.Broken)
		require.EqualValues(t, 10, v.Sealed)
	}
}

// A seal that another process makes between two reads of a sealer must not be left out of the chain.
func TestSealersThatRunWhileRowsComeMakeOneChain(t *testing.T) {
	t.Parallel()
	l, workspace := newLedger(t), uuid.New()
	written := make(chan struct{})
	errs := make(chan error, 4)
	for range 4 {
		go func() {
			for {
				select {
				case <-written:
					errs <- nil
					return
				default:
				}
				if err := l.sealer.Seal(t.Context()); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	rows, seals := 0, 0
	for ; rows < 300 || seals < 12; rows++ { // until sealers had something to do beside each other
		l.record(t, workspace, 1)
		require.NoError(t, l.super.QueryRow(t.Context(), "SELECT count(*) FROM audit_seals").Scan(&seals))
	}
	close(written)
	for range 4 {
		require.NoError(t, <-errs)
	}
	require.Eventually(t, func() bool {
		require.NoError(t, l.sealer.Seal(t.Context()))
		return l.verify(t, workspace).Unsealed == 0
	}, 30*time.Second, 10*time.Millisecond)
	v := l.verify(t, workspace)
	require.Nil(t, v.Broken)
	require.EqualValues(t, rows, v.Sealed)
}

func TestMoreRowsThanAPageAreSealedAndVerifiedWhole(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := uuid.New()
	l.do(t, `INSERT INTO audit_log (workspace_id, id, trace_id, action, resource_type, changes, user_agent)
		SELECT $1, gen_random_uuid(), 't', 'bot.create', 'bot', '{}', '' FROM generate_series(1, 2500)`, workspace) // one transaction
	require.Equal(t, audit.Verification{Sealed: 2500, Seals: 3}, l.seal(t, workspace, 3))
	l.do(t, `UPDATE audit_log SET action = 'x' WHERE id = (SELECT max(id::text)::uuid FROM audit_log WHERE workspace_id = $1)`, workspace)
	require.NotNil(t, l.verify(t, workspace).Broken, "a row of the last page")
}

func TestNothingInTheLogCanBeChangedOrRemoved(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := l.three(t)
	l.do(t, `SET session_replication_role = origin`)
	for _, role := range []string{"parley_app", "none"} {
		for _, table := range []string{"audit_log", "audit_seals"} {
			for _, sql := range []string{
				"UPDATE " + table + " SET workspace_id = workspace_id", "DELETE FROM " + table, "TRUNCATE " + table, "TRUNCATE " + table + " CASCADE",
			} {
				tx, err := l.super.Begin(t.Context())
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), `SET LOCAL ROLE `+role)
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), `SELECT set_config('app.workspace_id', $1, true)`, workspace.String())
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), sql)
				require.ErrorContains(t, err, "42501", "%s as %s", sql, role)
				require.NoError(t, tx.Rollback(t.Context()))
			}
		}
	}
	require.Equal(t, audit.Verification{Sealed: 6, Seals: 3}, l.verify(t, workspace))
}

// A run costs as much as has been written since the run before. What a slow transaction writes is dated before that, and
// is found by the run that looks back all the way: the first of a process, and then one every few minutes.
func TestARowOfASlowTransactionIsSealedByTheRunThatLooksBackAllTheWay(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := uuid.New()
	l.record(t, workspace, 1)
	l.seal(t, workspace, 1)
	l.record(t, workspace, 1)
	l.do(t, `UPDATE audit_log SET created_at = now() - interval '5 minutes' WHERE id = (SELECT max(id::text)::uuid FROM audit_log)`)
	require.NoError(t, l.sealer.Seal(t.Context()))
	require.Equal(t, audit.Verification{Sealed: 1, Unsealed: 1, Seals: 1}, l.verify(t, workspace), "every run looks at everything")
	require.NoError(t, audit.NewSealer(l.db, keysOf(l.key), nil).Seal(t.Context()))
	require.Equal(t, audit.Verification{Sealed: 2, Seals: 2}, l.verify(t, workspace))
}
