package knowledge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
)

// indexedFile uploads a file, adds it to a base, and returns its path and that of its document when it can be found.
func indexedFile(t *testing.T, c *harness.Caller, base, text string) (file, document string) {
	t.Helper()
	id := c.Upload(t, "kettle.md", text).Text("id")
	a := c.Post(t, base+"/documents", map[string]any{"file_id": id})
	require.Equal(t, http.StatusAccepted, a.Status, a)
	c.WaitUntil(t, a.Header.Get("Location"), "status", "ready")
	return "/v1/files/" + id, a.Header.Get("Location")
}

const warranty = "The warranty of a kettle lasts twenty-four months.\n"

func TestU6DeletingAFileRemovesWhatTurnsQuoteOfIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	file, document := indexedFile(t, ada, base, warranty)
	ada.Indexed(t, base, "Other", "The warranty of a teapot lasts six months.")
	thread := threadOn(t, ada, base, nil)
	question, operation := "How long is the warranty of a kettle?", harness.Operation(uuid.NewString())
	a := ada.Say(t, thread, question, operation)
	require.Equal(t, http.StatusOK, a.Status, a)
	quote, _ := a.At("assistant_message.citations").([]any)[0].(map[string]any)["quote"].(string)
	require.Contains(t, quote, "twenty-four")
	require.Equal(t, a.String(), ada.Say(t, thread, question, operation).String())
	streamed := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": question}, harness.Header{Name: "Accept", Value: "text/event-stream"})
	require.Contains(t, streamed.String(), quote)
	require.Positive(t, p.Number(t, `SELECT count(*) FROM retrievals WHERE candidates::text LIKE '%twenty-four%'`))
	require.Positive(t, p.Number(t, `SELECT count(*) FROM turn_events WHERE pieces::text LIKE '%"quote\\"%'`))

	require.Equal(t, http.StatusNoContent, ada.Delete(t, document).Status, "what was made of the file is remembered when the document is gone")
	require.Eventually(t, func() bool { return ada.Get(t, document).Status == http.StatusNotFound }, time.Minute, 20*time.Millisecond)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, file).Status)
	require.Eventually(t, func() bool {
		return strings.Contains(ada.Get(t, "/v1/audit-log?action=file.erase").String(), strings.TrimPrefix(file, "/v1/files/"))
	}, 30*time.Second, 20*time.Millisecond, "no end")

	for _, m := range ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items() {
		for _, c := range m["citations"].([]any) {
			c := c.(map[string]any)
			require.Equal(t, []any{"", "", strings.TrimPrefix(document, base+"/documents/")}, []any{c["quote"], c["title"], c["document_id"]})
		}
	}
	found := ada.Get(t, "/v1/conversations/threads/"+thread+"/turns/"+a.Text("turn_id")+"/retrievals")
	require.Contains(t, found.String(), strings.TrimPrefix(document, base+"/documents/"))
	require.NotContains(t, found.String(), "kettle.md")
	require.Contains(t, found.String(), "Other", "of another document")
	require.NotContains(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/turns/"+a.Text("turn_id")).String(), `"quote":"T`)
	harness.RequireCode(t, ada.Say(t, thread, question, operation), http.StatusConflict, "OPERATION_EXPIRED")
	for _, left := range []string{
		`SELECT count(*) FROM operations WHERE convert_from(body, 'UTF8') LIKE '%"quote":"T%'`,
		`SELECT count(*) FROM retrievals r, jsonb_array_elements(r.candidates) c WHERE c ->> 'text' LIKE '%twenty-four%' OR c ->> 'title' = 'kettle.md'`,
		`SELECT count(*) FROM turn_events`, `SELECT count(*) FROM document_files`,
		`SELECT count(*) FROM messages WHERE citations::text LIKE '%twenty-four%'`,
		`SELECT count(*) FROM retrieved_documents WHERE document_id = '` + strings.TrimPrefix(document, base+"/documents/") + `'`,
	} {
		require.Zero(t, p.Number(t, left), left)
	}
	require.Positive(t, p.Number(t, `SELECT count(*) FROM retrievals r, jsonb_array_elements(r.candidates) c WHERE c ->> 'text' LIKE '%teapot%'`), "of another document")
}

func TestAnErasureWaitsForTurnsThatMayYetQuoteTheFile(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	file, _ := indexedFile(t, ada, base, warranty)
	ended, running := threadOn(t, ada, base, nil), threadOn(t, ada, base, nil)
	for _, thread := range []string{ended, running} {
		a := ada.Say(t, thread, "How long is the warranty of a kettle?")
		require.Contains(t, a.String(), `"quote":"The warranty`)
	}
	super := harness.Postgres.Superuser(t, ada.Database)
	set := func(sql string) {
		t.Helper()
		_, err := super.Exec(t.Context(), sql, running)
		require.NoError(t, err)
	}
	quoted := func(thread string) bool {
		return strings.Contains(ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").String(), `"quote":"The warranty`)
	}
	set(`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour' WHERE thread_id = $1`)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, file).Status)
	require.Eventually(t, func() bool { return !quoted(ended) }, 30*time.Second, 20*time.Millisecond)
	require.True(t, quoted(running))
	require.Positive(t, p.Number(t, `SELECT count(*) FROM document_files`), "it is done while a turn runs")
	set(`UPDATE llm_turns SET status = 'completed', finished_at = now() WHERE thread_id = $1`)
	require.Eventually(t, func() bool { return !quoted(running) }, 30*time.Second, 20*time.Millisecond)
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM document_files`) == 0 }, 30*time.Second, 20*time.Millisecond)
}

// An erasure was promised when the file was deleted: a job that was given up, or is lost, does not end it.
func TestAnErasureIsFinishedWhoseJobWasGivenUp(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	ada := p.Register(t)
	base := ada.NewBase(t)
	lost, _ := indexedFile(t, ada, base, warranty)
	given, _ := indexedFile(t, ada, base, warranty+"It covers the lever.\n")
	kept, _ := indexedFile(t, ada, base, warranty+"Keep the receipt.\n")
	thread := threadOn(t, ada, base, nil)
	require.Contains(t, ada.Say(t, thread, "How long is the warranty of a kettle?").String(), `"quote":"The warranty`)
	id := func(file string) string { return strings.TrimPrefix(file, "/v1/files/") }
	super := harness.Postgres.Superuser(t, ada.Database)
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := super.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	// No turn of the thread ends, so that the jobs wait until their rows are as a crash and a dead letter leave them.
	exec(`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour' WHERE thread_id = $1`, thread)
	for _, file := range []string{lost, given} {
		require.Equal(t, http.StatusNoContent, ada.Delete(t, file).Status)
	}
	remain := func(file string) int {
		return harness.Count(t, super, `SELECT count(*) FROM document_files WHERE file_id = $1`, id(file))
	}
	for _, file := range []string{lost, given} {
		require.Eventually(t, func() bool {
			tag, err := super.Exec(t.Context(), `DELETE FROM job_queue WHERE kind = 'file.erase' AND key = $1 AND status = 'queued'`, id(file))
			return err == nil && tag.RowsAffected() == 1
		}, time.Minute, time.Millisecond)
	}
	exec(`INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, payload, trace_id, attempts, errors, key, priority, max_attempts, failures)
		VALUES ($1, gen_random_uuid(), gen_random_uuid(), 'file.erase', '{}', '', 9, '[]', $2, 0, 9, 9)`, ada.Workspace, id(given))
	exec(`UPDATE llm_turns SET status = 'completed', finished_at = now() WHERE thread_id = $1`, thread)
	exec(`UPDATE document_files SET deleted_at = now() - interval '1 hour' WHERE deleted_at IS NOT NULL`)
	require.Eventually(t, func() bool { return remain(lost) == 0 }, 30*time.Second, 20*time.Millisecond, "nobody finds it")
	require.Equal(t, []int{1, 1}, []int{remain(given), remain(kept)}, "it was given up just now, and a file is there")
	exec(`UPDATE dead_letter_queue SET created_at = now() - interval '2 hours'`)
	require.Eventually(t, func() bool { return remain(given) == 0 }, 30*time.Second, 20*time.Millisecond, "nobody begins it again")
	require.Equal(t, 1, remain(kept))
	require.Zero(t, p.Number(t, `SELECT count(*) FROM dead_letter_queue`), "it is finished")
}

// An embedding says much of its text: the cache keeps none of a text that was erased.
func TestAnErasureEmptiesTheCacheOfEmbeddings(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, _ *embeddingtest.Server) {
		t.Helper()
		ada, bob := p.Register(t), p.Register(t)
		file, _ := indexedFile(t, ada, ada.NewBase(t, model(embeddingtest.Model)), warranty)
		indexedFile(t, bob, bob.NewBase(t, model(embeddingtest.Model)), warranty)
		cached := func(c *harness.Caller) int {
			return p.Number(t, `SELECT count(*) FROM embedding_cache WHERE workspace_id = $1`, c.Workspace)
		}
		require.Equal(t, []int{1, 1}, []int{cached(ada), cached(bob)})
		require.Equal(t, http.StatusNoContent, ada.Delete(t, file).Status)
		require.Eventually(t, func() bool { return cached(ada) == 0 }, 30*time.Second, 20*time.Millisecond)
		require.Equal(t, 1, cached(bob), "of another workspace")
	})
}
