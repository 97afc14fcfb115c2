package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Transactions runs work in a transaction for a user in a workspace.
type Transactions struct{ db *postgres.DB }

// NewTransactions makes Transactions.
func NewTransactions(db *postgres.DB) *Transactions { return &Transactions{db} }

// As runs work for a user. A session that the work opens needs a membership; As returns ErrMembershipEnded where that
// has ended. The check is here and not in Sessions, because a queued statement fails only at the commit.
func (t *Transactions) As(ctx context.Context, workspace, user uuid.UUID, work func(ctx context.Context) error) error {
	err := t.db.Write(call.As(ctx, workspace, user), work)
	if postgres.Violates(err, "sessions_workspace_id_user_id_fkey") {
		return ports.ErrMembershipEnded
	}
	return err
}

// Audit records what happened to sessions: in the audit log of their workspace, or as events of the account.
type Audit struct {
	log    *audit.Log
	events *AccountEvents
}

var _ ports.Audit = (*Audit)(nil)

// NewAudit makes Audit.
func NewAudit(log *audit.Log, events *AccountEvents) *Audit { return &Audit{log, events} }

// Session records one action, in the transaction of the context.
func (a *Audit) Session(ctx context.Context, action string, session uuid.UUID) error {
	if p := call.From(ctx).Principal; p.WorkspaceID == uuid.Nil {
		return a.events.Record(ctx, domain.AccountEvent{UserID: p.UserID, Action: action})
	}
	return a.log.Record(ctx, audit.Entry{Action: action, Resource: "session", ResourceID: session})
}
