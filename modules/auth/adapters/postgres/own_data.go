package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// OwnData reads what is stored about the user of the context.
type OwnData struct{ db *postgres.DB }

var _ ports.OwnData = (*OwnData)(nil)

// NewOwnData makes OwnData.
func NewOwnData(db *postgres.DB) *OwnData { return &OwnData{db} }

// maxOwn is how many rows of a kind Account reads at most.
const maxOwn = 1000

func (o *OwnData) Account(ctx context.Context) (d domain.AccountData, err error) {
	if d.User, err = NewAccounts(o.db).User(ctx); err != nil {
		return d, err
	}
	if d.Identities, err = NewIdentities(o.db).List(ctx); err != nil {
		return d, err
	}
	if d.Workspaces, err = NewWorkspaces(o.db).List(ctx, nil, maxOwn); err != nil {
		return d, err
	}
	if d.Sessions, err = NewOwnSessions(o.db).list(ctx, authdb.ListOwnSessionsParams{Count: maxOwn, AlsoEnded: true}); err != nil {
		return d, err
	}
	q := authdb.New(o.db.In(ctx))
	devices, err := q.ListDevices(ctx, callctx.From(ctx).Principal.UserID)
	if err != nil {
		return d, fmt.Errorf("list the devices of a user: %w", err)
	}
	for _, r := range devices {
		d.Devices = append(d.Devices, domain.KnownDevice{Device: r.Device, Network: r.Network, FirstSeen: r.FirstSeenAt, LastSeen: r.LastSeenAt})
	}
	address := "" // of nobody: who may not have the mailbox sees no invitations to it
	if d.User.Proof() == domain.AccountProof {
		address = d.User.Email
	}
	invitations, err := q.ListOwnInvitations(ctx, authdb.ListOwnInvitationsParams{Address: address, MaxRows: maxOwn})
	if err != nil {
		return d, fmt.Errorf("list the invitations to a user: %w", err)
	}
	for _, r := range invitations {
		d.Invitations = append(d.Invitations, domain.OwnInvitation{
			Invitation: domain.Invitation{
				ID: r.ID, Email: r.Email, Role: domain.Role(r.Role), CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
				AcceptedAt: happened(r.AcceptedAt), RevokedAt: happened(r.RevokedAt),
			},
			WorkspaceID: r.WorkspaceID, WorkspaceName: r.WorkspaceName,
		})
	}
	return d, nil
}

func (o *OwnData) Actions(ctx context.Context, after *ports.SessionPosition, limit int) ([]domain.OwnAction, error) {
	params := authdb.ListOwnActionsParams{Count: int32(limit)}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.At, &after.ID
	}
	rows, err := authdb.New(o.db.In(ctx)).ListOwnActions(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the actions of a user: %w", err)
	}
	list := make([]domain.OwnAction, len(rows))
	for i, r := range rows {
		list[i] = domain.OwnAction{
			ID: r.ID, WorkspaceID: r.WorkspaceID, At: r.CreatedAt, Action: r.Action, Reason: r.Reason, ResourceType: r.ResourceType,
			ResourceID: r.ResourceID, OperationID: r.OperationID, TraceID: r.TraceID, Changes: r.Changes, UserAgent: r.UserAgent,
		}
		list[i].IP, _ = netip.ParseAddr(r.IP) // "" where it is not known
	}
	return list, nil
}

// happened returns a time; nil for 1970, which stands for NULL.
func happened(at time.Time) *time.Time {
	if !at.After(time.Unix(0, 0)) {
		return nil
	}
	return &at
}
