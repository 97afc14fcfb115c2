package accounts

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

const refusals = "SELECT count(*) FROM audit_log WHERE action = 'access.refuse' AND workspace_id = $1"

// A refusal writes into the database, so it must not be free.
func TestRefusalsAreLimitedLikeAnyOtherCall(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"X-User-Id", "X-Workspace-Id"} {
		p := harness.Start(t, "RATE_LIMIT_MAX=5")
		ada := p.Register(t)
		for range 5 {
			harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, harness.Header{Name: name, Value: "not mine"}), http.StatusForbidden, "FORBIDDEN")
		}
		harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, harness.Header{Name: name, Value: "not mine"}), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		require.Equal(t, 5, harness.Count(t, harness.Postgres.Superuser(t, p.Database), refusals, ada.Workspace), name)
	}
}

func TestTheTokenOfAnEndedSessionWritesNoRefusal(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	foreign := harness.Header{Name: "X-User-Id", Value: uuid.NewString()}
	require.Equal(t, http.StatusForbidden, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, foreign).Status)
	require.Equal(t, http.StatusNoContent, ada.Post(t, "/v1/auth/logout", nil).Status)
	require.Equal(t, http.StatusForbidden, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, foreign).Status)
	require.Equal(t, 1, harness.Count(t, harness.Postgres.Superuser(t, p.Database), refusals, ada.Workspace))
}

func TestAnIDInAHeaderHasOneSpelling(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, spelling := range []string{"x" + ada.User + "x", "{" + ada.User + "}", "urn:uuid:" + ada.User} {
		harness.RequireCode(t, ada.Get(t, "/v1/auth/me", harness.Header{Name: "X-User-Id", Value: spelling}), http.StatusForbidden, "FORBIDDEN")
	}
	for _, spelling := range []string{"x" + ada.Workspace + "x", "{" + ada.Workspace + "}", "urn:uuid:" + ada.Workspace} {
		harness.RequireCode(t, ada.Get(t, "/v1/auth/me", harness.Header{Name: "X-Workspace-Id", Value: spelling}), http.StatusForbidden, "FORBIDDEN")
	}
}
