package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// waitBlocked waits until a call waits for what a connection has not committed.
func waitBlocked(t *testing.T, watch, by *pgx.Conn) {
	t.Helper()
	require.Eventually(t, func() bool {
		return count(t, watch, `SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`, int(by.PgConn().PID())) > 0
	}, 10*time.Second, 10*time.Millisecond, "no call waits for the change")
}

// Whoever gives, makes or adopts something while they are being removed or demoted does so before that, so that it ends with
// the rest, or not at all. The change here is one that a superuser has not committed yet.
func TestNoAuthorityIsGivenWhileItEnds(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	bot := ada.newBot(t)
	for name, test := range map[string]struct {
		call   func(g given) answer
		status int
	}{
		"accept": {func(g given) answer { return p.accept(t, g.token, password) }, http.StatusNotFound},
		"key": {func(g given) answer {
			return g.post(t, "/v1/api-keys", map[string]any{"name": "x", "role": "editor"})
		}, http.StatusForbidden},
		"subscription": {func(g given) answer {
			return g.post(t, "/v1/webhook-subscriptions", map[string]any{"url": g.hook.URL, "events": []string{"bot.updated"}})
		}, http.StatusForbidden},
		"adopt": {func(g given) answer {
			return g.post(t, "/v1/webhook-subscriptions/"+g.keySub+"/adopt", nil)
		}, http.StatusForbidden},
	} {
		for _, end := range []string{
			`UPDATE workspace_members SET role = 'viewer' WHERE user_id = $1`, `DELETE FROM workspace_members WHERE user_id = $1`,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				g := ada.gives(t, "admin", bot)
				super, watch := pg.Superuser(t, p.database), pg.Superuser(t, p.database)
				tx, err := super.Begin(t.Context())
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), end, g.user)
				require.NoError(t, err)
				done := make(chan answer, 1)
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
	p := start(t)
	ada := p.register(t)
	super, watch := pg.Superuser(t, p.database), pg.Superuser(t, p.database)
	for _, wanted := range []bool{true, false} {
		bob := p.register(t)
		home := bob.workspace
		bob.workspace = ada.workspace
		p.rejoin(t, bob, "editor")
		body, ended := map[string]any{"email": bob.email, "password": password}, home
		if wanted {
			body["workspace_id"], ended = ada.workspace, ada.workspace
		}
		tx, err := super.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `DELETE FROM workspace_members WHERE user_id = $1 AND workspace_id = $2`, bob.user, ended)
		require.NoError(t, err)
		done := make(chan answer, 1)
		go func() { done <- p.anonymous().post(t, "/v1/auth/login", body) }()
		waitBlocked(t, watch, super)
		require.NoError(t, tx.Commit(t.Context()))
		in := <-done
		if wanted {
			requireCode(t, in, http.StatusForbidden, "FORBIDDEN")
			continue
		}
		require.Equal(t, http.StatusOK, in.Status, in)
		require.Equal(t, ada.workspace, in.text("workspace_id"))
	}
}
