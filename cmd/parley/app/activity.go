package app

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/activity/adapters/analytics"
	"github.com/parley/parley/modules/activity/entrypoints/rest"
	"github.com/parley/parley/modules/activity/usecases"
)

func mountActivity(e *echo.Echo, p *platform) {
	rest.Server{
		Report:   usecases.Report{Analytics: analytics.Analytics{Reports: p.reports()}, Now: p.now},
		Audit:    p.audit,
		Sealer:   p.sealer,
		Jobs:     p.jobs,
		Usage:    p.meter,
		Commands: p.commands,
		Cursors:  cursorKey(p),
	}.Mount(e)
}
