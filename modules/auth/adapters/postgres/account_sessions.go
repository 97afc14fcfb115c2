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
)

var _ ports.Settler = (*Sessions)(nil)

func (s *Sessions) createWithoutWorkspace(ctx context.Context, session domain.Session, ip *netip.Addr) error {
	q := authdb.New(s.db.In(ctx))
	err := q.TrimAccountSessions(ctx, authdb.TrimAccountSessionsParams{UserID: session.UserID, Keep: maxSessions - 1})
	if err != nil {
		return fmt.Errorf("remove old sessions: %w", err)
	}
	return q.CreateAccountSession(ctx, authdb.CreateAccountSessionParams{
		UserID:        session.UserID,
		ID:            session.ID,
		Generation:    int32(session.Generation),
		RotatedAt:     session.RotatedAt,
		Kid:           session.KeyID,
		IdleExpiresAt: session.IdleExpiresAt,
		ExpiresAt:     session.ExpiresAt,
		CreatedAt:     session.CreatedAt,
		IP:            ip,
		UserAgent:     session.Client.UserAgent,

		AuthenticatedAt: &session.AuthenticatedAt,
		Amr:             methodNames(session.Methods),
	})
}

func (s *Sessions) lockWithoutWorkspace(ctx context.Context, user, id uuid.UUID) (domain.Session, error) {
	row, err := authdb.New(s.db.In(ctx)).LockAccountSession(ctx, authdb.LockAccountSessionParams{UserID: user, ID: id})
	if postgres.IsMissing(err) {
		return domain.Session{}, ports.ErrBadRefreshToken
	}
	if err != nil {
		return domain.Session{}, fmt.Errorf("lock the session: %w", err)
	}
	return toSession(authdb.Session{
		ID: row.ID, UserID: row.UserID, Generation: row.Generation, RotatedAt: row.RotatedAt, Retirements: row.Retirements, Kid: row.Kid,
		IdleExpiresAt: row.IdleExpiresAt, ExpiresAt: row.ExpiresAt, RevokedAt: row.RevokedAt, CreatedAt: row.CreatedAt, IP: row.IP,
		UserAgent: row.UserAgent, AuthenticatedAt: row.AuthenticatedAt, Amr: row.Amr,
	}), nil
}

func (s *Sessions) saveWithoutWorkspace(ctx context.Context, session domain.Session) error {
	return authdb.New(s.db.In(ctx)).SaveAccountSession(ctx, authdb.SaveAccountSessionParams{
		UserID:        session.UserID,
		ID:            session.ID,
		Generation:    int32(session.Generation),
		RotatedAt:     session.RotatedAt,
		Retirements:   session.Retirements,
		Kid:           session.KeyID,
		IdleExpiresAt: session.IdleExpiresAt,
		RevokedAt:     session.RevokedAt,

		AuthenticatedAt: &session.AuthenticatedAt,
		Amr:             methodNames(session.Methods),
	})
}

// Settle moves a session into a workspace. The transaction continues in that workspace.
func (s *Sessions) Settle(ctx context.Context, session uuid.UUID) (workspace uuid.UUID, err error) {
	workspace, err = authdb.New(s.db.In(ctx)).SettleSession(ctx, session)
	if err != nil {
		return uuid.Nil, fmt.Errorf("move the session into a workspace: %w", err)
	}
	return workspace, nil
}
