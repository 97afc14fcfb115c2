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

// Sessions stores sessions.
type Sessions struct{ db *postgres.DB }

// NewSessions makes Sessions.
func NewSessions(db *postgres.DB) *Sessions { return &Sessions{db} }

// maxSessions is how many sessions a user has at a time in a workspace, and as many outside of any. A new session ends
// the oldest.
const maxSessions = 100

func (s *Sessions) Create(ctx context.Context, session domain.Session) error {
	var ip *netip.Addr
	if session.Client.IP.IsValid() {
		ip = &session.Client.IP
	}
	if session.WorkspaceID == uuid.Nil {
		return s.createWithoutWorkspace(ctx, session, ip)
	}
	q := authdb.New(s.db.In(ctx))
	err := q.TrimSessions(ctx, authdb.TrimSessionsParams{WorkspaceID: session.WorkspaceID, UserID: session.UserID, Keep: maxSessions - 1})
	if err != nil {
		return fmt.Errorf("end old sessions: %w", err)
	}
	return q.CreateSession(ctx, authdb.CreateSessionParams{
		WorkspaceID:   session.WorkspaceID,
		ID:            session.ID,
		UserID:        session.UserID,
		Generation:    int32(session.Generation),
		RotatedAt:     session.RotatedAt,
		Kid:           session.KeyID,
		IdleExpiresAt: session.IdleExpiresAt,
		ExpiresAt:     session.ExpiresAt,
		CreatedAt:     session.CreatedAt,
		IP:            ip,
		UserAgent:     session.Client.UserAgent,

		WorkspaceTokenGeneration: int32(session.WorkspaceTokenGeneration),

		AuthenticatedAt: &session.AuthenticatedAt,
		Amr:             methodNames(session.Methods),
	})
}

func (s *Sessions) Owner(ctx context.Context, id uuid.UUID) (workspace, user uuid.UUID, err error) {
	row, err := authdb.New(s.db.InPipeline(ctx)).FindSession(ctx, id)
	if postgres.IsMissing(err) {
		return uuid.Nil, uuid.Nil, ports.ErrBadRefreshToken
	}
	if err != nil {
		return uuid.Nil, uuid.Nil, fmt.Errorf("find the session: %w", err)
	}
	return row.WorkspaceID, row.UserID, nil
}

func (s *Sessions) Lock(ctx context.Context, id uuid.UUID) (domain.Session, error) {
	p := callctx.From(ctx).Principal
	if p.WorkspaceID == uuid.Nil {
		return s.lockWithoutWorkspace(ctx, p.UserID, id)
	}
	row, err := authdb.New(s.db.In(ctx)).LockSession(ctx, authdb.LockSessionParams{WorkspaceID: p.WorkspaceID, ID: id})
	if postgres.IsMissing(err) {
		return domain.Session{}, ports.ErrBadRefreshToken
	}
	if err != nil {
		return domain.Session{}, fmt.Errorf("lock the session: %w", err)
	}
	return toSession(row), nil
}

func toSession(row authdb.Session) domain.Session {
	session := domain.Session{
		ID:            row.ID,
		WorkspaceID:   row.WorkspaceID,
		UserID:        row.UserID,
		Generation:    int(row.Generation),
		RotatedAt:     row.RotatedAt,
		Retirements:   row.Retirements,
		KeyID:         row.Kid,
		IdleExpiresAt: row.IdleExpiresAt,
		ExpiresAt:     row.ExpiresAt,
		RevokedAt:     row.RevokedAt,
		CreatedAt:     row.CreatedAt,
		Client:        domain.Client{UserAgent: row.UserAgent},

		WorkspaceTokenGeneration: int(row.WorkspaceTokenGeneration),

		AuthenticatedAt: row.CreatedAt, // of the release before, which does not say
		Methods:         toMethods(row.Amr),
	}
	if row.AuthenticatedAt != nil {
		session.AuthenticatedAt = *row.AuthenticatedAt
	}
	if row.IP != nil {
		session.Client.IP = *row.IP
	}
	return session
}

func (s *Sessions) EndOthers(ctx context.Context, keep uuid.UUID) (int, error) {
	n, err := authdb.New(s.db.In(ctx)).EndOtherSessions(ctx, keep)
	if err != nil {
		return 0, fmt.Errorf("end the other sessions: %w", err)
	}
	return int(n), nil
}

func (s *Sessions) Save(ctx context.Context, session domain.Session) error {
	if session.WorkspaceID == uuid.Nil {
		return s.saveWithoutWorkspace(ctx, session)
	}
	return authdb.New(s.db.In(ctx)).SaveSession(ctx, authdb.SaveSessionParams{
		WorkspaceID:   session.WorkspaceID,
		ID:            session.ID,
		Generation:    int32(session.Generation),
		RotatedAt:     session.RotatedAt,
		Retirements:   session.Retirements,
		Kid:           session.KeyID,
		IdleExpiresAt: session.IdleExpiresAt,
		RevokedAt:     session.RevokedAt,

		WorkspaceTokenGeneration: int32(session.WorkspaceTokenGeneration),

		AuthenticatedAt: &session.AuthenticatedAt,
		Amr:             methodNames(session.Methods),
	})
}

// Expire removes sessions that ended more than 30 days ago.
func (s *Sessions) Expire(ctx context.Context) error {
	return expire(ctx, s.db, "sessions", (*authdb.Queries).ExpireSessions)
}
