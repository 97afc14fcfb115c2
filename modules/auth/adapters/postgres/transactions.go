package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// Transactions runs work in a transaction for a user in a workspace.
type Transactions struct{ db *postgres.DB }

// NewTransactions makes Transactions.
func NewTransactions(db *postgres.DB) *Transactions { return &Transactions{db} }

// As runs work for a user. A session that the work opens needs a membership; As returns ErrMembershipEnded where that
// has ended. The check is here and not in Sessions, because a queued statement fails only at the commit.
func (t *Transactions) As(ctx context.Context, workspace, user uuid.UUID, work func(ctx context.Context) error) error {
	err := t.db.Write(callctx.As(ctx, workspace, user), work)
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

var (
	_ ports.Audit       = (*Audit)(nil)
	_ ports.MemberAudit = (*Audit)(nil)
)

// NewAudit makes Audit.
func NewAudit(log *audit.Log, events *AccountEvents) *Audit { return &Audit{log, events} }

// Session records one action, in the transaction of the context.
func (a *Audit) Session(ctx context.Context, action string, session uuid.UUID) error {
	if p := callctx.From(ctx).Principal; p.WorkspaceID == uuid.Nil {
		return a.events.Record(ctx, domain.AccountEvent{UserID: p.UserID, Action: action})
	}
	return a.log.Record(ctx, audit.Entry{Action: action, Resource: "session", ResourceID: session})
}

// Member records a change of a member in the audit log of the workspace.
func (a *Audit) Member(ctx context.Context, action string, user uuid.UUID, changes map[string]any) error {
	return a.log.Record(ctx, audit.Entry{Action: action, Resource: "user", ResourceID: user, Changes: changes})
}
