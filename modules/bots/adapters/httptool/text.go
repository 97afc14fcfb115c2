package httptool

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/parley/parley/modules/bots/adapters/tooltarget"
)

// readText reads the text of an answer, at most limit bytes of it. The error is that of the connection: an answer that is as long as the
// limit, or longer, is read as far as that.
func readText(answer *http.Response, limit int) (text string, truncated bool, err error) {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")) // empty where there is none
	if !isText(kind) {
		text, truncated = tooltarget.Cut(fmt.Sprintf("(The answer is no text: it is %q.)", kind), limit)
		return text, truncated, nil
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, int64(limit)+1))
	if err != nil && len(raw) <= limit && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	clean := tooltarget.Clean(string(raw))
	text, _ = tooltarget.Cut(clean, limit)
	return text, len(text) < len(clean), nil
}

// isText reports whether an answer of a media type is text. Without one it is taken for text.
func isText(kind string) bool {
	if kind == "" || strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") {
		return true
	}
	switch kind {
	case "application/json", "application/xml", "application/javascript", "application/x-ndjson", "application/yaml", "application/x-www-form-urlencoded":
		return true
	}
	return false
}
