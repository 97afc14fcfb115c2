package domain

import (
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	// RefreshGrace is how long a spent refresh token still gives the current one: for many tabs and lost answers.
	RefreshGrace = 10 * time.Second
	// SessionLife is how long a session lives at the most, however busy it is.
	SessionLife = 60 * 24 * time.Hour
)

// Client is where a session was opened from.
type Client struct {
	IP        netip.Addr // invalid where unknown
	UserAgent string
}

// Session is a signed-in user. Every claim of its refresh token is in it, so that the token can be made again and
// need not be stored.
type Session struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID // the zero id: its user is in no workspace
	UserID      uuid.UUID
	Generation  int         // of the refresh token that is good now, from 1
	RotatedAt   time.Time   // when that generation began
	Retirements []time.Time // when the generations before it ended, newest last, as far as grace reaches
	KeyID       string      // the key that signs that generation
	// WorkspaceTokenGeneration is the generation whose refresh token names the workspace. Another number than Generation: that one
	// was made by a release that did not name it, and is made again as it was.
	WorkspaceTokenGeneration int
	IdleExpiresAt            time.Time
	ExpiresAt                time.Time
	RevokedAt                *time.Time
	CreatedAt                time.Time
	Client                   Client
}

// NewSession signs a user in.
func NewSession(workspace, user uuid.UUID, keyID string, client Client, idle time.Duration, now time.Time) Session {
	s := Session{
		ID:          uuid.Must(uuid.NewV7()),
		WorkspaceID: workspace,
		UserID:      user,
		CreatedAt:   now,
		ExpiresAt:   now.Add(SessionLife),
		Client:      client,
	}
	s.begin(1, keyID, idle, now)
	return s
}

func (s *Session) begin(generation int, keyID string, idle time.Duration, now time.Time) {
	s.Generation, s.KeyID, s.RotatedAt = generation, keyID, now
	if s.WorkspaceID != uuid.Nil {
		s.WorkspaceTokenGeneration = generation
	}
	s.IdleExpiresAt = now.Add(idle)
	if s.IdleExpiresAt.After(s.ExpiresAt) {
		s.IdleExpiresAt = s.ExpiresAt
	}
}

// TokenNamesWorkspace tells whether the refresh token of the current generation names the workspace of the session.
func (s *Session) TokenNamesWorkspace() bool {
	return s.WorkspaceID != uuid.Nil && s.WorkspaceTokenGeneration == s.Generation
}

// Alive tells whether the session may still be used.
func (s *Session) Alive(now time.Time) bool {
	return s.RevokedAt == nil && now.Before(s.IdleExpiresAt) && now.Before(s.ExpiresAt)
}

// Refreshed is what came of presenting a refresh token.
type Refreshed int

const (
	// Rotated means that a new generation has begun.
	Rotated Refreshed = iota
	// Repeated means that the token was spent a moment ago: the current one is to be given again, nothing moved.
	Repeated
	// Stolen means that a token was used that must not be in anybody's hands; the session is revoked.
	Stolen
)

// Refresh presents the refresh token of a generation to a session that is alive.
func (s *Session) Refresh(generation int, keyID string, idle time.Duration, now time.Time) Refreshed {
	if generation == s.Generation {
		s.Retirements = append(s.withinGrace(now), now)
		s.begin(generation+1, keyID, idle, now)
		return Rotated
	}
	recent := s.withinGrace(now)
	if back := s.Generation - generation; back > 0 && back <= len(recent) {
		return Repeated
	}
	s.Revoke(now)
	return Stolen
}

// withinGrace gives the retirements that are still within grace; they are the newest ones.
func (s *Session) withinGrace(now time.Time) []time.Time {
	i := slices.IndexFunc(s.Retirements, func(t time.Time) bool { return now.Sub(t) <= RefreshGrace })
	if i < 0 {
		return nil
	}
	return slices.Clone(s.Retirements[i:])
}

// Revoke ends the session; once ended it stays so.
func (s *Session) Revoke(now time.Time) {
	if s.RevokedAt == nil {
		s.RevokedAt = &now
	}
}
