package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// StartExport asks for an export of a workspace, which a job writes.
type StartExport struct {
	Exports ports.Exports
	Now     func() time.Time
}

// Do returns ErrExportRunning or ErrTooManyExports.
func (u StartExport) Do(ctx context.Context, workspace, by uuid.UUID) (domain.Export, error) {
	e := domain.NewExport(workspace, by, u.Now())
	return e, u.Exports.Create(ctx, e)
}
