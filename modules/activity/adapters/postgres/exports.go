// Package postgres stores exports in Postgres, and reads the rows of a workspace for them.
package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/activitydb"
	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

// ExportKind is the kind of the jobs that write archives.
const ExportKind = "workspace.export"

// Exported is the payload of those jobs.
type Exported struct {
	ExportID uuid.UUID `json:"export_id"`
}

// Exports stores exports. Its methods run in the transaction of the context, or in one of their own.
type Exports struct {
	DB    *postgres.DB
	Queue *jobs.Queue
}

var (
	_ ports.Exports    = Exports{}
	_ ports.ExportRuns = Exports{}
	_ ports.OldExports = Exports{}
)

func (s Exports) queries(ctx context.Context) (*activitydb.Queries, uuid.UUID) {
	return activitydb.New(s.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

const day = 24 * time.Hour

// Create counts first, so that a refusal says why. Of two who ask at once the index lets one through.
func (s Exports) Create(ctx context.Context, e domain.Export) error {
	q, workspace := s.queries(ctx)
	count, err := q.CountExports(ctx, activitydb.CountExportsParams{WorkspaceID: workspace, Since: e.CreatedAt.Add(-day)})
	switch {
	case err != nil:
		return fmt.Errorf("count the exports: %w", err)
	case count.Busy != uuid.Nil:
		return ports.ErrExportRunning.With("export_id", count.Busy)
	case count.Asked >= domain.ExportsADay:
		return ports.ErrTooManyExports.After(max(count.First.Add(day).Sub(e.CreatedAt), time.Second))
	}
	_, err = q.CreateExport(ctx, activitydb.CreateExportParams{WorkspaceID: workspace, ID: e.ID, CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt})
	if postgres.Violates(err, "workspace_exports_one_at_once") {
		return ports.ErrExportRunning.With("export_id", nil)
	}
	if err != nil {
		return fmt.Errorf("create the export: %w", err)
	}
	return s.Queue.Enqueue(ctx, ExportKind, Exported{ExportID: e.ID}, jobs.Options{Key: e.ID.String()})
}

func (s Exports) Get(ctx context.Context, id uuid.UUID) (domain.Export, error) {
	q, workspace := s.queries(ctx)
	return found(q.GetExport(ctx, activitydb.GetExportParams{WorkspaceID: workspace, ID: id}))
}

func (s Exports) OfLink(ctx context.Context, id uuid.UUID) (domain.Export, error) {
	q, workspace := s.queries(ctx)
	return found(q.ReadableExport(ctx, activitydb.ReadableExportParams{WorkspaceID: workspace, ID: id}))
}

func (s Exports) List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.Export, error) {
	q, workspace := s.queries(ctx)
	rows, err := q.ListExports(ctx, activitydb.ListExportsParams{WorkspaceID: workspace, Before: before, Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the exports: %w", err)
	}
	list := make([]domain.Export, len(rows))
	for i, row := range rows {
		list[i] = toExport(row)
	}
	return list, nil
}

func (s Exports) Begin(ctx context.Context, id uuid.UUID, now time.Time) (attempt int, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		n, err := q.BeginExport(ctx, activitydb.BeginExportParams{WorkspaceID: workspace, ID: id, Moment: now})
		attempt = int(n)
		return over(err)
	})
	return attempt, err
}

func (s Exports) Note(ctx context.Context, id uuid.UUID, attempt int, p domain.ExportProgress) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		return q.NoteExportProgress(ctx, activitydb.NoteExportProgressParams{
			WorkspaceID: workspace, ID: id, Attempt: int32(attempt), RowsDone: p.Rows, FilesDone: p.Files, FilesTotal: p.FilesTotal,
		})
	})
}

func (s Exports) Complete(ctx context.Context, e domain.Export) error {
	q, workspace := s.queries(ctx)
	_, err := q.CompleteExport(ctx, activitydb.CompleteExportParams{
		WorkspaceID: workspace, ID: e.ID, Attempt: int32(e.Attempt), Moment: e.FinishedAt, ExpiresAt: e.ExpiresAt, RowsDone: e.Progress.Rows,
		FilesDone: e.Progress.Files, FilesTotal: e.Progress.FilesTotal, Size: &e.Archive.Size, Sha256: e.Archive.SHA256[:],
	})
	return over(err)
}

func (s Exports) Fail(ctx context.Context, id uuid.UUID, why domain.ExportError, now time.Time) error {
	q, workspace := s.queries(ctx)
	return q.FailExport(ctx, activitydb.FailExportParams{
		WorkspaceID: workspace, ID: id, Moment: &now, ErrorCode: &why.Code, ErrorMessage: &why.Message,
	})
}

func (s Exports) Old(ctx context.Context, limit int) ([]ports.ExportKey, error) {
	rows, err := activitydb.New(s.DB.In(ctx)).OldExports(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("look for old exports: %w", err)
	}
	list := make([]ports.ExportKey, len(rows))
	for i, row := range rows {
		list[i] = ports.ExportKey{WorkspaceID: row.WorkspaceID, ID: row.ID}
	}
	return list, nil
}

func (s Exports) Expire(ctx context.Context, id uuid.UUID, now time.Time) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		e, err := found(q.GetExport(ctx, activitydb.GetExportParams{WorkspaceID: workspace, ID: id}))
		if err != nil {
			return err
		}
		if e.Status == domain.ExportCompleted {
			return q.ExpireExport(ctx, activitydb.ExpireExportParams{WorkspaceID: workspace, ID: id, Moment: &now})
		}
		return q.ForgetExport(ctx, activitydb.ForgetExportParams{WorkspaceID: workspace, ID: id})
	})
}

func over(err error) error {
	if postgres.IsMissing(err) {
		return ports.ErrExportOver
	}
	return err
}

func found(row activitydb.WorkspaceExport, err error) (domain.Export, error) {
	if postgres.IsMissing(err) {
		return domain.Export{}, ports.ErrExportNotFound
	}
	if err != nil {
		return domain.Export{}, fmt.Errorf("read the export: %w", err)
	}
	return toExport(row), nil
}

func toExport(row activitydb.WorkspaceExport) domain.Export {
	e := domain.Export{
		WorkspaceID: row.WorkspaceID, ID: row.ID, CreatedBy: row.CreatedBy, Status: domain.ExportStatus(row.Status), CreatedAt: row.CreatedAt,
		StartedAt: row.StartedAt, FinishedAt: row.FinishedAt, ExpiresAt: row.ExpiresAt, Attempt: int(row.Attempt),
		Progress: domain.ExportProgress{Rows: row.RowsDone, Files: row.FilesDone, FilesTotal: row.FilesTotal},
	}
	if row.Size != nil && len(row.Sha256) == len(domain.Archive{}.SHA256) {
		e.Archive = &domain.Archive{Size: *row.Size, SHA256: [32]byte(row.Sha256)}
	}
	if row.ErrorCode != nil && row.ErrorMessage != nil {
		e.Error = &domain.ExportError{Code: *row.ErrorCode, Message: *row.ErrorMessage}
	}
	return e
}
