package audit_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// cutBy calls what removes rows as the program does, but with whatever it is given, and takes it back.
func (l *ledger) cutBy(t *testing.T, workspace uuid.UUID, after, last, rows int64) (removed int, err error) {
	t.Helper()
	tx, err := l.super.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	var mac []byte
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT coalesce((SELECT mac FROM audit_seals WHERE workspace_id = $1 AND seq = $2), '')`, workspace, last).Scan(&mac))
	_, err = tx.Exec(t.Context(), `SET LOCAL ROLE parley_app`)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT set_config('app.workspace_id', $1, true)`, workspace.String())
	require.NoError(t, err)
	err = tx.QueryRow(t.Context(), `SELECT app.cut_audit($1, $2, $3, $4, now(), sha256('x'), '\x0102030405060708')`, after, last, rows, mac).Scan(&removed)
	return removed, err
}

func TestTheDatabaseRemovesOnlyWholeOldSealsBelowTheHead(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := l.years(t, 3, 3)
	l.do(t, `SET session_replication_role = origin`)
	n, err := l.cutBy(t, workspace, 0, 3, 6)
	require.NoError(t, err)
	require.Equal(t, 6, n)
	n, err = l.cutBy(t, workspace, 1, 3, 6)
	require.NoError(t, err)
	require.Equal(t, -1, n, "the log begins elsewhere")
	const age, whole, head = "stay for 90 days", "whole seals", "below its head"
	for name, test := range map[string]struct {
		last, rows int64
		says       string
	}{
		"young rows":      {4, 8, age},
		"the newest seal": {6, 12, head},
		"no seal":         {7, 14, whole},
		"nothing":         {0, 0, whole},
		"other counts":    {3, 5, whole},
	} {
		_, err = l.cutBy(t, workspace, 0, test.last, test.rows)
		require.ErrorContains(t, err, "42501", name)
		require.ErrorContains(t, err, test.says, name)
	}

	for name, test := range map[string]struct{ sql, says string }{
		"a row by its time": {`UPDATE audit_log SET created_at = now() - interval '89 days' WHERE id = (SELECT row_ids[1] FROM audit_seals WHERE workspace_id = $1 AND seq = 2)`, age},
		"a row by its id": {`WITH moved AS (UPDATE audit_log a SET id = encode(overlay(uuid_send(id) PLACING substring(int8send(
			(extract(epoch FROM now() - interval '89 days') * 1000)::bigint) FROM 3) FROM 1 FOR 6), 'hex')::uuid` + second + ` RETURNING a.id)
			UPDATE audit_seals SET row_ids = ARRAY(SELECT id FROM moved) WHERE workspace_id = $1 AND seq = 2`, age},
		"a seal that is gone":       {`DELETE FROM audit_seals WHERE workspace_id = $1 AND seq = 2`, whole},
		"a row that is gone":        {`DELETE FROM audit_log a USING audit_seals s WHERE s.workspace_id = $1 AND s.seq = 2 AND a.id = s.row_ids[1]`, "cannot be removed"},
		"an anchored head":          {`UPDATE audit_seal_heads SET anchored_seq = 3 WHERE workspace_id = $1`, head},
		"a head without a mac":      {`UPDATE audit_seal_heads SET mac = NULL, mac_seq = NULL, mac_rows = NULL WHERE workspace_id = $1`, head},
		"a head that is there":      {`UPDATE audit_seal_heads SET mac_seq = 3 WHERE workspace_id = $1`, head},
		"a log without a head":      {`DELETE FROM audit_seal_heads WHERE workspace_id = $1`, head},
		"a log without later seals": {`DELETE FROM audit_seals WHERE workspace_id = $1 AND seq > 3`, head},
	} {
		l.do(t, `SET session_replication_role = replica`)
		workspace := l.years(t, 3, 1)
		l.do(t, test.sql, workspace)
		l.do(t, `SET session_replication_role = origin`)
		_, err := l.cutBy(t, workspace, 0, 3, 6)
		require.ErrorContains(t, err, "42501", name)
		require.ErrorContains(t, err, test.says, name)
	}
}

func TestTheProgramHasNoOtherWayToRemoveOldRows(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	workspace := l.years(t, 3, 1)
	l.cut(t, workspace)
	l.do(t, `SET session_replication_role = origin`)
	for _, sql := range []string{
		`DELETE FROM audit_log`, `DELETE FROM audit_seals`, `DELETE FROM audit_cuts`, `UPDATE audit_cuts SET seq = 1`, `UPDATE audit_cuts SET rows = 1`,
		`INSERT INTO audit_cuts VALUES (gen_random_uuid(), 1, 1, sha256('x'), now(), sha256('x'), '\x0102030405060708')`, `TRUNCATE audit_cuts`,
	} {
		err := pgx.BeginFunc(t.Context(), l.super, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE parley_app`); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `SELECT set_config('app.workspace_id', $1, true)`, workspace.String()); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
		require.ErrorContains(t, err, "42501", sql)
	}
	_, err := l.super.Exec(t.Context(), `SELECT app.purge_some($1, 1)`, workspace)
	require.ErrorContains(t, err, "not to be purged")
	require.True(t, l.verify(t, workspace).Intact())
	_, _, err = l.cutter().Cut(t.Context(), workspace, time.Now(), time.Now().Add(time.Minute))
	require.NoError(t, err, "a time that is too young removes no more")
	require.Equal(t, 2, l.count(t, "audit_log", workspace))
}
