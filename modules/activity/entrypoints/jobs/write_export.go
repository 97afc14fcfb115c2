// Package jobs handles the background jobs of activity.
package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/platform/work/jobs"
)

// WriteExport writes the archives of exports.
type WriteExport struct {
	Export usecases.WriteExport
	Kind   string // of its jobs
}

// Exported is the payload of its jobs.
type Exported struct {
	ExportID uuid.UUID `json:"export_id"`
}

const (
	exportTimeout  = 2 * time.Hour
	exportAttempts = 5
)

// Register registers WriteExport as the handler of the jobs of its kind. A process writes one archive at a time.
func (w WriteExport) Register(registry *jobs.Registry) error {
	return jobs.Register(registry, w.Kind, jobs.KindOptions{Timeout: exportTimeout, Concurrency: 1, MaxAttempts: exportAttempts}, w.Do)
}

// Do makes one attempt.
func (w WriteExport) Do(ctx context.Context, job jobs.Job[Exported]) error {
	if err := w.Export.Do(ctx, ports.ExportKey{WorkspaceID: job.WorkspaceID, ID: job.Payload.ExportID}, job.Finish); err != nil {
		return fmt.Errorf("write the export %s: %w", job.Payload.ExportID, err)
	}
	return nil
}

// OnDeadLetter records that the export has failed, in the transaction that gives the job up.
func (w WriteExport) OnDeadLetter(ctx context.Context, workspace uuid.UUID, payload json.RawMessage) error {
	var p Exported
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil //nolint:nilerr // no payload of ours: there is no export to mark
	}
	return w.Export.GiveUp(ctx, ports.ExportKey{WorkspaceID: workspace, ID: p.ExportID})
}
