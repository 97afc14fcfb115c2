package knowledge

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
)

// notes keep which generation each chunk is of that there ever was, and which generations documents were switched to.
const notes = `CREATE TABLE noted_chunks (id uuid PRIMARY KEY, document_id uuid, generation integer);
CREATE TABLE noted_switches (document_id uuid, generation integer);
CREATE FUNCTION note_chunk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted_chunks VALUES (NEW.id, NEW.document_id, NEW.generation); RETURN NULL; END $$;
CREATE FUNCTION note_switch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted_switches VALUES (NEW.id, NEW.generation); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT ON chunks FOR EACH ROW EXECUTE FUNCTION note_chunk();
CREATE TRIGGER note AFTER UPDATE ON documents FOR EACH ROW WHEN (OLD.generation <> NEW.generation) EXECUTE FUNCTION note_switch();
GRANT INSERT ON noted_chunks, noted_switches TO parley_app`

// parts is a text of many chunks, of which a search for a color finds a fifth.
func parts(n int) string {
	var text strings.Builder
	for i := range n {
		color := []string{"crimson", "azure", "olive", "amber", "violet"}[i%5]
		fmt.Fprintf(&text, "Part number %d is painted %s.%s\n\n", i, color, strings.Repeat(" Handle it with care", 6))
	}
	return text.String()
}

func TestABaseThatIsChangedWhileItIsIndexedIsNeverFoundHalfOrMixed(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, fake *embeddingtest.Server) {
		t.Helper()
		p.SQL(t, notes)
		ada := p.Register(t)
		sizes := func(size int, model string) map[string]any {
			return map[string]any{"chunk_size": size, "chunk_overlap": 0, "embedding_model": model}
		}
		base, plain := ada.NewBase(t, sizes(200, embeddingtest.Model)), ada.NewBase(t, sizes(300, embeddingtest.Model))
		var paths []string
		for i := range 3 {
			paths = append(paths, ada.Indexed(t, base, fmt.Sprint("Parts ", i), parts(90)))
		}
		undisturbed := ada.Indexed(t, plain, "Parts", parts(90))

		type search struct {
			mode   string
			chunks map[any][]string // by document
		}
		var searches []search
		look := func() {
			how := []string{"hybrid", "vector", "lexical"}[len(searches)%3]
			a := ada.Find(t, base, "crimson azure", mode(how, "top_k", 50))
			require.Equal(t, []any{how, false}, []any{a.At("mode"), a.At("degraded")}, a)
			s := search{how, map[any][]string{}}
			for _, item := range a.Items() {
				s.chunks[item["document_id"]] = append(s.chunks[item["document_id"]], item["chunk_id"].(string))
			}
			require.Len(t, s.chunks, len(paths), "a document is not found by %s while it is indexed anew: %s", how, a)
			searches = append(searches, s)
		}
		for _, change := range []map[string]any{
			model("fake-other"), {"chunk_size": 400}, model(embeddingtest.Model), {"chunk_size": 250}, model("fake-other"), model(embeddingtest.Model), {"chunk_size": 300},
		} {
			a := ada.Patch(t, base, change)
			require.Equal(t, http.StatusOK, a.Status, "%s\n%s", a, strings.Join(p.Log.Grep("ERROR"), "\n"))
			for range 3 {
				look()
			}
		}
		require.Eventually(t, func() bool {
			look()
			return ada.Get(t, base).At("documents.ready") == float64(len(paths)) && p.Number(t, `SELECT count(*) FROM job_queue WHERE status <> 'done'`) == 0
		}, 60*time.Second, 50*time.Millisecond)

		for _, s := range searches {
			for document, chunks := range s.chunks {
				require.Equal(t, 1, p.Number(t, `SELECT count(DISTINCT c.generation) FROM noted_chunks c JOIN noted_switches s ON s.document_id = c.document_id AND s.generation = c.generation
				    WHERE c.id = ANY ($1::uuid[])`, chunks), "%s of %s: chunks of several generations, or of none that was whole", s.mode, document)
				require.Equal(t, len(chunks), p.Number(t, `SELECT count(*) FROM noted_chunks c JOIN noted_switches s ON s.document_id = c.document_id AND s.generation = c.generation
				    WHERE c.id = ANY ($1::uuid[])`, chunks), "%s of %s: a chunk twice, or one that nobody switched to", s.mode, document)
			}
		}
		same := func(path string) (all []string) {
			items, _ := ada.LeafThrough(t, path+"/chunks?limit=100")
			for _, c := range items {
				all = append(all, fmt.Sprint(c["ordinal"], c["start"], c["end"], c["text"]))
			}
			return all
		}
		for _, path := range paths {
			require.Equal(t, same(undisturbed), same(path))
			d := ada.Get(t, path)
			require.Equal(t, d.At("chunks"), d.At("chunks_done"), d)
		}
		require.Zero(t, p.Number(t, `SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.generation <> c.generation`), "chunks of a former generation stay")
		require.Equal(t, p.Number(t, `SELECT count(*) FROM chunks`), p.Number(t, `SELECT chunks FROM lexicon WHERE word = ''`))
		require.Zero(t, p.Number(t, `SELECT count(*) FROM document_vectors v JOIN documents d ON d.id = v.document_id WHERE v.removed_at IS NULL AND v.generation <> d.generation`))
	})
}

func TestNoDocumentIsMadeOfAFileWhileItIsDeleted(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base, other := ada.NewBase(t), ada.NewBase(t)
	file, document := indexedFile(t, ada, base, warranty)
	held := p.Super(t)
	defer held.Close(t.Context())
	_, err := held.Exec(t.Context(), `BEGIN`)
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), `SELECT FROM documents WHERE id = $1 FOR UPDATE`, strings.TrimPrefix(document, base+"/documents/"))
	require.NoError(t, err)
	var deleted, added harness.Answer
	var both sync.WaitGroup
	waiting := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool {
			return p.Number(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) >= n
		}, time.Minute, 10*time.Millisecond)
	}
	both.Go(func() { deleted, _ = ada.Try(t, http.MethodDelete, file, nil) })
	waiting(1) // for the document that the file has
	both.Go(func() {
		added, _ = ada.Try(t, http.MethodPost, other+"/documents", map[string]any{"file_id": strings.TrimPrefix(file, "/v1/files/")})
	})
	waiting(2)
	_, err = held.Exec(t.Context(), `COMMIT`)
	require.NoError(t, err)
	both.Wait()
	require.Equal(t, http.StatusNoContent, deleted.Status, deleted)
	harness.RequireCode(t, added, http.StatusNotFound, "NOT_FOUND")
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM chunks) + (SELECT count(*) FROM lexicon) + (SELECT count(*) FROM document_files)`) == 0
	}, time.Minute, 20*time.Millisecond, "something stays of the file")
}

// door lets connections through to a server, or none.
type door struct {
	net.Listener
	mu     sync.Mutex
	closed bool
	open   []net.Conn
}

func newDoor(t *testing.T, target string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &door{Listener: l}
	t.Cleanup(func() { d.shut(true); _ = l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", target)
			d.mu.Lock()
			d.open = append(d.open, from)
			if err != nil || d.closed {
				_ = from.Close()
			} else {
				d.open = append(d.open, to)
				for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
					go func() {
						_, _ = io.Copy(pair[0], pair[1])
						_ = pair[0].Close()
					}()
				}
			}
			d.mu.Unlock()
		}
	}()
	return d
}

// shut closes all connections and lets no others through, or lets them through again.
func (d *door) shut(closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = closed
	if closed {
		for _, c := range d.open {
			_ = c.Close()
		}
		d.open = nil
	}
}

func TestWhatIsDeletedWhileQdrantIsAwayIsNotFoundNowOrLater(t *testing.T) {
	t.Parallel()
	target, err := url.Parse(os.Getenv("TEST_QDRANT_URL"))
	if err != nil || target.Host == "" {
		t.Skip("TEST_QDRANT_URL names no Qdrant")
	}
	d, fake := newDoor(t, target.Host), embeddingtest.New(t)
	p := harness.Start(t, "QDRANT_URL=http://"+d.Addr().String(), "BREAKER_OPEN_FOR=200ms", "EMBEDDING_BASE_URL="+fake.BaseURL(), "EMBEDDING_MODEL="+embeddingtest.Model)
	ada := p.Register(t)
	base, gone := ada.NewBase(t, model(embeddingtest.Model)), ada.NewBase(t, model(embeddingtest.Model))
	kettle := ada.Indexed(t, base, "Kettle", "Fill the kettle with fresh water")
	ada.Indexed(t, base, "Toaster", "Put bread into the toaster beside the kettle")
	ada.Indexed(t, gone, "Pot", "Fill the pot with fresh water")
	require.ElementsMatch(t, []string{"Kettle", "Toaster", "Pot"}, harness.Titles(ada.Find(t, "/v1/knowledge", "kettle water", mode("vector"))))
	d.shut(true)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, kettle).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, gone).Status)
	for _, how := range []string{"lexical", "hybrid", "vector"} {
		found := ada.Find(t, "/v1/knowledge", "kettle water", mode(how))
		require.Equal(t, []string{"Toaster"}, harness.Titles(found), how)
		require.Equal(t, how != "lexical", found.At("degraded"), how)
	}
	require.Eventually(t, func() bool {
		return ada.Get(t, kettle).Status == http.StatusNotFound && p.Number(t, `SELECT count(*) FROM knowledge_bases`) == 1
	}, 30*time.Second, 50*time.Millisecond, "rows stay while the vectors cannot be removed")
	d.shut(false)
	require.Eventually(t, func() bool {
		found := ada.Find(t, "/v1/knowledge", "kettle water", mode("vector"))
		require.Equal(t, []string{"Toaster"}, harness.Titles(found), "it is found by a vector that is still there")
		return found.At("degraded") == false
	}, 30*time.Second, 50*time.Millisecond)
}

func TestTenantsWithTheSameTextShareNothing(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, fake *embeddingtest.Server) {
		t.Helper()
		const text = "The kettle is made of unobtainium and boils water"
		ada, eve, mallory := p.Register(t), p.Register(t), p.Register(t)
		mine, theirs, empty := ada.NewBase(t, model(embeddingtest.Model)), eve.NewBase(t, model(embeddingtest.Model)), mallory.NewBase(t, model(embeddingtest.Model))
		ada.Indexed(t, mine, "Mine", text)
		sent := fake.Texts()
		path := eve.Indexed(t, theirs, "Theirs", text)
		require.Equal(t, sent+1, fake.Texts(), "the vector of another tenant is taken")
		require.Equal(t, http.StatusNoContent, eve.Delete(t, path).Status)
		require.Eventually(t, func() bool { return eve.Get(t, path).Status == http.StatusNotFound }, time.Minute, 20*time.Millisecond)

		// A file without a text has none of another's, who has a file of the same name and the same search words.
		blank := mallory.Post(t, empty+"/documents", map[string]any{"file_id": mallory.Upload(t, "mine.txt", " \n\t\n ").Text("id"), "title": "Mine"})
		require.Equal(t, http.StatusAccepted, blank.Status, blank)
		failed := mallory.WaitUntil(t, blank.Header.Get("Location"), "status", "failed")
		require.Equal(t, "NO_TEXT", failed.Text("error.code"))
		for _, rest := range []string{"/text", "/chunks"} {
			a := mallory.Get(t, blank.Header.Get("Location")+rest)
			require.NotContains(t, a.String(), "unobtainium")
			require.Empty(t, a.Items())
		}
		for _, c := range []struct {
			*harness.Caller
			base string
		}{{eve, theirs}, {mallory, empty}} {
			for _, how := range []string{"lexical", "hybrid", "vector"} {
				for _, query := range []string{text, "unobtanium"} { // misspelled: nobody's words correct it
					a := c.Find(t, c.base, query, mode(how, "explain", true))
					require.Empty(t, a.Items(), "%s by %s", query, how)
					require.NotContains(t, strings.ReplaceAll(a.String(), query, ""), "unobtain")
				}
			}
			said := c.Say(t, threadOn(t, c.Caller, c.base, nil), "What is the kettle made of?")
			require.Empty(t, said.At("assistant_message.citations"), said)
		}
		for _, how := range []string{"lexical", "hybrid", "vector"} {
			require.Equal(t, []string{"Mine"}, harness.Titles(ada.Find(t, mine, "unobtainium kettle", mode(how))), "it has gone with that of another")
		}
	})
}
