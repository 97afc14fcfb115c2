package gateway

import (
	_ "embed"
	"net/http"
	"strings"

	"github.com/labstack/echo/v5"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

//go:embed docs.html
var docsPage []byte

//go:embed docs.js
var docsScript []byte

// docsPolicy lets the reference page run its own scripts and call this very server, nothing else.
const docsPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

// addDocs serves the OpenAPI document, and at /docs Swagger UI over it, out of the binary.
func addDocs(e *echo.Echo, yaml, json []byte) error {
	e.GET("/openapi.yaml", func(c *echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", yaml) })
	e.GET("/openapi.json", func(c *echo.Context) error { return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, json) })
	e.GET("/", func(c *echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
	files := statigz.FileServer(static.FS)
	page := func(c *echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", docsPolicy)
		switch name := strings.TrimPrefix(c.Request().URL.Path, "/docs"); name {
		case "":
			return c.Blob(http.StatusOK, echo.MIMETextHTMLCharsetUTF8, docsPage)
		case "/docs.js":
			return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", docsScript)
		default:
			found := true
			http.StripPrefix("/docs/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if found = files.Found(r); found {
					h.Set("Cache-Control", "public, max-age=3600")
					files.ServeHTTP(w, r)
				}
			})).ServeHTTP(c.Response(), c.Request())
			if !found {
				return echo.ErrNotFound // the file server would answer in a format of its own
			}
			return nil
		}
	}
	e.GET("/docs", page)
	e.GET("/docs/*", page)
	return nil
}
