package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/gateway"
	"github.com/parley/parley/platform/page"
)

// ListAudit lists the entries of the audit log, newest first.
func (s Server) ListAudit(ctx context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	q := r.Params
	f := audit.Filter{
		UserID: q.UserID, KeyID: q.APIKeyID, Action: q.Action, ResourceType: q.ResourceType, ResourceID: q.ResourceID,
		OperationID: q.OperationID, From: q.From, To: q.To,
	}
	p, err := page.List[audit.Row, audit.Position]{
		Name: "audit log by time", Filter: f,
		Read: func(ctx context.Context, after *audit.Position, limit int) ([]audit.Row, error) {
			return s.Audit.List(ctx, f, after, limit)
		},
		Position: audit.Row.Position,
		Size:     func(r audit.Row) int { return len(r.Changes) + len(r.UserAgent) },
	}.Page(ctx, s.Cursors, q.Cursor, q.Limit)
	return ListAudit200JSONResponse{Items: page.Map(p.Items, toAuditEntry), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// ExportAudit sends the whole audit log, or the entries that match a filter, as JSON lines.
func (s Server) ExportAudit(ctx context.Context, r ExportAuditRequestObject) (ExportAuditResponseObject, error) {
	p := r.Params
	export := auditExport{ctx: ctx, log: s.Audit, filter: audit.Filter{
		UserID: p.UserID, KeyID: p.APIKeyID, Action: p.Action, ResourceType: p.ResourceType, ResourceID: p.ResourceID,
		OperationID: p.OperationID, From: p.From, To: p.To,
	}}
	var err error // the first page is read before the answer begins, so that a refusal is an answer
	export.first, err = s.Audit.List(ctx, export.filter, nil, exportPage)
	return export, err
}

// auditExport writes the log page by page. It holds no connection between pages.
type auditExport struct {
	ctx    context.Context //nolint:containedctx // the generated Visit method has none
	log    *audit.Log
	filter audit.Filter
	first  []audit.Row
}

const (
	exportPage  = 500                    // rows read at once
	exportPause = 200 * time.Millisecond // before another try where too many reads of the workspace are running
)

func (e auditExport) VisitExportAuditResponse(w http.ResponseWriter) error {
	release, err := gateway.Hold(w, page.MaxBytes) // some 1 KB a row
	if err != nil {
		return err
	}
	defer release()
	w.Header().Set("Content-Type", "application/x-ndjson")
	var feed []byte // the line feed of the previous line, written with the next: an export that breaks off ends without it
	for rows := e.first; ; {
		for _, row := range rows {
			if _, err := w.Write(feed); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			entry, err := json.Marshal(toAuditEntry(row))
			if err != nil {
				return fmt.Errorf("encode the export: %w", err)
			}
			if _, err := w.Write(entry); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			feed = []byte{10}
		}
		if len(rows) < exportPage {
			_, err := w.Write(feed)
			return err
		}
		if rows, err = e.next(rows[len(rows)-1].Position()); err != nil {
			return err
		}
	}
}

// next reads the page after a position. The response has already begun, so it waits for a slot to read for as long as
// the call may take.
func (e auditExport) next(after audit.Position) ([]audit.Row, error) {
	for {
		rows, err := e.log.List(e.ctx, e.filter, &after, exportPage)
		if !errors.Is(err, fail.ErrTooManyReads) || e.ctx.Err() != nil {
			return rows, err
		}
		select {
		case <-e.ctx.Done():
		case <-time.After(exportPause):
		}
	}
}

// VerifyAudit checks the seals of the audit log.
func (s Server) VerifyAudit(ctx context.Context, _ VerifyAuditRequestObject) (VerifyAuditResponseObject, error) {
	v, err := s.Sealer.Verify(ctx)
	return VerifyAudit200JSONResponse{
		Intact: v.Intact(), SealedRows: v.Sealed, UnsealedRows: v.Unsealed, Seals: v.Seals, BrokenSeal: v.Broken, UnknownKeys: append([]string{}, v.UnknownKeys...), Anchor: toAnchor(v.Anchor),
	}, err
}

func toAnchor(c *audit.AnchorCheck) AuditAnchor {
	if c == nil {
		return AuditAnchor{State: None}
	}
	a := AuditAnchor{State: AuditAnchorState(c.State), Store: &c.Store}
	if c.Head != nil {
		a.Seal, a.SealedRows, a.SealedAt = &c.Head.Seal, &c.Head.Rows, &c.Head.SealedAt
	}
	if c.RestoredTo != nil {
		a.RestoredTo = &AuditPoint{Seal: c.RestoredTo.Seal}
		if c.RestoredTo.Seal > 0 {
			a.RestoredTo.SealedAt = &c.RestoredTo.SealedAt
		}
	}
	return a
}

func toAuditEntry(r audit.Row) AuditEntry {
	entry := AuditEntry{
		ID: r.ID, WorkspaceID: r.WorkspaceID, UserID: r.UserID, APIKeyID: r.KeyID, OperationID: r.OperationID, TraceID: r.TraceID,
		Action: r.Action, ResourceType: r.Resource, ResourceID: r.ResourceID, Changes: r.Changes, UserAgent: r.UserAgent,
		CreatedAt: r.CreatedAt,
	}
	if r.IP != nil {
		ip := r.IP.String()
		entry.IP = &ip
	}
	return entry
}
