package activity

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestARestoredLogIsToldOfUntilAnOperatorAdoptsIt(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms", "AUDIT_ANCHOR="+folder)
	ada, eve := p.Register(t), p.Register(t)
	ada.Verified(t)
	first := ada.AnchoredAs(t, "agrees")
	require.Equal(t, "folder", first.Text("anchor.store"))
	require.Equal(t, first.At("sealed_rows"), first.At("anchor.sealed_rows"))
	require.Nil(t, first.At("anchor.restored_to"))
	tables := []string{"audit_log", "audit_seals", "audit_seal_heads"}
	for _, table := range tables { // a backup
		p.SQL(t, `CREATE TABLE backup_`+table+` AS SELECT * FROM `+table+` WHERE workspace_id = '`+ada.Workspace+`'`)
	}
	ada.Post(t, "/v1/bots", map[string]any{"name": "a"})
	require.Eventually(t, func() bool { return ada.Get(t, "/v1/audit-log/verify").At("anchor.seal") != first.At("anchor.seal") }, 30*time.Second, 50*time.Millisecond)
	eve.AnchoredAs(t, "agrees")
	require.Equal(t, app.ExitOK, p.Stop())
	for _, table := range tables {
		p.SQL(t, `SET session_replication_role = replica; DELETE FROM `+table+` WHERE workspace_id = '`+ada.Workspace+`';
			INSERT INTO `+table+` SELECT * FROM backup_`+table)
	}

	ada.Restart(t)
	a := ada.Get(t, "/v1/audit-log/verify")
	require.Equal(t, "restored", a.Text("anchor.state"), a)
	require.Equal(t, false, a.At("intact"))
	require.Nil(t, a.At("broken_seal"), "what is there is as it was written")
	require.Equal(t, first.At("anchor.seal"), a.At("anchor.restored_to.seal"))
	require.Equal(t, first.At("anchor.sealed_at"), a.At("anchor.restored_to.sealed_at"))

	code, out, stderr := ada.Parley(t, "audit", "verify", "--all")
	require.Equal(t, app.ExitFailed, code, stderr)
	require.Contains(t, out, ada.Workspace+" NOT INTACT")
	require.Contains(t, out, "anchor: restored to seal 1 of 2")
	require.Contains(t, out, eve.Workspace+" intact")
	code, out, stderr = ada.Parley(t, "audit", "adopt", "--workspace", ada.Workspace)
	require.Equal(t, app.ExitOK, code, stderr)
	require.Contains(t, out, ada.Workspace+" adopted with 1 rows in 1 seals; the anchor had 2 rows in 2 seals")
	require.Equal(t, true, ada.Get(t, "/v1/audit-log/verify").At("intact"))
	rows := ada.Get(t, "/v1/audit-log?action=audit.adopt").Items()
	require.Len(t, rows, 1)
	code, _, stderr = ada.Parley(t, "audit", "verify", "--all")
	require.Equal(t, app.ExitOK, code, stderr)
}

func TestTheAnchorIsWhereTheSettingSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for setting, want := range map[string]string{"files": "files", "": "", "none": ""} {
		p := harness.Start(t, "UPKEEP_INTERVAL=100ms", "AUDIT_ANCHOR="+setting, "DATA_DIR="+filepath.Join(dir, "of "+setting))
		ada := p.Register(t)
		ada.Verified(t)
		file := filepath.Join(dir, "of "+setting, "files", "audit-anchor", ada.Workspace+".json")
		if want == "" {
			a := ada.AnchoredAs(t, "none")
			require.Nil(t, a.At("anchor.store"))
			require.Equal(t, true, a.At("intact"))
			continue
		}
		require.Equal(t, want, ada.AnchoredAs(t, "agrees").Text("anchor.store"))
		require.FileExists(t, file)
		require.NoError(t, os.Remove(file))
		ada.AnchoredAs(t, "missing")
		code, _, stderr := p.Parley(t, "audit", "adopt", "--all")
		require.Equal(t, app.ExitOK, code, stderr)
		ada.AnchoredAs(t, "agrees")
	}
}

func TestAuditCommandsSayWhatTheyWant(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for want, args := range map[string][]string{
		"say either --workspace":        {"audit", "adopt"},
		"say either --workspace, with":  {"audit", "verify", "--all", "--workspace", ada.Workspace},
		"--workspace: should be the id": {"audit", "adopt", "--workspace", "acme"},
	} {
		code, _, stderr := p.Parley(t, args...)
		require.Equal(t, app.ExitUsage, code)
		require.Contains(t, stderr, want)
	}
	stranger := *p
	stranger.Settings = append(append([]string{}, p.Settings...), "SECRET_KEY="+uuid.NewString())
	code, _, stderr := stranger.Parley(t, "audit", "adopt", "--all")
	require.Equal(t, app.ExitFailed, code)
	require.Contains(t, stderr, "SECRET_KEY: should be the key that this database")
}
