package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/page"
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
	rows, err := s.Audit.Export(ctx, audit.Filter{
		UserID: p.UserID, KeyID: p.APIKeyID, Action: p.Action, ResourceType: p.ResourceType, ResourceID: p.ResourceID,
		OperationID: p.OperationID, From: p.From, To: p.To,
	})
	return auditExport{rows}, err
}

// auditExport writes entries as JSON lines.
type auditExport struct{ rows iter.Seq2[audit.Row, error] }

func (e auditExport) VisitExportAuditResponse(w http.ResponseWriter) error {
	release, err := gateway.Hold(w, page.MaxBytes) // some 1 KB a row
	if err != nil {
		return err
	}
	defer release()
	w.Header().Set("Content-Type", "application/x-ndjson")
	var feed []byte // the line feed of the previous line, written with the next: an export that breaks off ends without it
	for row, err := range e.rows {
		if err != nil {
			return err
		}
		entry, err := json.Marshal(toAuditEntry(row))
		if err != nil {
			return fmt.Errorf("encode the export: %w", err)
		}
		for _, part := range [][]byte{feed, entry} {
			if _, err := w.Write(part); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
		}
		feed = []byte{10}
	}
	_, err = w.Write(feed)
	return err
}

// VerifyAudit checks the seals of the audit log.
func (s Server) VerifyAudit(ctx context.Context, _ VerifyAuditRequestObject) (VerifyAuditResponseObject, error) {
	v, err := s.Sealer.Verify(ctx)
	var cut *AuditCut
	if v.Cut != nil {
		cut = &AuditCut{Seals: v.Cut.Seals, Rows: v.Cut.Rows, At: v.Cut.At}
	}
	return VerifyAudit200JSONResponse{
		Cut: cut, Intact: v.Intact(), SealedRows: v.Sealed, UnsealedRows: v.Unsealed, Seals: v.Seals, BrokenSeal: v.Broken, UnknownKeys: append([]string{}, v.UnknownKeys...), Anchor: toAnchor(v.Anchor),
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
