package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// invite invites somebody and gives the token.
func (c *caller) invite(t *testing.T, email, role string) (id, token string) {
	t.Helper()
	a := c.post(t, "/v1/invitations", map[string]any{"email": email, "role": role})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.text("id"), a.text("token")
}

func (p *program) accept(t *testing.T, token, word string, headers ...header) answer {
	t.Helper()
	return p.anonymous().post(t, "/v1/invitations/accept", map[string]any{"token": token, "password": word}, headers...)
}

func TestU14InvitePeopleWithRoles(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, bob := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	op := operation(uuid.NewString())
	invited := ada.post(t, "/v1/invitations", map[string]any{"email": "Grace@Example.com", "role": "editor"}, op)
	require.Equal(t, http.StatusCreated, invited.Status, invited)
	require.Equal(t, invited.Raw, ada.post(t, "/v1/invitations", map[string]any{"email": "Grace@Example.com", "role": "editor"}, op).Raw)
	token := invited.text("token")
	require.Eventually(t, func() bool {
		jobs := ada.get(t, "/v1/jobs?kind=mail.send").items()
		return len(jobs) == 1 && jobs[0]["status"] == "done"
	}, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM job_queue WHERE kind = 'mail.send'`))
	requireNowhere(t, super, token)

	// somebody new
	accepting := operation(uuid.NewString())
	in := p.accept(t, token, password, accepting)
	require.Equal(t, http.StatusOK, in.Status, in)
	grace := &caller{program: p, email: "grace@example.com"}
	grace.take(in)
	require.Equal(t, ada.workspace, grace.workspace)
	require.Equal(t, "editor", grace.get(t, "/v1/auth/me").text("role"))
	require.Equal(t, http.StatusCreated, grace.post(t, "/v1/bots", map[string]any{"name": "x"}).Status)
	again := p.accept(t, token, password, accepting)
	require.Equal(t, grace.user, again.text("user_id"), "a lost answer: %s", again)
	requireCode(t, p.accept(t, token, "another password", accepting), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	requireCode(t, p.accept(t, token, password), http.StatusConflict, "INVITATION_USED")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM users WHERE email = 'grace@example.com'`))

	// somebody who has an account
	_, token = ada.invite(t, bob.email, "viewer")
	requireCode(t, p.accept(t, token, "wrong password"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	in = p.accept(t, token, password)
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Equal(t, bob.user, in.text("user_id"))
	require.Equal(t, ada.workspace, in.text("workspace_id"))
	require.Len(t, bob.get(t, "/v1/workspaces").items(), 2)
	require.Len(t, ada.get(t, "/v1/members").items(), 3)
	list := ada.get(t, "/v1/invitations").items()
	require.Len(t, list, 2)
	require.NotNil(t, list[0]["accepted_at"])
	require.NotContains(t, p.log.String(), token)
	require.Contains(t, p.log.String(), "a letter was not sent")
}

func TestAnInvitationThatIsNoneLetsNobodyIn(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_MEMBERS=3", "WORKERS=0")
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	admin := p.join(t, ada, "admin")
	body := func(email, role string) map[string]any { return map[string]any{"email": email, "role": role} }
	requireWrong(t, ada.post(t, "/v1/invitations", body("a@example.com", "king")), "role")
	requireWrong(t, ada.post(t, "/v1/invitations", body("nobody", "viewer")), "email")
	requireCode(t, ada.post(t, "/v1/invitations", body(admin.email, "viewer")), http.StatusConflict, "ALREADY_MEMBER")
	requireCode(t, admin.post(t, "/v1/invitations", body("a@example.com", "owner")), http.StatusForbidden, "ROLE_TOO_HIGH")
	requireCode(t, p.accept(t, "inv_x", password), http.StatusNotFound, "INVITATION_NOT_FOUND")

	id, revoked := ada.invite(t, "a@example.com", "viewer")
	requireCode(t, eve.delete(t, "/v1/invitations/"+id), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/invitations/"+id).Status)
	requireCode(t, ada.delete(t, "/v1/invitations/"+id), http.StatusNotFound, "INVITATION_NOT_FOUND")
	requireCode(t, p.accept(t, revoked, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	_, replaced := ada.invite(t, "a@example.com", "viewer")
	id, expired := ada.invite(t, "a@example.com", "viewer")
	requireCode(t, p.accept(t, replaced, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	_, err := super.Exec(t.Context(), `UPDATE invitations SET expires_at = now() WHERE id = $1`, id)
	require.NoError(t, err)
	requireCode(t, p.accept(t, expired, password), http.StatusConflict, "INVITATION_EXPIRED")

	_, token := ada.invite(t, "b@example.com", "viewer")
	requireWrong(t, p.accept(t, token, "short"), "password")
	accepted := 0
	for _, a := range atOnce(8, func() answer { return p.accept(t, token, password) }) {
		if a.Status == http.StatusOK {
			accepted++
		} else {
			require.Contains(t, []int{http.StatusConflict, http.StatusForbidden}, a.Status, a)
		}
	}
	require.Equal(t, 1, accepted, "a token is good once")
	_, token = ada.invite(t, "c@example.com", "viewer")
	full := p.accept(t, token, password)
	requireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "members", full.text("details.metric"))
	require.Equal(t, 0, count(t, super, `SELECT count(*) FROM users WHERE email = 'c@example.com'`), "an account is left behind")

	_, token = eve.invite(t, ada.email, "viewer")
	_, err = super.Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, 'viewer', now())`, eve.workspace, ada.user)
	require.NoError(t, err)
	requireCode(t, p.accept(t, token, password), http.StatusConflict, "ALREADY_MEMBER")
}
