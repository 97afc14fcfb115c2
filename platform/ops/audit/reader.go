package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/request/callctx"
)

// Row is an entry of the log as it was written.
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

// Filter selects entries of the log; a nil field selects all.
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

// Position is a position in the log: after the row with this time and id.
type Position struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// Position returns the position after the row.
func (r Row) Position() Position { return Position{r.CreatedAt, r.ID} }

// List returns entries of the log of the caller's workspace, newest first, after a position or from the start. Its
// errors include fail.ErrTooBroad and fail.ErrTooManyReads.
func (l *Log) List(ctx context.Context, f Filter, after *Position, limit int) ([]Row, error) {
	var before Position
	if after != nil {
		before = *after
	}
	rows, err := platformdb.New(l.db.InList(ctx)).ListAudit(ctx, platformdb.ListAuditParams{
		WorkspaceID:  callctx.From(ctx).Principal.WorkspaceID,
		BeforeAt:     knownTime(before.At),
		BeforeID:     known(before.ID),
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

// knownTime makes NULL of the zero time.
func knownTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
