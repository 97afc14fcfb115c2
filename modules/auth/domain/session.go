package domain

import (
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	// refreshGrace is how long a used refresh token still returns the current one, for clients with many tabs and for
	// lost responses.
	refreshGrace = 10 * time.Second
	// SessionLife is how long a session lives at most, even if it is used all the time.
	SessionLife = 60 * 24 * time.Hour
	// freshAuthentication is how long an authentication counts as fresh.
	freshAuthentication = 10 * time.Minute
)

// Client is where a session was opened from.
type Client struct {
	IP        netip.Addr // invalid where unknown
	UserAgent string
}

// Session is a signed-in user. It contains every claim of its refresh token, so that the token can be made again and
// need not be stored.
type Session struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID // the zero id: the user is in no workspace
	UserID      uuid.UUID
	Generation  int         // of the refresh token that is valid now, from 1
	RotatedAt   time.Time   // when that generation began
	Retirements []time.Time // when the generations before it ended, newest last, as far as grace reaches
	KeyID       string      // the key that signs that generation
	// WorkspaceTokenGeneration is the generation whose refresh token names the workspace. If it differs from Generation,
	// an older release made the current token without the workspace, and the token is made again in that form.
	WorkspaceTokenGeneration int
	IdleExpiresAt            time.Time
	ExpiresAt                time.Time
	RevokedAt                *time.Time
	CreatedAt                time.Time
	Client                   Client
	AuthenticatedAt          time.Time // when the user proved last who it is; a refresh does not change it
	Methods                  []Method  // by which it did
}

// NewSession makes the session of a user who signs in.
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

// Authenticate notes that the user has proved at a time, by methods, who it is.
func (s *Session) Authenticate(methods []Method, at time.Time) {
	s.Methods, s.AuthenticatedAt = methods, at
}

// Fresh reports whether the user has proved lately who it is.
func (s *Session) Fresh(now time.Time) bool {
	return now.Sub(s.AuthenticatedAt) < freshAuthentication
}

// TokenNamesWorkspace reports whether the refresh token of the current generation names the workspace of the session.
func (s *Session) TokenNamesWorkspace() bool {
	return s.WorkspaceID != uuid.Nil && s.WorkspaceTokenGeneration == s.Generation
}

// Alive reports whether the session may still be used.
func (s *Session) Alive(now time.Time) bool {
	return s.RevokedAt == nil && now.Before(s.IdleExpiresAt) && now.Before(s.ExpiresAt)
}

// Refreshed is the result of presenting a refresh token.
type Refreshed int

const (
	// Rotated means that a new generation has begun.
	Rotated Refreshed = iota
	// Repeated means that the token was used a moment ago. The current token is returned again, and the session does not
	// change.
	Repeated
	// Stolen means that an old token was used, which nobody should have any more; the session is revoked.
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

// withinGrace returns the retirements that are still within the grace period; they are the newest ones.
func (s *Session) withinGrace(now time.Time) []time.Time {
	i := slices.IndexFunc(s.Retirements, func(t time.Time) bool { return now.Sub(t) <= refreshGrace })
	if i < 0 {
		return nil
	}
	return slices.Clone(s.Retirements[i:])
}

// Revoke ends the session. A session that has ended stays ended.
func (s *Session) Revoke(now time.Time) {
	if s.RevokedAt == nil {
		s.RevokedAt = &now
	}
}
