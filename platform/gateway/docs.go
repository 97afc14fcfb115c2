package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed docs.html
var docsPage []byte

//go:embed docs.js
var docsScript []byte

// docsPolicy lets the reference page run its own scripts and call this very server, nothing else. Swagger UI writes
// style attributes and has its pictures in data: URLs.
const docsPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// addDocs serves the OpenAPI document, and at /docs Swagger UI over it, out of the binary.
func addDocs(e *echo.Echo, yaml, json []byte) error {
	e.GET("/openapi.yaml", func(c *echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", yaml) })
	e.GET("/openapi.json", func(c *echo.Context) error { return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, json) })
	e.GET("/", func(c *echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
	files := map[string]asset{
		"/docs":         newAsset("text/html; charset=utf-8", docsPage),
		"/docs/docs.js": newAsset("text/javascript; charset=utf-8", docsScript),
	}
	for name, kind := range map[string]string{ // what docs.html names, of all that Swagger UI has
		"swagger-ui.css.gz":       "text/css; charset=utf-8",
		"swagger-ui-bundle.js.gz": "text/javascript; charset=utf-8",
		"favicon-32x32.png":       "image/png",
	} {
		content, err := static.FS.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read the reference page: %w", err)
		}
		a := newAsset(kind, content)
		if a.gzipped = path.Ext(name) == ".gz"; a.gzipped {
			a.plain = sync.OnceValues(func() ([]byte, error) { return gunzip(content) })
		}
		files["/docs/"+strings.TrimSuffix(name, ".gz")] = a
	}
	for name, a := range files {
		e.GET(name, func(c *echo.Context) error { return a.serve(c.Response(), c.Request()) })
	}
	return nil
}

// asset is a file of the reference page, as it lies in the binary.
type asset struct {
	kind    string // media type
	tag     string // of the content
	content []byte
	gzipped bool
	plain   func() ([]byte, error) // what is gzipped, unpacked once: a copy a request would be memory for the asking
}

func newAsset(kind string, content []byte) asset {
	sum := sha256.Sum256(content)
	return asset{kind: kind, tag: hex.EncodeToString(sum[:8]), content: content}
}

// serve gives the file, compressed only to those who take it so. It is asked for anew each time and sent when changed:
// a page and a script of two versions of the program must not meet.
func (a asset) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", a.kind)
	content, tag := a.content, a.tag
	if a.gzipped {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			tag += "-gzip"
			h.Set("Content-Encoding", "gzip")
			h.Set("Content-Length", strconv.Itoa(len(content))) // ServeContent leaves it to us where there is an encoding
		} else {
			var err error
			if content, err = a.plain(); err != nil {
				return fmt.Errorf("unpack the reference page: %w", err)
			}
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	return nil
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, weighted := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		_, value, _ := strings.Cut(weight, "=")
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return !weighted || err == nil && q > 0
	}
	return false
}

func gunzip(content []byte) ([]byte, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}
