package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// AccountEvents stores events of accounts outside of any workspace.
type AccountEvents struct{ db *postgres.DB }

var _ ports.AccountEvents = (*AccountEvents)(nil)

// NewAccountEvents makes AccountEvents.
func NewAccountEvents(db *postgres.DB) *AccountEvents { return &AccountEvents{db} }

// recordTimeout bounds the writing of an event. The writing continues after the client has disconnected.
const recordTimeout = 3 * time.Second

// Record stores an event in a transaction of its own. Operation, trace and client are taken from the call. It does nothing
// for an account that is gone.
func (a *AccountEvents) Record(ctx context.Context, e domain.AccountEvent) error {
	c := callctx.From(ctx)
	var ip *netip.Addr
	if c.IP.IsValid() {
		ip = &c.IP
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := a.db.Write(callctx.As(ctx, uuid.Nil, e.UserID), func(ctx context.Context) error {
		return authdb.New(a.db.In(ctx)).RecordAccountEvent(ctx, authdb.RecordAccountEventParams{
			UserID: e.UserID, ID: uuid.Must(uuid.NewV7()), Action: e.Action, Reason: e.Reason, WantedWorkspaceID: known(e.WantedWorkspace),
			OperationID: known(c.Operation.ID), TraceID: c.TraceID, IP: ip, UserAgent: c.UserAgent,
		})
	})
	if postgres.Violates(err, "account_events_user_id_fkey") { // the account was deleted meanwhile
		return nil
	}
	if err != nil {
		return fmt.Errorf("record the account event: %w", err)
	}
	return nil
}

const expiredAtOnce = 1000 // events

// Expire removes events that are older than 400 days.
func (a *AccountEvents) Expire(ctx context.Context) error {
	return expire(ctx, a.db, "account events", (*authdb.Queries).ExpireAccountEvents)
}

// expire removes rows in batches, each in a transaction of its own, until no row is old enough.
func expire(ctx context.Context, db *postgres.DB, what string, some func(q *authdb.Queries, ctx context.Context, most int32) (int32, error)) error {
	for {
		var removed int32
		err := db.WriteOnce(ctx, func(ctx context.Context) (err error) {
			removed, err = some(authdb.New(db.In(ctx)), ctx, expiredAtOnce)
			return err
		})
		if err != nil {
			return fmt.Errorf("expire %s: %w", what, err)
		}
		if removed < expiredAtOnce {
			return nil
		}
	}
}
