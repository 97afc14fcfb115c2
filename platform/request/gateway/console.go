package gateway

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/console"
)

// MountConsole serves the web console at /console and below, and redirects browsers from / to it. Other clients are
// redirected from / to the documentation.
func MountConsole(e *echo.Echo, site *console.Site) {
	serve := func(c *echo.Context) error {
		found, err := site.Serve(c.Response(), c.Request(), c.Request().URL.Path)
		if err != nil || found {
			return err
		}
		return echo.ErrNotFound
	}
	e.GET("/console", serve)
	e.GET("/console/*", serve)
	e.GET("/", func(c *echo.Context) error {
		c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
		if strings.Contains(c.Request().Header.Get(echo.HeaderAccept), "text/html") {
			return c.Redirect(http.StatusFound, "/console")
		}
		return c.Redirect(http.StatusFound, "/docs")
	})
}
