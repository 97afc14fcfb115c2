//go:build faults

package faults

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// An export whose process is killed while it is written, or before it is completed, is written again, as one archive.
func TestFaultAnExportThatIsKilledIsWrittenAgainAsOneArchive(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), "JOB_LEASE=1s")
	s.launch()
	l := &library{user: s.register()}
	ada := l.here()
	require.Equal(t, http.StatusCreated, ada.Upload(t, "parts.md", libraryText()).Status)
	path := "/v1/workspaces/" + ada.Workspace + "/export"
	for _, point := range []string{"export-rows", "export-kept"} {
		s.kill()
		s.launch("FAULT_POINT=" + point)
		a, err := l.send(t.Context(), l.token, http.MethodPost, path, "{}", harness.Operation(newID().String()))
		if err == nil {
			require.Equal(t, http.StatusAccepted, a.Status, a)
		}
		s.died()
		s.launch()
		var made harness.Answer
		require.Eventually(t, func() bool {
			list, err := l.send(t.Context(), l.token, http.MethodGet, path+"s", "")
			if err != nil || len(list.Items()) == 0 || list.Items()[0]["status"] != "completed" {
				return false
			}
			made, err = l.send(t.Context(), l.token, http.MethodGet, path+"s/"+list.Items()[0]["id"].(string), "")
			return err == nil
		}, faultTimeout, 50*time.Millisecond, point)
		require.EqualValues(t, 1, made.At("progress.files"), made)
		archive, err := l.send(t.Context(), "", http.MethodGet, made.Text("download.url"), "")
		require.NoError(t, err)
		require.EqualValues(t, len(archive.Raw), made.At("size"), point)
		require.Equal(t, 2, l.one(t, db, `SELECT attempt FROM workspace_exports WHERE id = `+fmt.Sprintf("'%s'", made.Text("id"))+` AND workspace_id = $1`), point)
	}
}
