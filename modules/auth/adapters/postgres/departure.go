package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// Departure removes the user of the context.
type Departure struct {
	db  *postgres.DB
	log *audit.Log
}

var _ ports.Departure = (*Departure)(nil)

// NewDeparture makes a Departure.
func NewDeparture(db *postgres.DB, log *audit.Log) *Departure { return &Departure{db, log} }

func (d *Departure) Lock(ctx context.Context, hash string) error {
	q, user := authdb.New(d.db.In(ctx)), callctx.From(ctx).Principal.UserID
	if err := q.DropAccountLinks(ctx, user); err != nil {
		return fmt.Errorf("remove the links of a user: %w", err)
	}
	stored, err := q.LockLeavingUser(ctx, user)
	if postgres.IsMissing(err) || err == nil && stored != hash {
		return ports.ErrPasswordChanged
	}
	if err != nil {
		return fmt.Errorf("lock the user: %w", err)
	}
	// Before the memberships: a refresh locks a session before it joins the session to a membership.
	if err := q.DropAccountSessions(ctx, user); err != nil {
		return fmt.Errorf("remove the sessions of a user: %w", err)
	}
	return nil
}

func (d *Departure) Workspaces(ctx context.Context) ([]uuid.UUID, error) {
	ids, err := authdb.New(d.db.In(ctx)).OwnWorkspaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the workspaces of a user: %w", err)
	}
	return ids, nil
}

func (d *Departure) In(ctx context.Context, workspace uuid.UUID, work func(ctx context.Context) error) error {
	p := callctx.From(ctx).Principal
	if err := d.visit(ctx, workspace, p.UserID); err != nil {
		return err
	}
	if err := work(callctx.As(ctx, workspace, p.UserID)); err != nil {
		return err
	}
	return d.visit(ctx, p.WorkspaceID, p.UserID)
}

func (d *Departure) visit(ctx context.Context, workspace, user uuid.UUID) error {
	params := authdb.VisitWorkspaceParams{UserID: user.String()}
	if workspace != uuid.Nil {
		params.WorkspaceID = workspace.String()
	}
	if err := authdb.New(d.db.In(ctx)).VisitWorkspace(ctx, params); err != nil {
		return fmt.Errorf("go into a workspace of a user: %w", err)
	}
	return nil
}

func (d *Departure) Left(ctx context.Context, ended domain.Ended) error {
	return d.record(ctx, "member.leave", "account_deleted", ended)
}

func (d *Departure) Distrusted(ctx context.Context, ended domain.Ended) error {
	return d.record(ctx, "member.reset", "address_proved", ended)
}

func (d *Departure) record(ctx context.Context, action, reason string, ended domain.Ended) error {
	return d.log.Record(ctx, audit.Entry{
		Action: action, Resource: "user", ResourceID: callctx.From(ctx).Principal.UserID, Changes: map[string]any{
			reason: true, "revoked_invitations": ended.Invitations, "suspended_api_keys": ended.Keys, "held_webhook_subscriptions": ended.Subscriptions,
		},
	})
}

func (d *Departure) Remove(ctx context.Context) error {
	q := authdb.New(d.db.In(ctx))
	if err := q.ForgetOwnAddress(ctx); err != nil {
		return fmt.Errorf("forget the address of a user: %w", err)
	}
	if err := q.DeleteUser(ctx, callctx.From(ctx).Principal.UserID); err != nil {
		return fmt.Errorf("remove the user: %w", err)
	}
	return nil
}
