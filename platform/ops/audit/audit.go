// Package audit records who changed what. The command pipeline calls it in the transaction of the change, so that every
// change has an audit row and every audit row has a change.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Entry is one audited change. It never contains passwords, tokens or message texts.
type Entry struct {
	Action     string // object.verb: bot.create
	Resource   string // the kind of thing: bot
	ResourceID uuid.UUID
	Changes    any // an object; nil: {}
}

// Operator is the user agent in rows about actions of an operator with the commands of the program.
const Operator = "operator"

// Installation returns the id of a workspace that does not exist, whose log is that of the whole installation. It
// records actions of an operator that belong to no workspace or outlive it. It is sealed and verified like every other
// log.
func Installation() uuid.UUID { return uuid.UUID{15: 1} }

// Log inserts entries into audit_log.
type Log struct{ db *postgres.DB }

// NewLog returns a Log.
func NewLog(db *postgres.DB) *Log { return &Log{db: db} }

// known converts the zero id to NULL: for a call that was refused before it had an operation, and for background work.
func known(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// withEndUser adds an end user to an object.
func withEndUser(changes []byte, id uuid.UUID) []byte {
	comma := ","
	if len(changes) == len("{}") {
		comma = ""
	}
	return fmt.Appendf(changes[:len(changes)-1], `%s"end_user_id":%q}`, comma, id)
}

// Record queues the row of an entry in the transaction of the context. The actor, the operation and the origin are
// taken from the call.
func (l *Log) Record(ctx context.Context, e Entry) error {
	c := callctx.From(ctx)
	user, key := c.Principal.UserID, c.Principal.KeyID
	changes := []byte("{}")
	if e.Changes != nil {
		var err error
		if changes, err = json.Marshal(e.Changes); err != nil {
			return fmt.Errorf("encode the changes of %s: %w", e.Action, err)
		}
	}
	if c.Principal.EndUser != nil { // who is no user: the key that made its token is named, and the end user in the changes
		key = c.Principal.EndUser.KeyID
		changes = withEndUser(changes, user)
	}
	if key != uuid.Nil {
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
		ApiKeyID:     known(key),
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
