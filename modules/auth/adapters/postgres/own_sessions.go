package postgres

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// OwnSessions has the sessions of the user of the context, in all workspaces and in none.
type OwnSessions struct{ db *postgres.DB }

var _ ports.OwnSessions = (*OwnSessions)(nil)

// NewOwnSessions makes OwnSessions.
func NewOwnSessions(db *postgres.DB) *OwnSessions { return &OwnSessions{db} }

func (s *OwnSessions) List(ctx context.Context, after *ports.SessionPosition, limit int) ([]domain.Session, error) {
	params := authdb.ListOwnSessionsParams{Count: int32(limit)}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.At, &after.ID
	}
	return s.list(ctx, params)
}

func (s *OwnSessions) list(ctx context.Context, params authdb.ListOwnSessionsParams) ([]domain.Session, error) {
	user := callctx.From(ctx).Principal.UserID
	rows, err := authdb.New(s.db.In(ctx)).ListOwnSessions(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the sessions of a user: %w", err)
	}
	list := make([]domain.Session, len(rows))
	for i, r := range rows {
		list[i] = domain.Session{
			ID: r.ID, WorkspaceID: r.WorkspaceID, UserID: user, RotatedAt: r.RotatedAt, IdleExpiresAt: r.IdleExpiresAt, CreatedAt: r.CreatedAt,
			Client: domain.Client{UserAgent: r.UserAgent}, AuthenticatedAt: r.AuthenticatedAt, Methods: toMethods(r.Amr),
		}
		list[i].Client.IP, _ = netip.ParseAddr(r.IP) // "" where it is not known
		list[i].RevokedAt = happened(r.RevokedAt)
	}
	return list, nil
}

func (s *OwnSessions) End(ctx context.Context, session uuid.UUID) (ended bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) (err error) {
		ended, err = authdb.New(s.db.In(ctx)).EndOwnSession(ctx, session)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("end a session of a user: %w", err)
	}
	return ended, nil
}
