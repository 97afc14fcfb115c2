package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Transactions implements ports.Transactions.
type Transactions struct{ db *postgres.DB }

// NewTransactions makes Transactions.
func NewTransactions(db *postgres.DB) *Transactions { return &Transactions{db} }

// As implements ports.Transactions.
func (t *Transactions) As(ctx context.Context, workspace, user uuid.UUID, work func(ctx context.Context) error) error {
	return t.db.Write(call.As(ctx, workspace, user), work)
}

// Audit implements ports.Audit.
type Audit struct{ log *audit.Log }

// NewAudit makes Audit.
func NewAudit(log *audit.Log) *Audit { return &Audit{log} }

// Session implements ports.Audit.
func (a *Audit) Session(ctx context.Context, action string, session uuid.UUID) error {
	return a.log.Record(ctx, audit.Entry{Action: action, Resource: "session", ResourceID: session})
}
