package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
)

// Row is an entry as it was written.
type Row struct {
	ID, WorkspaceID     uuid.UUID
	UserID, OperationID *uuid.UUID
	KeyID               *uuid.UUID // the API key that acted in place of a user
	TraceID             string
	Action, Resource    string
	ResourceID          *uuid.UUID
	Changes             json.RawMessage
	IP                  *netip.Addr
	UserAgent           string
	CreatedAt           time.Time
}

// Filter narrows the log; what is nil narrows nothing.
type Filter struct {
	UserID       *uuid.UUID
	KeyID        *uuid.UUID
	Action       *string
	ResourceType *string
	ResourceID   *uuid.UUID
	OperationID  *uuid.UUID
	From         *time.Time // not before
	To           *time.Time // before
}

// List reads the log of the caller's workspace, newest first, on from a row or from the start.
func (l *Log) List(ctx context.Context, f Filter, before *uuid.UUID, limit int) ([]Row, error) {
	rows, err := platformdb.New(l.db.In(ctx)).ListAudit(ctx, platformdb.ListAuditParams{
		WorkspaceID:  call.From(ctx).Principal.WorkspaceID,
		Before:       before,
		UserID:       f.UserID,
		ApiKeyID:     f.KeyID,
		Action:       f.Action,
		ResourceType: f.ResourceType,
		ResourceID:   f.ResourceID,
		OperationID:  f.OperationID,
		FromTime:     f.From,
		ToTime:       f.To,
		Count:        int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	list := make([]Row, len(rows))
	for i, r := range rows {
		list[i] = Row{
			ID: r.ID, WorkspaceID: r.WorkspaceID, UserID: r.UserID, KeyID: r.ApiKeyID, OperationID: r.OperationID, TraceID: r.TraceID,
			Action: r.Action, Resource: r.ResourceType, ResourceID: r.ResourceID, Changes: r.Changes, IP: r.IP,
			UserAgent: r.UserAgent, CreatedAt: r.CreatedAt,
		}
	}
	return list, nil
}
