package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Transactions implements ports.Transactions.
type Transactions struct{ db *postgres.DB }

// NewTransactions makes Transactions.
func NewTransactions(db *postgres.DB) *Transactions { return &Transactions{db} }

// As runs work for a user. A session that it opens needs a membership; where that has ended the answer is ErrMembershipEnded,
// here and not in Sessions, because a statement that is queued fails at the commit.
func (t *Transactions) As(ctx context.Context, workspace, user uuid.UUID, work func(ctx context.Context) error) error {
	err := t.db.Write(call.As(ctx, workspace, user), work)
	if postgres.Violates(err, "sessions_workspace_id_user_id_fkey") {
		return ports.ErrMembershipEnded
	}
	return err
}

// Audit implements ports.Audit.
type Audit struct{ log *audit.Log }

// NewAudit makes Audit.
func NewAudit(log *audit.Log) *Audit { return &Audit{log} }

// Session implements ports.Audit.
func (a *Audit) Session(ctx context.Context, action string, session uuid.UUID) error {
	return a.log.Record(ctx, audit.Entry{Action: action, Resource: "session", ResourceID: session})
}
