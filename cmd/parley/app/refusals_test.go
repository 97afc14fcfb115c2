package app

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const refusals = "SELECT count(*) FROM audit_log WHERE action = 'access.refuse' AND workspace_id = $1"

// A refusal writes into the database, so it must not be free.
func TestRefusalsAreLimitedLikeAnyOtherCall(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"X-User-Id", "X-Workspace-Id"} {
		p := start(t, "RATE_LIMIT_MAX=5")
		ada := p.register(t)
		for range 5 {
			requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, header{name, "not mine"}), http.StatusForbidden, "FORBIDDEN")
		}
		requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, header{name, "not mine"}), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		require.Equal(t, 5, count(t, pg.Superuser(t, p.database), refusals, ada.workspace), name)
	}
}

func TestTheTokenOfAnEndedSessionWritesNoRefusal(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	foreign := header{"X-User-Id", uuid.NewString()}
	require.Equal(t, http.StatusForbidden, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, foreign).Status)
	require.Equal(t, http.StatusNoContent, ada.post(t, "/v1/auth/logout", nil).Status)
	require.Equal(t, http.StatusForbidden, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, foreign).Status)
	require.Equal(t, 1, count(t, pg.Superuser(t, p.database), refusals, ada.workspace))
}

func TestAnIDInAHeaderHasOneSpelling(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	for _, spelling := range []string{"x" + ada.user + "x", "{" + ada.user + "}", "urn:uuid:" + ada.user} {
		requireCode(t, ada.get(t, "/v1/auth/me", header{"X-User-Id", spelling}), http.StatusForbidden, "FORBIDDEN")
	}
	for _, spelling := range []string{"x" + ada.workspace + "x", "{" + ada.workspace + "}", "urn:uuid:" + ada.workspace} {
		requireCode(t, ada.get(t, "/v1/auth/me", header{"X-Workspace-Id", spelling}), http.StatusForbidden, "FORBIDDEN")
	}
}
