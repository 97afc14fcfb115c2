package knowledge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

const manual = `# Kettle

Fill the kettle with fresh water up to the mark and press the lever.

## Warranty

The warranty lasts twenty-four months from the day of purchase. Keep the receipt.

## Гарантия

Гарантия действует двадцать четыре месяца. Чайник можно вернуть в магазин в течение четырнадцати дней.
`

func TestU6ATextIsIndexedReadAndFound(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	path := ada.AddText(t, base, "Kettle", manual, map[string]any{"metadata": map[string]any{"product": "kettle", "year": 2026}})
	d := ada.WaitUntil(t, path, "status", "ready")
	require.Equal(t, []any{nil, nil, nil}, []any{d.At("file_id"), d.At("pages"), d.At("error")})
	require.NotNil(t, d.At("indexed_at"))
	chunks := ada.Get(t, path+"/chunks")
	require.Equal(t, http.StatusOK, chunks.Status, chunks)
	require.NotEmpty(t, chunks.Items())

	whole := ada.Get(t, path+"/text")
	require.Equal(t, http.StatusOK, whole.Status, whole)
	text := []rune(whole.Text("text"))
	require.EqualValues(t, len(text), whole.At("end"))
	for _, c := range chunks.Items() {
		require.Equal(t, c["text"], string(text[int(c["start"].(float64)):int(c["end"].(float64))]), "the offsets do not point at the text")
	}
	harness.RequireCode(t, ada.Get(t, path+"/text?page=1"), http.StatusNotFound, "PAGE_NOT_FOUND")

	found := ada.Find(t, base, "How long is the warranty of a kettle?")
	require.Equal(t, []string{"Kettle"}, harness.Titles(found))
	hit := found.Items()[0]
	require.Equal(t, hit["text"], string(text[int(hit["start"].(float64)):int(hit["end"].(float64))]))
	require.NotEmpty(t, hit["highlights"])
	var words []string
	for _, h := range hit["highlights"].([]any) {
		h := h.(map[string]any)
		words = append(words, strings.ToLower(string(text[int(h["start"].(float64)):int(h["end"].(float64))])))
	}
	require.Contains(t, words, "warranty")
	require.Contains(t, words, "kettle")
	require.Equal(t, []string{"Kettle"}, harness.Titles(ada.Find(t, base, "возвращать чайники")), "other forms of the words")
	require.Equal(t, []string{"Kettle"}, harness.Titles(ada.Find(t, base, "warrnty")), "a misspelled word")
	require.Empty(t, harness.Titles(ada.Find(t, base, "qwxz")))

	b := ada.Get(t, base)
	require.EqualValues(t, 1, b.At("documents.ready"))
	require.EqualValues(t, len(chunks.Items()), b.At("chunks"))
	require.Equal(t, http.StatusNoContent, ada.Delete(t, path).Status)
	require.Empty(t, harness.Titles(ada.Find(t, base, "warranty")), "it is found after it was deleted")
	require.Eventually(t, func() bool { return ada.Get(t, path).Status == http.StatusNotFound }, time.Minute, 20*time.Millisecond, "its rows stay")
	require.Zero(t, p.Number(t, `SELECT count(*) FROM chunks`)+p.Number(t, `SELECT count(*) FROM document_texts`)+p.Number(t, `SELECT count(*) FROM lexicon`))
}

func TestAFileIsInABaseOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base, other := ada.NewBase(t), ada.NewBase(t)
	file := ada.Upload(t, "kettle.md", manual).Text("id")
	first := ada.Post(t, base+"/documents", map[string]any{"file_id": file})
	require.Equal(t, http.StatusAccepted, first.Status, first)
	require.Equal(t, "kettle.md", first.Text("title"))
	for _, id := range []string{file, ada.Upload(t, "copy.md", manual).Text("id")} {
		again := ada.Post(t, base+"/documents", map[string]any{"file_id": id})
		harness.RequireCode(t, again, http.StatusConflict, "DOCUMENT_EXISTS")
		require.Equal(t, first.Text("id"), again.Text("details.document_id"))
	}
	require.Equal(t, http.StatusAccepted, ada.Post(t, other+"/documents", map[string]any{"file_id": file}).Status, "another base may have it")
	ada.AddText(t, base, "The same text", manual)
	path := base + "/documents/" + first.Text("id")
	ada.WaitUntil(t, path, "status", "ready")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, path).Status)
	require.Equal(t, http.StatusAccepted, ada.Post(t, base+"/documents", map[string]any{"file_id": file}).Status, "it was deleted")
}

func TestDeletingAFileDeletesItsDocuments(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	file := ada.Upload(t, "kettle.md", manual).Text("id")
	a := ada.Post(t, base+"/documents", map[string]any{"file_id": file})
	require.Equal(t, http.StatusAccepted, a.Status, a)
	path := a.Header.Get("Location")
	ada.WaitUntil(t, path, "status", "ready")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/files/"+file).Status)
	require.Empty(t, harness.Titles(ada.Find(t, base, "warranty")))
	require.Zero(t, p.Number(t, `SELECT count(*) FROM document_texts`), "its text stays")
	require.Eventually(t, func() bool { return ada.Get(t, path).Status == http.StatusNotFound }, time.Minute, 20*time.Millisecond)
	require.Zero(t, p.Number(t, `SELECT count(*) FROM chunks`))
}

func TestADeletedBaseIsNotFoundAndItsRowsGo(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base, other := ada.NewBase(t), ada.NewBase(t)
	for i := range 3 {
		ada.Indexed(t, base, "Kettle "+string(rune('a'+i)), manual)
	}
	ada.Indexed(t, other, "Other", manual)
	require.Len(t, ada.Get(t, "/v1/knowledge-bases").Items(), 2)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, base).Status)
	for _, a := range []harness.Answer{ada.Get(t, base), ada.Get(t, base+"/documents"), ada.Post(t, base+"/search", map[string]any{"query": "warranty"}), ada.Delete(t, base)} {
		harness.RequireCode(t, a, http.StatusNotFound, "KNOWLEDGE_BASE_NOT_FOUND")
	}
	require.Equal(t, []string{"Other"}, harness.Titles(ada.Find(t, "/v1/knowledge", "warranty")))
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM knowledge_bases`) == 1 && p.Number(t, `SELECT count(*) FROM documents`) == 1
	}, time.Minute, 20*time.Millisecond, "its rows stay")
}

func TestAnotherSizeOfChunksIsSwitchedToAtOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	long := strings.Repeat(manual, 10)
	path := ada.Indexed(t, base, "Kettle", long)
	before := ada.Get(t, path)
	changed := ada.Call(t, http.MethodPatch, base, map[string]any{"chunk_size": 300, "chunk_overlap": 0})
	require.Equal(t, http.StatusOK, changed.Status, changed)
	var after harness.Answer
	require.Eventually(t, func() bool {
		require.NotEmpty(t, harness.Titles(ada.Find(t, base, "warranty")), "it is not found while it is indexed anew")
		after = ada.Get(t, path)
		return after.Text("status") == "ready" && after.At("chunks") != before.At("chunks")
	}, time.Minute, 20*time.Millisecond)
	require.Greater(t, after.At("chunks"), before.At("chunks"))
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM chunks`) == int(after.At("chunks").(float64)) && p.Number(t, `SELECT count(*) FROM document_texts WHERE generation > 0`) == 1
	}, time.Minute, 20*time.Millisecond, "the old chunks stay")
	counted := p.Number(t, `SELECT chunks FROM lexicon WHERE word = ''`)
	require.Equal(t, p.Number(t, `SELECT count(*) FROM chunks`), counted)
	again := ada.Post(t, path+"/reindex", nil)
	require.Equal(t, http.StatusAccepted, again.Status, again)
	ada.WaitUntil(t, path, "status", "ready")
	require.Equal(t, http.StatusAccepted, ada.Post(t, base+"/reindex", nil).Status)
	ada.WaitUntil(t, path, "status", "ready")
}

func TestADocumentThatCannotBeReadFailsWithAReason(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	file := ada.Upload(t, "noise.bin", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00").Text("id")
	a := ada.Post(t, base+"/documents", map[string]any{"file_id": file})
	require.Equal(t, http.StatusAccepted, a.Status, a)
	d := ada.WaitUntil(t, a.Header.Get("Location"), "status", "failed")
	require.Equal(t, "UNSUPPORTED_FILE", d.Text("error.code"))
	require.NotEmpty(t, d.Text("error.message"))
	harness.RequireCode(t, ada.Get(t, a.Header.Get("Location")+"/text"), http.StatusConflict, "DOCUMENT_NOT_READY")
	require.Len(t, ada.Get(t, base+"/documents?status=failed").Items(), 1)
	require.Empty(t, ada.Get(t, base+"/documents?status=ready").Items())
}

func TestBadDocumentsAreRefusedWithTheirField(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	base := ada.NewBase(t)
	for field, body := range map[string]map[string]any{
		"file_id":  {},
		"title":    {"text": "x"},
		"text":     {"title": "x", "text": "  \n"},
		"metadata": {"title": "x", "text": "x", "metadata": map[string]any{"a b": 1}},
	} {
		harness.RequireWrong(t, ada.Post(t, base+"/documents", body), field)
	}
	harness.RequireWrong(t, ada.Post(t, base+"/documents", map[string]any{"file_id": uuid.NewString(), "title": "x", "text": "x"}), "file_id")
	harness.RequireCode(t, ada.Post(t, base+"/documents", map[string]any{"file_id": uuid.NewString()}), http.StatusNotFound, "NOT_FOUND")
	harness.RequireWrong(t, ada.Post(t, "/v1/knowledge-bases", map[string]any{"name": "x", "embedding_model": "text-embedding-3-small"}), "embedding_model")
	harness.RequireWrong(t, ada.Post(t, "/v1/knowledge-bases", map[string]any{"name": "x", "chunk_size": 400, "chunk_overlap": 300}), "chunk_overlap")
	harness.RequireWrong(t, ada.Call(t, http.MethodPatch, base, map[string]any{"chunk_size": 400}), "chunk_overlap")
	harness.RequireCode(t, ada.Post(t, base+"/search", map[string]any{"query": "x", "mode": "vector"}), http.StatusUnprocessableEntity, "NO_EMBEDDINGS")
	require.Equal(t, "lexical", ada.Find(t, base, "x", map[string]any{"mode": "hybrid"}).Text("mode"))
	harness.RequireWrong(t, ada.Post(t, base+"/search", map[string]any{"query": " \n"}), "query")
	harness.RequireWrong(t, ada.Post(t, base+"/search", map[string]any{"query": "x", "filter": map[string]any{"a": nil}}), "filter.a")
	noText := map[string]any{"name": "x", "settings": map[string]any{"no_knowledge": "refuse", "no_knowledge_text": "  "}}
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", noText), "settings.no_knowledge_text")

	path := ada.Post(t, base+"/documents", map[string]any{"title": "x", "text": "x"}).Header.Get("Location")
	harness.RequireWrong(t, ada.Get(t, path+"/text?page=2147483648"), "page")
	harness.RequireCode(t, ada.Get(t, path+"/text"), http.StatusConflict, "DOCUMENT_NOT_READY")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, path).Status)
	require.Equal(t, "deleting", ada.Get(t, path).Text("status"), "nobody works here")
	harness.RequireCode(t, ada.Get(t, path+"/text"), http.StatusNotFound, "DOCUMENT_NOT_FOUND")
}

func TestAFileWithTooMuchSaysHowMuchMayBe(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base := ada.NewBase(t)
	file := ada.Upload(t, "deep.json", strings.Repeat("[", 5000)+strings.Repeat("]", 5000)).Text("id")
	path := ada.Post(t, base+"/documents", map[string]any{"file_id": file}).Header.Get("Location")
	d := ada.WaitUntil(t, path, "status", "failed")
	require.Equal(t, "TOO_LARGE", d.Text("error.code"))
	require.Regexp(t, `divide it \(depth: at most \d+\)$`, d.Text("error.message"))
}
