package accounts

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestU14InvitePeopleWithRoles(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, bob := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	op := harness.Operation(uuid.NewString())
	invited := ada.Post(t, "/v1/invitations", map[string]any{"email": "Grace@Example.com", "role": "editor"}, op)
	require.Equal(t, http.StatusCreated, invited.Status, invited)
	require.Equal(t, invited.Raw, ada.Post(t, "/v1/invitations", map[string]any{"email": "Grace@Example.com", "role": "editor"}, op).Raw)
	token := invited.Text("token")
	require.Eventually(t, func() bool {
		jobs := ada.Get(t, "/v1/jobs?kind=mail.send").Items()
		return len(jobs) == 1 && jobs[0]["status"] == "done"
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM job_queue WHERE kind = 'mail.send'`))
	harness.RequireNowhere(t, super, token)

	// somebody new
	accepting := harness.Operation(uuid.NewString())
	in := p.Accept(t, token, harness.Password, accepting)
	require.Equal(t, http.StatusOK, in.Status, in)
	grace := &harness.Caller{Program: p, Email: "grace@example.com"}
	grace.Take(in)
	require.Equal(t, ada.Workspace, grace.Workspace)
	require.Equal(t, "editor", grace.Get(t, "/v1/auth/me").Text("role"))
	require.Equal(t, http.StatusCreated, grace.Post(t, "/v1/bots", map[string]any{"name": "x"}).Status)
	again := p.Accept(t, token, harness.Password, accepting)
	require.Equal(t, grace.User, again.Text("user_id"), "a lost answer: %s", again)
	harness.RequireCode(t, p.Accept(t, token, "another password", accepting), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	harness.RequireCode(t, p.Accept(t, token, harness.Password), http.StatusConflict, "INVITATION_USED")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM users WHERE email = 'grace@example.com'`))

	// somebody who has an account
	_, token = ada.Invite(t, bob.Email, "viewer")
	harness.RequireCode(t, p.Accept(t, token, "wrong password"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	in = p.Accept(t, token, harness.Password)
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Equal(t, bob.User, in.Text("user_id"))
	require.Equal(t, ada.Workspace, in.Text("workspace_id"))
	require.Len(t, bob.Get(t, "/v1/workspaces").Items(), 2)
	require.Len(t, ada.Get(t, "/v1/members").Items(), 3)
	list := ada.Get(t, "/v1/invitations").Items()
	require.Len(t, list, 2)
	require.NotNil(t, list[0]["accepted_at"])
	require.NotContains(t, p.Log.String(), token)
	require.Contains(t, p.Log.String(), "email not sent")
}

func TestAnInvitationThatIsNoneLetsNobodyIn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_MEMBERS=3", "WORKERS=0")
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	admin := p.Join(t, ada, "admin")
	body := func(email, role string) map[string]any { return map[string]any{"email": email, "role": role} }
	harness.RequireWrong(t, ada.Post(t, "/v1/invitations", body("a@example.com", "king")), "role")
	harness.RequireWrong(t, ada.Post(t, "/v1/invitations", body("nobody", "viewer")), "email")
	harness.RequireCode(t, ada.Post(t, "/v1/invitations", body(admin.Email, "viewer")), http.StatusConflict, "ALREADY_MEMBER")
	harness.RequireCode(t, admin.Post(t, "/v1/invitations", body("a@example.com", "owner")), http.StatusForbidden, "ROLE_TOO_HIGH")
	harness.RequireCode(t, p.Accept(t, "inv_x", harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")

	id, revoked := ada.Invite(t, "a@example.com", "viewer")
	harness.RequireCode(t, eve.Delete(t, "/v1/invitations/"+id), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/invitations/"+id).Status)
	harness.RequireCode(t, ada.Delete(t, "/v1/invitations/"+id), http.StatusNotFound, "INVITATION_NOT_FOUND")
	harness.RequireCode(t, p.Accept(t, revoked, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	_, replaced := ada.Invite(t, "a@example.com", "viewer")
	id, expired := ada.Invite(t, "a@example.com", "viewer")
	harness.RequireCode(t, p.Accept(t, replaced, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	_, err := super.Exec(t.Context(), `UPDATE invitations SET expires_at = now() WHERE id = $1`, id)
	require.NoError(t, err)
	harness.RequireCode(t, p.Accept(t, expired, harness.Password), http.StatusConflict, "INVITATION_EXPIRED")

	_, token := ada.Invite(t, "b@example.com", "viewer")
	harness.RequireWrong(t, p.Accept(t, token, "short"), "password")
	accepted := 0
	for _, a := range harness.AtOnce(8, func() harness.Answer { return p.Accept(t, token, harness.Password) }) {
		if a.Status == http.StatusOK {
			accepted++
		} else {
			require.Contains(t, []int{http.StatusConflict, http.StatusForbidden}, a.Status, a)
		}
	}
	require.Equal(t, 1, accepted, "a token is good once")
	_, token = ada.Invite(t, "c@example.com", "viewer")
	full := p.Accept(t, token, harness.Password)
	harness.RequireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, "members", full.Text("details.metric"))
	require.Equal(t, 0, harness.Count(t, super, `SELECT count(*) FROM users WHERE email = 'c@example.com'`), "an account is left behind")

	_, token = eve.Invite(t, ada.Email, "viewer")
	_, err = super.Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, 'viewer', now())`, eve.Workspace, ada.User)
	require.NoError(t, err)
	harness.RequireCode(t, p.Accept(t, token, harness.Password), http.StatusConflict, "ALREADY_MEMBER")
}
