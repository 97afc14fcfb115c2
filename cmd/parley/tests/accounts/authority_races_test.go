package accounts

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// waitBlocked waits until a call waits for what a connection has not committed.
func waitBlocked(t *testing.T, watch, by *pgx.Conn) {
	t.Helper()
	require.Eventually(t, func() bool {
		return harness.Count(t, watch, `SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`, int(by.PgConn().PID())) > 0
	}, time.Minute, 10*time.Millisecond, "no call waits for the change")
}

// Whoever gives, makes or adopts something while they are being removed or demoted does so before that, so that it ends with
// the rest, or not at all. The change here is one that a superuser has not committed yet.
func TestNoAuthorityIsGivenWhileItEnds(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	for name, test := range map[string]struct {
		call   func(g harness.Given) harness.Answer
		status int
	}{
		"accept": {func(g harness.Given) harness.Answer { return p.Accept(t, g.Token, harness.Password) }, http.StatusNotFound},
		"key": {func(g harness.Given) harness.Answer {
			return g.Post(t, "/v1/api-keys", map[string]any{"name": "x", "role": "editor"})
		}, http.StatusForbidden},
		"subscription": {func(g harness.Given) harness.Answer {
			return g.Post(t, "/v1/webhook-subscriptions", map[string]any{"url": g.Hook.URL, "events": []string{"bot.updated"}})
		}, http.StatusForbidden},
		"adopt": {func(g harness.Given) harness.Answer {
			return g.Post(t, "/v1/webhook-subscriptions/"+g.KeySub+"/adopt", nil)
		}, http.StatusForbidden},
	} {
		for _, end := range []string{
			`UPDATE workspace_members SET role = 'viewer' WHERE user_id = $1`, `DELETE FROM workspace_members WHERE user_id = $1`,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				g := ada.Gives(t, "admin", bot)
				super, watch := harness.Postgres.Superuser(t, p.Database), harness.Postgres.Superuser(t, p.Database)
				tx, err := super.Begin(t.Context())
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), end, g.User)
				require.NoError(t, err)
				done := make(chan harness.Answer, 1)
				go func() { done <- test.call(g) }()
				waitBlocked(t, watch, super)
				require.NoError(t, tx.Commit(t.Context()))
				refused := <-done
				require.Equal(t, test.status, refused.Status, refused)
			})
		}
	}
}

func TestALogInWhileTheMembershipEndsGoesElsewhereOrIsRefused(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	super, watch := harness.Postgres.Superuser(t, p.Database), harness.Postgres.Superuser(t, p.Database)
	for _, wanted := range []bool{true, false} {
		bob := p.Register(t)
		home := bob.Workspace
		bob.Workspace = ada.Workspace
		p.Rejoin(t, bob, "editor")
		body, ended := map[string]any{"email": bob.Email, "password": harness.Password}, home
		if wanted {
			body["workspace_id"], ended = ada.Workspace, ada.Workspace
		}
		tx, err := super.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `DELETE FROM workspace_members WHERE user_id = $1 AND workspace_id = $2`, bob.User, ended)
		require.NoError(t, err)
		done := make(chan harness.Answer, 1)
		go func() { done <- p.Anonymous().Post(t, "/v1/auth/login", body) }()
		waitBlocked(t, watch, super)
		require.NoError(t, tx.Commit(t.Context()))
		in := <-done
		if wanted {
			harness.RequireCode(t, in, http.StatusForbidden, "FORBIDDEN")
			continue
		}
		require.Equal(t, http.StatusOK, in.Status, in)
		require.Equal(t, ada.Workspace, in.Text("workspace_id"))
	}
}
