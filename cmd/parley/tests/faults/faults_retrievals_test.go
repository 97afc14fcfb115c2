//go:build faults

package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// newReader makes a bot that answers from a base with one document, which is made of a file.
func newReader(t *testing.T, s *site) (l *library, thread string) {
	t.Helper()
	l = &library{user: s.register()}
	ada := l.here()
	l.base = ada.NewBase(t)
	l.file = "/v1/files/" + ada.Upload(t, "parts.md", "Part number 17 is painted crimson. Handle it with care.\n").Text("id")
	l.add(t)
	require.Eventually(t, func() bool { return ada.Get(t, l.document).Text("status") == "ready" }, faultTimeout, 50*time.Millisecond)
	return l, l.thread(t)
}

func (l *library) thread(t *testing.T) string {
	t.Helper()
	return l.here().ThreadWith(t, map[string]any{"knowledge": []any{map[string]any{"id": strings.TrimPrefix(l.base, "/v1/knowledge-bases/")}}})
}

const colorQuestion = `{"content":"What color is part number 17?"}`

// requireCitedOnce counts what turns have left: each has one search, one message of each role, and one citation.
func (l *library) requireCitedOnce(t *testing.T, db *pgx.Conn, turns int) {
	t.Helper()
	for _, sql := range []string{
		`SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'completed'`,
		`SELECT count(*) FROM retrievals WHERE workspace_id = $1 AND number = 1`,
		`SELECT count(*) FROM retrievals WHERE workspace_id = $1`,
		`SELECT count(*) FROM retrieved_documents WHERE workspace_id = $1`,
		`SELECT count(*) FROM messages WHERE workspace_id = $1 AND role = 'user'`,
		`SELECT count(*) FROM messages WHERE workspace_id = $1 AND role = 'assistant' AND jsonb_array_length(citations) = 1`,
		`SELECT count(*) FROM messages WHERE workspace_id = $1 AND role = 'assistant'`,
	} {
		require.Equal(t, turns, l.one(t, db, sql), sql)
	}
}

func TestFaultATurnKilledWhileItSearchesHasItsSearchOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), "JOB_LEASE=1s")
	s.launch()
	l, _ := newReader(t, s)
	for i, point := range []string{"turn-searched", "turn-retrieved", "after-model-call", "before-commit"} {
		thread := l.thread(t)
		s.kill()
		s.launch("FAULT_POINT=" + point)
		path, operation := "/v1/conversations/threads/"+thread+"/turn", harness.Operation(newID().String())
		_, err := l.send(t.Context(), l.token, http.MethodPost, path, colorQuestion, operation)
		require.Error(t, err, point)
		s.died()
		require.NoError(t, killedTurnsMayBeTaken(db))
		s.launch()
		var a harness.Answer
		require.Eventually(t, func() bool {
			a, err = l.send(t.Context(), l.token, http.MethodPost, path, colorQuestion, operation)
			return err == nil && a.Status == http.StatusOK
		}, faultTimeout, 50*time.Millisecond, point)
		citations, _ := a.At("assistant_message.citations").([]any)
		require.Len(t, citations, 1, a)
		l.requireCitedOnce(t, db, i+1)
	}
}

// A process that was away for longer than its lease has searched for a turn that another one has taken up and finished.
func TestFaultALateSearchIsNotRecordedBesideThatOfTheTurn(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	settings := []string{"JWT_SECRET=" + harness.SecretKey, "JOB_LEASE=1s", "MODEL_TIMEOUT=20s"}
	late, other := newSite(t, c.url(), settings...), newSite(t, c.url(), settings...)
	other.environ[3] = late.environ[3] // the same folder
	require.Contains(t, late.environ[3], "DATA_DIR=")
	late.launch("FAULT_POINT=turn-searched:1:stop")
	l, thread := newReader(t, late)
	path, operation := "/v1/conversations/threads/"+thread+"/turn", harness.Operation(newID().String())
	answered := make(chan harness.Answer, 1)
	go func() {
		a, err := l.send(context.Background(), l.token, http.MethodPost, path, colorQuestion, operation)
		for err == nil && a.Text("code") == "OPERATION_IN_PROGRESS" { // it was stopped for longer than a call waits, and says to send it again
			a, err = l.send(context.Background(), l.token, http.MethodPost, path, colorQuestion, operation)
		}
		answered <- a
	}()
	late.stopped()
	require.NoError(t, endLeases(db))
	other.launch()
	var a harness.Answer
	require.Eventually(t, func() bool {
		var err error
		a, err = other.send(t.Context(), l.token, http.MethodPost, path, colorQuestion, operation)
		return err == nil && a.Status == http.StatusOK
	}, faultTimeout, 50*time.Millisecond)
	require.NoError(t, late.child.process.Signal(syscall.SIGCONT))
	require.Equal(t, a.Raw, (<-answered).Raw, "the late process has another answer")
	l.requireCitedOnce(t, db, 1)
}

// waitingModel is a model that writes the begin of its answer, and the rest when it is let go on.
func waitingModel(t *testing.T) (url string, goOn chan struct{}) {
	t.Helper()
	goOn = make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		piece := func(text, finish string) {
			fmt.Fprintf(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":%s}]}\n\n", text, finish)
			_ = http.NewResponseController(w).Flush()
		}
		piece("Part number 17 is painted crimson [1]. And", "null")
		select {
		case <-goOn:
		case <-r.Context().Done():
			return
		}
		piece(" handle it with care [1].", `"stop"`)
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1", goOn
}

// While models write answers from a document, it is deleted in another process: alone, with its base, or with its file.
func TestFaultADocumentIsDeletedWhileTurnsAnswerFromIt(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	model, goOn := waitingModel(t)
	settings := []string{
		"JWT_SECRET=" + harness.SecretKey, "OPENAI_BASE_URL=" + model, "OPENAI_API_KEY=sk-operator", "MODEL_DEFAULT=openai/m", "MODEL_TIMEOUT=60s", "JOB_POLL_INTERVAL=50ms",
	}
	one, other := newSite(t, c.url(), settings...), newSite(t, c.url(), settings...)
	other.environ[3] = one.environ[3] // the same folder
	require.Contains(t, one.environ[3], "DATA_DIR=")
	one.launch()
	other.launch()
	type reading struct {
		*library
		what, messages string
		stream         *harness.EventReader
	}
	var all []*reading
	for _, what := range []string{"document", "base", "file", "file, asked with a key"} {
		l, thread := newReader(t, one)
		r := &reading{library: l, what: what, messages: "/v1/conversations/threads/" + thread + "/messages"}
		asks := l.here()
		if strings.HasSuffix(what, "key") {
			asks = asks.Key(t, "editor")
		}
		r.stream = asks.Open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "What color is part number 17?"})
		r.stream.Until("citation.added")
		all = append(all, r)
	}
	found := func(s *site, r *reading) (n int) {
		for _, path := range []string{r.base + "/search", "/v1/knowledge/search"} {
			a, err := s.send(t.Context(), r.token, http.MethodPost, path, `{"query":"crimson"}`)
			require.NoError(t, err)
			if r.what != "base" || path == "/v1/knowledge/search" {
				require.Equal(t, http.StatusOK, a.Status, a)
			}
			n += len(a.Items())
		}
		return n
	}
	for _, r := range all {
		require.Positive(t, found(one, r)*found(other, r), r.what)
		path := map[string]string{"document": r.document, "base": r.base + "?force=true"}[r.what]
		if path == "" {
			path = r.file
		}
		a, err := other.send(t.Context(), r.token, http.MethodDelete, path, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, a.Status, a)
		require.Zero(t, found(one, r)+found(other, r), "%s: it is found after it was deleted", r.what)
		a, err = one.send(t.Context(), r.token, http.MethodGet, r.document+"/text", "")
		require.NoError(t, err)
		require.GreaterOrEqual(t, a.Status, http.StatusNotFound, "its text is read: %s", a)
		require.Equal(t, 1, r.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'running'`), "the turn has ended before: the test proved nothing")
	}
	close(goOn)
	quotes := func(r *reading) int {
		return r.one(t, db, `SELECT (SELECT count(*) FROM messages m, jsonb_array_elements(m.citations) c WHERE m.workspace_id = $1 AND c ->> 'quote' LIKE '%care%')
		    + (SELECT count(*) FROM retrievals WHERE workspace_id = $1 AND candidates::text LIKE '%care%')
		    + (SELECT count(*) FROM turn_events WHERE workspace_id = $1)
		    + (SELECT count(*) FROM operations WHERE workspace_id = $1 AND position('"quote":"'::bytea IN body) > 0)`)
	}
	for _, r := range all {
		frames := r.stream.Rest()
		require.Equal(t, "turn.completed", frames[len(frames)-1].Kind, r.what)
		if !strings.HasPrefix(r.what, "file") {
			a := r.here().Get(t, r.messages)
			require.Contains(t, a.String(), `"quote":"Handle it with care.`, "a citation does not stay as it was: %s", a)
			require.Greater(t, quotes(r), 2, r.what)
			continue
		}
		require.Eventually(t, func() bool { return quotes(r) == 0 }, faultTimeout, 100*time.Millisecond, "%s: what the turn has kept of it stays", r.what)
		require.Eventually(t, func() bool {
			return r.one(t, db, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'file.erase'`) == 1
		}, faultTimeout, 100*time.Millisecond)
		require.NotContains(t, r.here().Get(t, r.messages).String(), `"quote":"Handle`)
	}
}
