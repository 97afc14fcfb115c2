package harness

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// OldAudit makes all rows of the caller's audit log 100 days old, as if they had been sealed then, and returns how many there are. It waits
// until the log has one seal, of those rows. The program must seal often.
func (c *Caller) OldAudit(t *testing.T) (rows int) {
	t.Helper()
	c.Verified(t)
	const workspace = `workspace_id = (SELECT id FROM old_audit)`
	c.SQL(t, `CREATE TABLE IF NOT EXISTS old_audit (id uuid); DELETE FROM old_audit; INSERT INTO old_audit VALUES ('`+c.Workspace+`')`)
	c.SQL(t, `SET session_replication_role = replica; LOCK TABLE audit_log, audit_seals, audit_seal_heads;
		DELETE FROM audit_seals WHERE `+workspace+`; DELETE FROM audit_seal_heads WHERE `+workspace+`;
		UPDATE audit_log SET created_at = created_at - interval '100 days', id = encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
			PLACING substring(int8send((extract(epoch FROM now() - interval '100 days') * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid WHERE `+workspace+`;
		UPDATE audit_seal_progress SET sealed_at = 'epoch'`)
	rows = c.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1::uuid`, c.Workspace)
	require.Eventually(t, func() bool { return c.Get(t, "/v1/audit-log/verify").At("sealed_rows") == float64(rows) }, Timeout, 10*time.Millisecond)
	c.SQL(t, `DROP TABLE old_audit`)
	return rows
}

// CutAudit has the program remove the old rows of the caller's audit log, and returns how it verifies then.
func (c *Caller) CutAudit(t *testing.T) Answer {
	t.Helper()
	require.Equal(t, http.StatusCreated, c.Post(t, "/v1/bots", map[string]any{"name": "Young"}).Status)
	c.Verified(t) // the newest seal stays, however old it is
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/workspaces/"+c.Workspace+"/retention", map[string]any{"audit_days": 90}).Status)
	require.Eventually(t, func() bool { return c.Get(t, "/v1/audit-log/verify").At("cut") != nil }, Timeout, 10*time.Millisecond)
	return c.Verified(t)
}
