package rest

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/page"
)

// Exports has what the calls about exports need.
type Exports struct {
	Start    usecases.StartExport
	Link     usecases.LinkArchive
	Open     usecases.OpenArchive
	Store    ports.Exports
	Archives ports.Archives
	// PublicURL is the address that links begin with; "": links are relative to the server.
	PublicURL string
}

// StartExport starts an export of the workspace.
func (s Server) StartExport(ctx context.Context, r StartExportRequestObject) (StartExportResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		e, err := s.Exports.Start.Do(ctx, r.WorkspaceID, callctx.From(ctx).Principal.UserID)
		location := exportPath(e)
		return command.Outcome{
			Answer: StartExport202JSONResponse{
				Body: toExport(e, nil), Headers: StartExport202ResponseHeaders{Location: &location},
			}.VisitStartExportResponse,
			Audit: audit.Entry{Action: "workspace.export", Resource: "export", ResourceID: e.ID},
		}, err
	})
	return stored{answer}, foreign(err)
}

// ListExports lists the exports of the workspace, newest first.
func (s Server) ListExports(ctx context.Context, r ListExportsRequestObject) (ListExportsResponseObject, error) {
	p, err := page.List[domain.Export, page.IDPosition]{
		Name: "exports",
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.Export, error) {
			return s.Exports.Store.List(ctx, after.Before(), limit)
		},
		Position: func(e domain.Export) page.IDPosition { return page.IDPosition{ID: e.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	items := page.Map(p.Items, func(e domain.Export) WorkspaceExport { return toExport(e, nil) })
	return ListExports200JSONResponse{Items: items, HasMore: p.HasMore, NextCursor: p.NextCursor}, foreign(err)
}

// GetExport returns an export, with a link to its archive.
func (s Server) GetExport(ctx context.Context, r GetExportRequestObject) (GetExportResponseObject, error) {
	e, err := s.Exports.Store.Get(ctx, r.ExportID)
	if err != nil {
		return nil, foreign(err)
	}
	return GetExport200JSONResponse(toExport(e, s.download(ctx, e))), nil
}

// foreign returns the error for a workspace of others, which is the same as for one that does not exist.
func foreign(err error) error {
	if errors.Is(err, fail.ErrForbidden) {
		return ports.ErrWorkspaceNotFound
	}
	return err
}

// download returns a link to an archive; nil where there is none.
func (s Server) download(ctx context.Context, e domain.Export) *ExportDownload {
	token, until, ok := s.Exports.Link.Do(e, callctx.From(ctx).Principal.UserID)
	if !ok {
		return nil
	}
	return &ExportDownload{URL: s.Exports.PublicURL + exportPath(e) + "/archive?" + url.Values{"token": {token}}.Encode(), ExpiresAt: until}
}

func exportPath(e domain.Export) string {
	return "/v1/workspaces/" + e.WorkspaceID.String() + "/exports/" + e.ID.String()
}

func toExport(e domain.Export, download *ExportDownload) WorkspaceExport {
	x := WorkspaceExport{
		ID: e.ID, Status: WorkspaceExportStatus(e.Status), CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt, StartedAt: e.StartedAt,
		FinishedAt: e.FinishedAt, ExpiresAt: e.ExpiresAt, Download: download,
		Progress: ExportProgress{Rows: e.Progress.Rows, Files: e.Progress.Files, FilesTotal: e.Progress.FilesTotal},
	}
	if e.Archive != nil {
		sum := hex.EncodeToString(e.Archive.SHA256[:])
		x.Size, x.Sha256 = &e.Archive.Size, &sum
	}
	if e.Error != nil {
		x.Error = &ExportError{Code: e.Error.Code, Message: e.Error.Message}
	}
	return x
}
