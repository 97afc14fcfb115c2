// Package widget serves the chat widget: one script that a page of a business loads, which calls the API as any client
// does.
package widget

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

//go:embed widget.js
var script []byte

// Mount adds the route of the script.
func Mount(e *echo.Echo) {
	sum := sha256.Sum256(script)
	tag := `W/"` + hex.EncodeToString(sum[:8]) + `"` // weak: the same for both encodings
	e.GET("/widget.js", func(c *echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=3600") // the API that it calls stays compatible, so an older one works
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("ETag", tag)
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(script))
		return nil
	}, middleware.Gzip())
}
