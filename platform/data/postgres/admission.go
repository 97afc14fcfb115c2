package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// caller is a call as app.ended_access reads it.
type caller struct {
	Number    int          `json:"n"`
	Session   *uuid.UUID   `json:"session"`
	User      *uuid.UUID   `json:"user"`
	Key       *uuid.UUID   `json:"key"`
	Home      *uuid.UUID   `json:"home"`
	Workspace uuid.UUID    `json:"workspace"`
	Roles     []string     `json:"roles"`
	May       callctx.Keys `json:"may"`
	Deleted   bool         `json:"deleted"`

	WithoutFactor bool `json:"without_factor"`

	EndUser *uuid.UUID `json:"end_user"`
	Bot     *uuid.UUID `json:"bot"`
}

// Refused queries, in one round trip, which of several calls would be refused if they were made now. It returns one
// error for each call, in the same order: nil for a call that would be admitted, else the error of the first statement
// of its transaction, such as fail.ErrUnauthorized. A call whose right has already been checked is admitted.
func (db *DB) Refused(ctx context.Context, calls []*callctx.Call) ([]error, error) {
	callers := make([]caller, 0, len(calls))
	for i, c := range calls {
		p := c.Principal
		asked := caller{
			Number: i, Workspace: p.WorkspaceID, Roles: append([]string{}, c.Needs.Roles...), May: c.Needs.Keys, Deleted: c.Needs.Deleted,
			WithoutFactor: c.Needs.WithoutFactor,
		}
		switch {
		case p.SessionID == uuid.Nil:
			continue
		case p.EndUser != nil:
			asked.EndUser, asked.Key, asked.Bot = &p.UserID, &p.EndUser.KeyID, &p.EndUser.BotID
		case p.KeyID != uuid.Nil:
			asked.Key = &p.KeyID
		default:
			asked.Session, asked.User, asked.Home = &p.SessionID, &p.UserID, &p.HomeID
		}
		callers = append(callers, asked)
	}
	raw, err := json.Marshal(callers)
	if err != nil {
		return nil, fmt.Errorf("encode the callers: %w", err)
	}
	rows, err := platformdb.New(db.In(callctx.With(ctx, &callctx.Call{}))).EndedAccess(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("ask which callers are still let in: %w", err)
	}
	refused := make([]error, len(calls))
	for _, row := range rows {
		refused[row.N] = refusal(&pgconn.PgError{Code: row.State, Detail: row.Detail})
	}
	return refused, nil
}

// refusal returns the error that a caller receives for a refusal by the database. A refusal for a reason that this
// program does not know becomes fail.ErrUnauthorized.
func refusal(err *pgconn.PgError) error {
	if e, ok := errors.AsType[*fail.Error](translate(err)); ok {
		return e
	}
	return fail.ErrUnauthorized.Because(err)
}
