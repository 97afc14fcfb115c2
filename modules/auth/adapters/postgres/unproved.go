package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// Unproved removes accounts that share an address and have not proved it.
type Unproved struct {
	db  *postgres.DB
	log *audit.Log
	now func() time.Time
}

// NewUnproved makes Unproved.
func NewUnproved(db *postgres.DB, log *audit.Log, now func() time.Time) *Unproved {
	return &Unproved{db, log, now}
}

const unprovedAtOnce = 500 // accounts

// Expire deletes the workspaces in which such an account is alone, which can be restored as any deleted workspace, and removes
// accounts that are in no workspace. With its last workspace an account is purged. A failure with one account does not stop
// the work on others.
func (u *Unproved) Expire(ctx context.Context) error {
	rows, err := authdb.New(u.db.In(ctx)).LocateUnproved(ctx, authdb.LocateUnprovedParams{
		OlderSeconds: domain.UnverifiedLife.Seconds(), MaxOfAddress: domain.MaxUnverifiedStored, MaxRows: unprovedAtOnce,
	})
	if err != nil {
		return fmt.Errorf("look for accounts without a proved address: %w", err)
	}
	var failures []error
	for _, row := range rows {
		failures = append(failures, u.expire(ctx, row.UserID, row.WorkspaceID))
	}
	return errors.Join(failures...)
}

func (u *Unproved) expire(ctx context.Context, user, workspace uuid.UUID) error {
	err := u.db.Write(callctx.As(ctx, workspace, uuid.Nil), func(ctx context.Context) error {
		q := authdb.New(u.db.In(ctx))
		if workspace == uuid.Nil {
			_, err := q.RemoveUnproved(ctx, user)
			return err
		}
		if err := q.DeleteWorkspace(ctx, authdb.DeleteWorkspaceParams{WorkspaceID: workspace, DeletedAt: new(u.now())}); err != nil {
			return err
		}
		return u.log.Record(ctx, audit.Entry{
			Action: "workspace.delete", Resource: "workspace", ResourceID: workspace, Changes: map[string]any{"address_not_proved": user},
		})
	})
	if err != nil {
		return fmt.Errorf("remove the account %s: %w", user, err)
	}
	return nil
}
