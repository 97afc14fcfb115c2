package domain_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const idle = 14 * 24 * time.Hour

func opened() domain.Session {
	return domain.NewSession(uuid.New(), uuid.New(), "k1", domain.Client{}, idle, start)
}

// Each step presents a token some time after the session was opened.
func TestWhatComesOfPresentingARefreshToken(t *testing.T) {
	t.Parallel()
	type step struct {
		after      time.Duration
		generation int
		want       domain.Refreshed
		current    int // generation after it
	}
	const s, h = time.Second, time.Hour
	tests := map[string][]step{
		"the current one rotates":               {{h, 1, domain.Rotated, 2}, {2 * h, 2, domain.Rotated, 3}},
		"the one before, at once":               {{h, 1, domain.Rotated, 2}, {h, 1, domain.Repeated, 2}},
		"the one before, just within grace":     {{h, 1, domain.Rotated, 2}, {h + 10*s, 1, domain.Repeated, 2}},
		"the one before, just after grace":      {{h, 1, domain.Rotated, 2}, {h + 10*s + 1, 1, domain.Stolen, 2}},
		"grace is not prolonged by its use":     {{h, 1, domain.Rotated, 2}, {h + 9*s, 1, domain.Repeated, 2}, {h + 11*s, 1, domain.Stolen, 2}},
		"repeating moves nothing":               {{h, 1, domain.Rotated, 2}, {h + s, 1, domain.Repeated, 2}, {h + 2*s, 2, domain.Rotated, 3}},
		"two rotations within grace":            {{h, 1, domain.Rotated, 2}, {h + 4*s, 2, domain.Rotated, 3}, {h + 9*s, 1, domain.Repeated, 3}, {h + 9*s, 2, domain.Repeated, 3}},
		"each generation has its own grace":     {{h, 1, domain.Rotated, 2}, {h + 8*s, 2, domain.Rotated, 3}, {h + 12*s, 2, domain.Repeated, 3}, {h + 12*s, 1, domain.Stolen, 3}},
		"three rotations within grace":          {{h, 1, domain.Rotated, 2}, {h + s, 2, domain.Rotated, 3}, {h + 2*s, 3, domain.Rotated, 4}, {h + 3*s, 1, domain.Repeated, 4}},
		"one that is long spent":                {{h, 1, domain.Rotated, 2}, {2 * h, 2, domain.Rotated, 3}, {2*h + s, 1, domain.Stolen, 3}},
		"one that was never given":              {{h, 2, domain.Stolen, 1}},
		"generation zero":                       {{h, 0, domain.Stolen, 1}},
		"a negative generation":                 {{h, 1, domain.Rotated, 2}, {h, -1, domain.Stolen, 2}},
		"one from before, by a clock gone back": {{h, 1, domain.Rotated, 2}, {h - 5*s, 1, domain.Repeated, 2}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := opened()
			for i, step := range steps {
				now := start.Add(step.after)
				require.True(t, session.Alive(now))
				before := session
				require.Equal(t, step.want, session.Refresh(step.generation, "k2", idle, now), "step %d", i)
				require.Equal(t, step.current, session.Generation)
				switch step.want {
				case domain.Rotated:
					require.Equal(t, now, session.RotatedAt)
					require.Equal(t, now.Add(idle), session.IdleExpiresAt)
					require.Equal(t, "k2", session.KeyID)
				case domain.Repeated:
					require.Equal(t, before, session, "something moved")
				case domain.Stolen:
					require.False(t, session.Alive(now), "a stolen session lives on")
					require.Equal(t, &now, session.RevokedAt)
				}
			}
		})
	}
}

func TestRetirementsDoNotGrow(t *testing.T) {
	t.Parallel()
	session := opened()
	for i := range 100 {
		session.Refresh(session.Generation, "k", idle, start.Add(time.Duration(i)*time.Minute))
		require.Len(t, session.Retirements, 1)
	}
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	session := opened()
	require.True(t, session.Alive(start.Add(idle-1)))
	require.False(t, session.Alive(start.Add(idle)), "unused for too long")

	now := start
	for session.Alive(now.Add(idle - time.Hour)) { // used as long as it can be
		now = now.Add(idle - time.Hour)
		require.Equal(t, domain.Rotated, session.Refresh(session.Generation, "k", idle, now))
	}
	require.Equal(t, start.Add(domain.SessionLife), session.IdleExpiresAt, "the last refresh goes no further than the end")
	require.False(t, session.Alive(start.Add(domain.SessionLife)), "older than any session may get")

	session = opened()
	session.Revoke(start.Add(time.Hour))
	require.False(t, session.Alive(start.Add(time.Hour)))
	session.Revoke(start.Add(2 * time.Hour))
	require.Equal(t, start.Add(time.Hour), *session.RevokedAt, "once ended it stays so")
}
