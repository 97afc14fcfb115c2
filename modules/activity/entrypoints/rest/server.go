// Package rest serves the calls of activity: it decodes a request, reads or changes data of the platform, and encodes
// the response.
package rest

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/work/jobs"
)

// Server serves the calls of activity. It has the methods of the generated StrictServerInterface.
type Server struct {
	Report    usecases.Report
	Audit     *audit.Log
	Sealer    *audit.Sealer
	Jobs      *jobs.Queue
	Usage     *usage.Quota
	Commands  *command.Pipeline
	Cursors   page.Key
	Exports   Exports
	Retention RetentionCalls
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) { RegisterHandlers(e, NewStrictHandler(s, nil)) }
