package app

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// anchoredAs waits until the caller's log compares so with its anchor.
func (c *caller) anchoredAs(t *testing.T, state string) answer {
	t.Helper()
	var a answer
	require.Eventually(t, func() bool {
		a = c.get(t, "/v1/audit-log/verify")
		require.Equal(t, http.StatusOK, a.Status, a)
		return a.text("anchor.state") == state
	}, 30*time.Second, 50*time.Millisecond, "%s", state)
	return a
}

// parley runs a subcommand on the data of a program.
func (p *program) parley(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, told bytes.Buffer
	code = Run(t.Context(), "test", append([]string{"parley"}, args...), p.settings, &out, &told)
	return code, out.String(), told.String()
}

func TestARestoredLogIsToldOfUntilAnOperatorAdoptsIt(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := start(t, "UPKEEP_INTERVAL=100ms", "AUDIT_ANCHOR="+folder)
	ada, eve := p.register(t), p.register(t)
	ada.verified(t)
	first := ada.anchoredAs(t, "agrees")
	require.Equal(t, "folder", first.text("anchor.store"))
	require.Equal(t, first.at("sealed_rows"), first.at("anchor.sealed_rows"))
	require.Nil(t, first.at("anchor.restored_to"))
	tables := []string{"audit_log", "audit_seals", "audit_seal_heads"}
	for _, table := range tables { // a backup
		p.sql(t, `CREATE TABLE backup_`+table+` AS SELECT * FROM `+table+` WHERE workspace_id = '`+ada.workspace+`'`)
	}
	ada.post(t, "/v1/bots", map[string]any{"name": "a"})
	require.Eventually(t, func() bool { return ada.get(t, "/v1/audit-log/verify").at("anchor.seal") != first.at("anchor.seal") }, 30*time.Second, 50*time.Millisecond)
	eve.anchoredAs(t, "agrees")
	require.Equal(t, ExitOK, p.stop())
	for _, table := range tables {
		p.sql(t, `SET session_replication_role = replica; DELETE FROM `+table+` WHERE workspace_id = '`+ada.workspace+`';
			INSERT INTO `+table+` SELECT * FROM backup_`+table)
	}

	ada.restart(t)
	a := ada.get(t, "/v1/audit-log/verify")
	require.Equal(t, "restored", a.text("anchor.state"), a)
	require.Equal(t, false, a.at("intact"))
	require.Nil(t, a.at("broken_seal"), "what is there is as it was written")
	require.Equal(t, first.at("anchor.seal"), a.at("anchor.restored_to.seal"))
	require.Equal(t, first.at("anchor.sealed_at"), a.at("anchor.restored_to.sealed_at"))

	code, out, told := ada.parley(t, "audit", "verify", "--all")
	require.Equal(t, ExitFailed, code, told)
	require.Contains(t, out, ada.workspace+" NOT INTACT")
	require.Contains(t, out, "anchor: restored to seal 1 of 2")
	require.Contains(t, out, eve.workspace+" intact")
	code, out, told = ada.parley(t, "audit", "adopt", "--workspace", ada.workspace)
	require.Equal(t, ExitOK, code, told)
	require.Contains(t, out, ada.workspace+" adopted with 1 rows in 1 seals; the anchor had 2 rows in 2 seals")
	require.Equal(t, true, ada.get(t, "/v1/audit-log/verify").at("intact"))
	rows := ada.get(t, "/v1/audit-log?action=audit.adopt").items()
	require.Len(t, rows, 1)
	code, _, told = ada.parley(t, "audit", "verify", "--all")
	require.Equal(t, ExitOK, code, told)
}

func TestTheAnchorIsWhereTheSettingSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for setting, want := range map[string]string{"files": "files", "": "", "none": ""} {
		p := start(t, "UPKEEP_INTERVAL=100ms", "AUDIT_ANCHOR="+setting, "DATA_DIR="+filepath.Join(dir, "of "+setting))
		ada := p.register(t)
		ada.verified(t)
		file := filepath.Join(dir, "of "+setting, "files", "audit-anchor", ada.workspace+".json")
		if want == "" {
			a := ada.anchoredAs(t, "none")
			require.Nil(t, a.at("anchor.store"))
			require.Equal(t, true, a.at("intact"))
			continue
		}
		require.Equal(t, want, ada.anchoredAs(t, "agrees").text("anchor.store"))
		require.FileExists(t, file)
		require.NoError(t, os.Remove(file))
		ada.anchoredAs(t, "missing")
		code, _, told := p.parley(t, "audit", "adopt", "--all")
		require.Equal(t, ExitOK, code, told)
		ada.anchoredAs(t, "agrees")
	}
}

func TestAuditCommandsSayWhatTheyWant(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	for want, args := range map[string][]string{
		"say either --workspace":        {"audit", "adopt"},
		"say either --workspace, with":  {"audit", "verify", "--all", "--workspace", ada.workspace},
		"--workspace: should be the id": {"audit", "adopt", "--workspace", "acme"},
	} {
		code, _, told := p.parley(t, args...)
		require.Equal(t, ExitUsage, code)
		require.Contains(t, told, want)
	}
	stranger := *p
	stranger.settings = append(append([]string{}, p.settings...), "SECRET_KEY="+uuid.NewString())
	code, _, told := stranger.parley(t, "audit", "adopt", "--all")
	require.Equal(t, ExitFailed, code)
	require.Contains(t, told, "SECRET_KEY: should be the key that this database")
}
