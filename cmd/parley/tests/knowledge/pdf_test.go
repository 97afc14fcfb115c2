package knowledge

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// pdfOf makes a document of pages, whose contents are drawn with a font of the reader's.
func pdfOf(contents ...string) string {
	const first = 4
	kids := ""
	for i := range contents {
		kids += fmt.Sprintf("%d 0 R ", first+2*i)
	}
	objects := []string{
		"<</Type /Catalog /Pages 2 0 R>>",
		fmt.Sprintf("<</Type /Pages /Count %d /Kids [%s] /MediaBox [0 0 595 842] /Resources <</Font <</F 3 0 R>>>>>>", len(contents), kids),
		"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
	}
	for i, content := range contents {
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		_, _ = z.Write([]byte(content)) // into memory
		_ = z.Close()
		objects = append(objects, fmt.Sprintf("<</Type /Page /Parent 2 0 R /Contents %d 0 R>>", first+2*i+1),
			fmt.Sprintf("<</Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream", packed.Len(), &packed))
	}
	var b strings.Builder
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("trailer\n<</Root 1 0 R>>\n%%EOF\n") // without a table of objects, which readers then look for
	return b.String()
}

func pdfLine(text string) string { return "BT /F 12 Tf 50 800 Td (" + text + ") Tj ET" }

func TestAPDFIsReadByItsPagesAndABombFailsAlone(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	base := ada.NewBase(t)
	add := func(name, content string) string {
		a := ada.Post(t, base+"/documents", map[string]any{"file_id": ada.Upload(t, name, content).Text("id")})
		require.Equal(t, http.StatusAccepted, a.Status, a)
		return a.Header.Get("Location")
	}
	bomb := add("bomb.pdf", pdfOf(strings.Repeat(" ", 300<<20))) // more than its reader may have, from 300 KiB
	broken := add("broken.pdf", "%PDF-1.7\n"+strings.Repeat("x", 500))
	book := add("book.pdf", pdfOf(pdfLine("Fill the kettle with fresh water."), pdfLine("The warranty lasts twenty-four months.")))
	ended := func(path string) string {
		status := ""
		require.Eventually(t, func() bool {
			status = ada.Get(t, path).Text("status")
			return status == "ready" || status == "failed"
		}, 3*time.Minute, 50*time.Millisecond, "the reader, which is compiled first, does not end with "+path)
		return status
	}
	require.Equal(t, "ready", ended(book))
	require.EqualValues(t, 2, ada.Get(t, book).At("pages"))
	require.Equal(t, "The warranty lasts twenty-four months.", ada.Get(t, book+"/text?page=2").Text("text"))
	require.Equal(t, []string{"book.pdf"}, harness.Titles(ada.Find(t, base, "warranty")))

	require.Equal(t, "failed", ended(bomb))
	require.Equal(t, "TOO_LARGE", ada.Get(t, bomb).Text("error.code"))
	require.Equal(t, "failed", ended(broken))
	require.Equal(t, "EXTRACTION_FAILED", ada.Get(t, broken).Text("error.code"))
}
