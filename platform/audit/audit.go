// Package audit writes who changed what. The command pipeline calls it within the transaction of the change, so that
// there is no change without its row and no row without its change.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Entry says what happened to what. Passwords, tokens and message texts are never in it.
type Entry struct {
	Action     string // object.verb: bot.create
	Resource   string // the kind of thing: bot
	ResourceID uuid.UUID
	Changes    any // an object; nil: {}
}

// Operator is the user agent in rows about what an operator did with the program's commands.
const Operator = "operator"

// Installation returns the workspace, which there is not, whose log is that of the whole installation: what an operator does that is
// of no workspace, or that outlives it. It is sealed and verified as every other log is.
func Installation() uuid.UUID { return uuid.UUID{15: 1} }

// Log writes entries into audit_log.
type Log struct{ db *postgres.DB }

// NewLog makes a Log.
func NewLog(db *postgres.DB) *Log { return &Log{db: db} }

// known makes NULL of the zero id: a call that was refused before it had an operation, work that nobody asked for.
func known(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// Record queues the row of an entry in the transaction of the context. Who, under which operation and from where it
// takes from the call.
func (l *Log) Record(ctx context.Context, e Entry) error {
	changes := []byte("{}")
	if e.Changes != nil {
		var err error
		if changes, err = json.Marshal(e.Changes); err != nil {
			return fmt.Errorf("encode the changes of %s: %w", e.Action, err)
		}
	}
	c := call.From(ctx)
	user := c.Principal.UserID
	if c.Principal.KeyID != uuid.Nil {
		user = uuid.Nil // the key has acted
	}
	var ip *netip.Addr
	if c.IP.IsValid() {
		ip = &c.IP
	}
	return platformdb.New(l.db.In(ctx)).RecordAudit(ctx, platformdb.RecordAuditParams{
		WorkspaceID:  c.Principal.WorkspaceID,
		ID:           uuid.Must(uuid.NewV7()),
		UserID:       known(user),
		ApiKeyID:     known(c.Principal.KeyID),
		OperationID:  known(c.Operation.ID),
		TraceID:      c.TraceID,
		Action:       e.Action,
		ResourceType: e.Resource,
		ResourceID:   &e.ResourceID,
		Changes:      changes,
		IP:           ip,
		UserAgent:    c.UserAgent,
	})
}
