//go:build faults

package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
)

const embedBatch = 40 // texts that are embedded between two commits

// documentCase is a change of documents in whose middle the program is killed.
type documentCase struct {
	change string // a key of documentChanges
	point  string
	lost   bool   // the job is lost too: upkeep has to queue another
	status string // of the document when the program is back; empty: any
}

// documentCases kill the program in each state of a document. They are divided among servers by their number.
func documentCases() []documentCase {
	return []documentCase{
		{"add", "after-commit", true, "queued"},
		{"add", "document-extracting", false, "extracting"},
		{"add", "document-extracted", true, "chunking"},
		{"add", "document-chunking:2", false, "chunking"},
		{"add", "document-chunked", false, "chunking"},
		{"add", "document-embedding:3", false, "embedding"},
		{"add", "document-embedded", true, "embedding"},
		{"add", "document-switched", false, "ready"},
		{"resize", "document-copied", true, "queued"},
		{"resize", "document-chunking", true, "chunking"},
		{"resize", "document-embedding:2", false, "embedding"},
		{"resize", "document-switched", false, "ready"},
		{"resize", "document-tidying", false, "ready"},
		{"reindex", "document-extracting", true, "extracting"},
		{"delete document", "after-commit", false, "deleting"},
		{"delete document", "document-deleting", true, "deleting"},
		{"delete document", "document-removing", false, "deleting"},
		{"delete base", "base-marked", true, ""},
		{"delete base", "base-queued", false, ""},
		{"delete base", "document-removing", false, ""},
		{"delete file", "document-deleting", false, "deleting"},
		{"delete file", "file-erased", false, ""},
	}
}

// library is a workspace with a base, for one case or for none.
type library struct {
	*user
	base, document, file string     // paths; the document is that of the file
	found                [][]string // chunks of each search while it is indexed anew
}

// libraryText has some 860 chunks, more than two transactions store, of which a search for a color finds a fifth.
func libraryText() string {
	var text strings.Builder
	text.WriteString("# Parts\n\n")
	for i := range 860 {
		color := []string{"crimson", "azure", "olive", "amber", "violet"}[i%5]
		fmt.Fprintf(&text, "Part number %d is painted %s.%s\n\n", i, color, strings.Repeat(" Handle it with care", 6))
	}
	return text.String()
}

// newLibrary makes a base whose document is indexed, unless it is to be added by the case.
func newLibrary(t *testing.T, s *site, change string) *library {
	t.Helper()
	l := &library{user: s.register()}
	ada := l.here()
	l.base = ada.NewBase(t, map[string]any{"embedding_model": embeddingtest.Model, "chunk_size": 200, "chunk_overlap": 0})
	ada.Indexed(t, ada.NewBase(t), "Other", "Part number 1000 is painted turquoise.")
	l.file = "/v1/files/" + ada.Upload(t, "parts.md", libraryText()).Text("id")
	if change != "add" {
		l.add(t)
		require.Eventually(t, func() bool { return ada.Get(t, l.document).Text("status") == "ready" }, faultTimeout, 50*time.Millisecond)
	}
	if change == "delete file" {
		thread := ada.ThreadWith(t, map[string]any{"knowledge": []any{map[string]any{"id": strings.TrimPrefix(l.base, "/v1/knowledge-bases/")}}})
		a := ada.Say(t, thread, "Which part is crimson?")
		require.Contains(t, a.String(), `"quote":"Part`)
	}
	return l
}

func (l *library) add(t *testing.T) {
	t.Helper()
	a, err := l.send(t.Context(), l.token, http.MethodPost, l.base+"/documents", fmt.Sprintf(`{"file_id":%q}`, strings.TrimPrefix(l.file, "/v1/files/")))
	if err == nil {
		require.Equal(t, http.StatusAccepted, a.Status, a)
		l.document = a.Header.Get("Location")
	}
}

// make makes the change. The program may be killed before it answers.
func (l *library) make(t *testing.T, change string) {
	t.Helper()
	method, path, body := http.MethodDelete, "", ""
	switch change {
	case "add":
		l.add(t)
		return
	case "resize":
		method, path, body = http.MethodPatch, l.base, `{"chunk_size":400}`
	case "reindex":
		method, path = http.MethodPost, l.document+"/reindex"
	case "delete document":
		path = l.document
	case "delete base":
		path = l.base + "?force=true"
	case "delete file":
		path = l.file
	}
	if a, err := l.send(t.Context(), l.token, method, path, body); err == nil {
		require.Less(t, a.Status, http.StatusMultipleChoices, a)
	}
}

// rows are all rows of the workspace about documents, without ids and times, which two runs have differently.
func (l *library) rows(t *testing.T, db *pgx.Conn) (lines []string) {
	t.Helper()
	for _, sql := range []string{
		`SELECT 'base', name, chunk_size, deleted_at FROM knowledge_bases WHERE workspace_id = $1`,
		`SELECT 'document', title, status, stage, generation, building, chunks, chunks_done, chunks_total, characters, text_bytes, pages, error_code, file_id IS NULL
		   FROM documents WHERE workspace_id = $1`,
		`SELECT 'text', d.title, t.generation, md5(t.text), t.page_starts FROM document_texts t JOIN documents d ON d.workspace_id = t.workspace_id AND d.id = t.document_id WHERE t.workspace_id = $1`,
		`SELECT 'chunk', d.title, c.generation, c.ordinal, c.page, c.start_at, c.end_at, c.headings, c.table_header, md5(c.text), md5(c.tsv::text)
		   FROM chunks c JOIN documents d ON d.workspace_id = c.workspace_id AND d.id = c.document_id WHERE c.workspace_id = $1`,
		`SELECT 'word', language, word, chunks FROM lexicon WHERE workspace_id = $1`,
		`SELECT 'vector', v.collection, v.chunk, md5(v.embedding::text), d.title, c.generation = d.generation
		   FROM vectors v LEFT JOIN documents d ON d.workspace_id = v.workspace_id AND d.id = v.document_id LEFT JOIN chunks c ON c.workspace_id = v.workspace_id AND c.id = v.id
		  WHERE v.workspace_id = $1`,
		`SELECT 'vectors of', d.title, v.generation, v.model, v.dimensions FROM document_vectors v LEFT JOIN documents d ON d.workspace_id = v.workspace_id AND d.id = v.document_id
		  WHERE v.workspace_id = $1 AND v.removed_at IS NULL`,
		`SELECT 'file', f.name, (SELECT count(*) FROM document_files x WHERE x.workspace_id = f.workspace_id AND x.file_id = f.id) FROM files f WHERE f.workspace_id = $1`,
		`SELECT 'documents of files', count(*) FROM document_files WHERE workspace_id = $1`,
		`SELECT 'citation', c ->> 'title', c ->> 'quote' FROM messages m, jsonb_array_elements(m.citations) c WHERE m.workspace_id = $1`,
		`SELECT 'candidate', c ->> 'title', c ->> 'text' FROM retrievals r, jsonb_array_elements(r.candidates) c WHERE r.workspace_id = $1`,
		`SELECT 'audit', action, count(*) FROM audit_log WHERE workspace_id = $1 AND action LIKE 'file.%' GROUP BY action`,
	} {
		rows, err := db.Query(context.Background(), "SELECT q::text FROM ("+sql+") q", l.workspace)
		require.NoError(t, err, sql)
		some, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, sql)
		slices.Sort(some)
		lines = append(lines, some...)
	}
	return lines
}

// requireCounted fails where the lexicon does not count the words of the chunks that are found.
func (l *library) requireCounted(t *testing.T, db *pgx.Conn) {
	t.Helper()
	require.Empty(t, l.count(t, db, `SELECT coalesce(l.word, c.word), coalesce(l.chunks, 0) - coalesce(c.n, 0)
	    FROM (SELECT word, chunks FROM lexicon WHERE workspace_id = $1) l
	    FULL JOIN (WITH found AS (SELECT c.tsv FROM chunks c JOIN documents d ON d.workspace_id = c.workspace_id AND d.id = c.document_id AND d.generation = c.generation
	                               WHERE c.workspace_id = $1)
	               SELECT w.word, count(*) AS n FROM found f, unnest(tsvector_to_array(f.tsv)) w(word) GROUP BY w.word
	               UNION ALL SELECT '', count(*) FROM found HAVING count(*) > 0) c ON c.word = l.word
	   WHERE l.chunks IS DISTINCT FROM c.n`), "words that are counted wrongly")
}

// settled reports whether nothing is left to do in the workspace.
func (l *library) settled(t *testing.T, db *pgx.Conn) bool {
	t.Helper()
	return l.one(t, db, unfinishedJobs+` AND kind <> 'file.remove_bytes'`) == 0 &&
		l.one(t, db, `SELECT count(*) FROM documents WHERE workspace_id = $1 AND status NOT IN ('ready', 'failed')`) == 0 &&
		l.one(t, db, `SELECT count(*) FROM knowledge_bases WHERE workspace_id = $1 AND deleted_at IS NOT NULL`) == 0
}

// search searches the base, and keeps which chunks it has found.
func (l *library) search(t *testing.T) {
	t.Helper()
	a, err := l.send(t.Context(), l.token, http.MethodPost, l.base+"/search", `{"query":"crimson azure","top_k":50}`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.NotEmpty(t, a.Items(), "nothing is found while the document is indexed anew")
	var chunks []string
	end := map[any]bool{}
	for _, item := range a.Items() {
		chunks = append(chunks, item["chunk_id"].(string))
		require.False(t, end[item["end"]], "a part of the text is found twice: %s", a)
		end[item["end"]] = true
	}
	l.found = append(l.found, chunks)
}

// chunks are the ids of all chunks of the base.
func (l *library) chunks(t *testing.T, db *pgx.Conn) map[string]int {
	t.Helper()
	return l.count(t, db, `SELECT id, 1 FROM chunks WHERE workspace_id = $1 AND base_id = '`+strings.TrimPrefix(l.base, "/v1/knowledge-bases/")+`'`)
}

// requireWhole fails where a search has found chunks of two generations, or of one that was not there before or after.
func (l *library) requireWhole(t *testing.T, before, after map[string]int) {
	t.Helper()
	require.NotEmpty(t, l.found)
	for _, chunks := range l.found {
		old := slices.IndexFunc(chunks, func(id string) bool { return before[id] == 0 }) < 0
		young := slices.IndexFunc(chunks, func(id string) bool { return after[id] == 0 }) < 0
		require.NotEqual(t, old, young, "found of the former chunks: %t, of the new ones: %t", old, young)
	}
}

// newDatabase makes another database in the cluster, so that sites share a server and take no jobs of each other.
func (c *cluster) newDatabase(t *testing.T, name string) (url string, super *pgx.Conn) {
	t.Helper()
	_, err := c.superuser(t).Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	super, err = pgx.Connect(context.Background(), c.server.URL(name))
	require.NoError(t, err)
	t.Cleanup(func() { _ = super.Close(context.Background()) })
	return c.server.URL(name) + "&application_name=parley-under-fault", super
}

func TestFaultADocumentKilledInAnyStateEndsAsOneThatWasNot(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	const servers = 2
	for n := range servers {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			url, db := c.newDatabase(t, fmt.Sprintf("documents%d", n))
			fake := embeddingtest.New(t)
			settings := []string{"EMBEDDING_BASE_URL=" + fake.BaseURL(), "EMBEDDING_MODEL=" + embeddingtest.Model, "JOB_LEASE=1s", "JOB_POLL_INTERVAL=50ms"}
			s := newSite(t, url)
			s.launch(settings...)
			var cases []documentCase
			var killed []*library
			undisturbed := map[string]*library{}
			for i, test := range documentCases() {
				if i%servers != n {
					continue
				}
				cases, killed = append(cases, test), append(killed, newLibrary(t, s, test.change))
				if undisturbed[test.change] == nil {
					l := newLibrary(t, s, test.change)
					l.make(t, test.change)
					undisturbed[test.change] = l
				}
			}
			for _, l := range undisturbed {
				require.Eventually(t, func() bool { return l.settled(t, db) }, faultTimeout, 50*time.Millisecond)
			}
			for i, test := range cases {
				name := fmt.Sprintf("%s %s, lost %t", test.change, test.point, test.lost)
				require.Eventually(t, func() bool { return killed[i].settled(t, db) }, faultTimeout, 50*time.Millisecond, name)
				s.kill()
				s.launch(append(settings, "FAULT_POINT="+test.point)...)
				before, sent := killed[i].chunks(t, db), fake.Texts()
				killed[i].make(t, test.change)
				s.died()
				if test.status != "" {
					require.Equal(t, 1, killed[i].one(t, db, `SELECT count(*) FROM documents WHERE workspace_id = $1 AND title = 'parts.md' AND status = '`+test.status+`'`), name)
				}
				if test.lost {
					_, err := db.Exec(t.Context(), `WITH gone AS (DELETE FROM job_queue WHERE workspace_id = $1 AND status <> 'done'),
					    aged AS (UPDATE knowledge_bases SET deleted_at = deleted_at - interval '1 hour' WHERE workspace_id = $1),
					    free AS (UPDATE periodic_tasks SET holder = NULL, lease_until = NULL) -- the process may have died while it looked for such documents
					    UPDATE documents SET updated_at = updated_at - interval '1 hour' WHERE workspace_id = $1`, killed[i].workspace)
					require.NoError(t, err)
				}
				s.launch(settings...)
				anew := test.change == "resize" || test.change == "reindex"
				require.Eventually(t, func() bool {
					if anew {
						killed[i].search(t)
					}
					return killed[i].settled(t, db)
				}, faultTimeout, 100*time.Millisecond, name)
				after := killed[i].chunks(t, db)
				if anew {
					killed[i].requireWhole(t, before, after)
				}
				require.LessOrEqual(t, fake.Texts()-sent, len(after)+embedBatch+len(killed[i].found), "%s: more than one batch was sent again", name)
				require.Equal(t, undisturbed[test.change].rows(t, db), killed[i].rows(t, db), name)
				killed[i].requireCounted(t, db)
			}
			// Vectors that a worker was about to store are removed a second time.
			_, err := db.Exec(t.Context(), `WITH aged AS (UPDATE document_vectors SET created_at = created_at - interval '1 day', removed_at = removed_at - interval '1 day')
			    DELETE FROM periodic_tasks WHERE name = 'remove vectors of former documents'`)
			require.NoError(t, err)
			s.kill()
			s.launch(settings...)
			for i, l := range killed {
				require.Eventually(t, func() bool {
					return l.one(t, db, `SELECT count(*) FROM document_vectors WHERE workspace_id = $1 AND removed_at IS NOT NULL`) == 0
				}, faultTimeout, 50*time.Millisecond, cases[i].point)
				require.Zero(t, l.one(t, db, `SELECT count(*) FROM vectors v WHERE v.workspace_id = $1 AND NOT EXISTS (SELECT FROM chunks c JOIN documents d
				    ON d.workspace_id = c.workspace_id AND d.id = c.document_id AND d.generation = c.generation WHERE c.workspace_id = v.workspace_id AND c.id = v.id)`), cases[i].point)
			}
		})
	}
}

// stopped waits until a process has stopped itself.
func (s *site) stopped() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.child.process.Pid))
		_, after, _ := strings.Cut(string(stat), ") ")
		return err == nil && strings.HasPrefix(after, "T")
	}, faultTimeout, 10*time.Millisecond, "the program did not reach its fault point")
}

// A worker that was away for longer than its lease goes on with a document at which another one is further. That one is killed.
func TestFaultALateWorkerDoesNotTakeADocumentBack(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db, fake := c.superuser(t), embeddingtest.New(t)
	settings := []string{"EMBEDDING_BASE_URL=" + fake.BaseURL(), "EMBEDDING_MODEL=" + embeddingtest.Model, "JOB_LEASE=1s", "JOB_POLL_INTERVAL=50ms", "JWT_SECRET=" + harness.SecretKey}
	late := newSite(t, c.url(), settings...)
	other := newSite(t, c.url(), settings...)
	other.environ[3] = late.environ[3] // the same folder
	require.Contains(t, late.environ[3], "DATA_DIR=")
	late.launch("FAULT_POINT=document-chunking:1:stop,document-chunked")
	u := &library{user: late.register()}
	u.base = u.here().NewBase(t, map[string]any{"embedding_model": embeddingtest.Model, "chunk_size": 200, "chunk_overlap": 0})
	path := u.here().AddText(t, u.base, "parts.md", libraryText())
	late.stopped()
	other.launch("FAULT_POINT=document-embedding:2:stop")
	other.stopped()
	require.Equal(t, 1, u.one(t, db, `SELECT count(*) FROM documents WHERE workspace_id = $1 AND stage = 'embed' AND chunks_done BETWEEN 1 AND chunks_total - 1`))
	require.NoError(t, late.child.process.Signal(syscall.SIGCONT))
	other.kill()
	third := newSite(t, c.url(), settings...)
	third.environ[3] = late.environ[3]
	third.launch()
	u.url.Store(third.url.Load())
	require.Eventually(t, func() bool { return u.here().Get(t, path).Text("status") == "ready" }, faultTimeout, 50*time.Millisecond)
	chunks := u.one(t, db, `SELECT count(*) FROM chunks WHERE workspace_id = $1`)
	require.Equal(t, chunks, u.one(t, db, `SELECT chunks FROM documents WHERE workspace_id = $1`))
	require.Equal(t, chunks, u.one(t, db, `SELECT count(*) FROM vectors v JOIN chunks c ON c.workspace_id = v.workspace_id AND c.id = v.id WHERE v.workspace_id = $1`),
		"chunks have no vector: the late worker has counted those that it stored as embedded")
	u.requireCounted(t, db)
}
