package app

import (
	"context"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/jobs"
)

// module is what a module adds to the program.
type module struct {
	mount        func(e *echo.Echo) // adds its routes
	handlers     []jobHandler
	tasks        []background.Task
	channels     []postgres.Channel // notifications of the database
	onDeadLetter []deadLetterHook
	onPurge      []purgeHook
}

// jobHandler registers the handler of a kind of jobs.
type jobHandler func(r *jobs.Registry) error

// purgeHook removes what a purged workspace has outside the database.
type purgeHook = func(ctx context.Context, workspace uuid.UUID) error
