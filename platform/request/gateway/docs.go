package gateway

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/docs"
)

// addDocs serves the OpenAPI document, and at /docs the guides and the reference, out of the binary.
func addDocs(e *echo.Echo, site *docs.Site) {
	serve := func(c *echo.Context) error {
		found, err := site.Serve(c.Response(), c.Request(), c.Request().URL.Path)
		if err != nil || found {
			return err
		}
		return echo.ErrNotFound
	}
	for _, path := range []string{"/openapi.yaml", "/openapi.json", "/docs", "/docs/*"} {
		e.GET(path, serve)
	}
}
