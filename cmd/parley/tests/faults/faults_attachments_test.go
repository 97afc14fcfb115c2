//go:build faults

package faults

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestFaultATurnKilledAfterItHasReadItsFilesDoesNotReadThemAgain(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), "JOB_LEASE=1s")
	s.launch()
	l := &library{user: s.register()}
	file := l.here().Upload(t, "terms.txt", "Parcels leave every Tuesday.").Text("id")
	thread := l.here().ThreadWith(t, map[string]any{"model": "echo"})
	s.kill()
	s.launch("FAULT_POINT=turn-attached")
	path, body, operation := "/v1/conversations/threads/"+thread+"/turn", `{"content":"Read","attachments":[{"file_id":"`+file+`"}]}`, harness.Operation(newID().String())
	_, err := l.send(t.Context(), l.token, http.MethodPost, path, body, operation)
	require.Error(t, err)
	s.died()
	tag, err := db.Exec(t.Context(), `UPDATE message_attachments SET text = 'It was read before.' WHERE text = 'Parcels leave every Tuesday.'`)
	require.NoError(t, err)
	require.EqualValues(t, 1, tag.RowsAffected())
	require.NoError(t, killedTurnsMayBeTaken(db))
	s.launch()
	var a harness.Answer
	require.Eventually(t, func() bool {
		a, err = l.send(t.Context(), l.token, http.MethodPost, path, body, operation)
		return err == nil && a.Status == http.StatusOK
	}, faultTimeout, 50*time.Millisecond)
	require.Contains(t, a.Text("assistant_message.content"), "terms.txt (text/plain; charset=utf-8, 28 bytes): It was read before.")
	require.Len(t, a.At("user_message.attachments"), 1)
	require.Equal(t, 1, l.one(t, db, `SELECT count(*) FROM messages WHERE workspace_id = $1 AND role = 'assistant'`))
}
