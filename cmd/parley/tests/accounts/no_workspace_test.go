package accounts

import (
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestWhoIsInNoWorkspaceCanGetOne(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	bob := p.Homeless(t)
	me := bob.Get(t, "/v1/auth/me")
	require.Equal(t, http.StatusOK, me.Status, me)
	require.Equal(t, []any{bob.User, bob.Email, nil, nil, nil, []any{}}, []any{
		me.Body["user_id"], me.Body["email"], me.Body["workspace_id"], me.Body["workspace_name"], me.Body["role"], me.Body["memberships"],
	})
	require.Equal(t, bob.User, me.Header.Get("X-User-Id"))
	require.Empty(t, me.Header.Get("X-Workspace-Id"))
	session := me.Text("session_id")

	earlier := *bob
	again := bob.Refreshed(t)
	require.Equal(t, http.StatusOK, again.Status, again)
	require.Nil(t, again.Body["workspace_id"], again)
	bob.Take(again)
	require.Equal(t, http.StatusOK, bob.Get(t, "/v1/auth/me").Status)
	require.Equal(t, again.Text("refresh_token"), earlier.Refreshed(t).Text("refresh_token"), "within its grace")

	op := harness.Operation(uuid.NewString())
	made := bob.Post(t, "/v1/workspaces", map[string]any{"name": "Mine"}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, made.Raw, bob.Post(t, "/v1/workspaces", map[string]any{"name": "Mine"}, op).Raw, "once")
	require.Len(t, bob.Get(t, "/v1/auth/me").Body["memberships"], 1)
	harness.RequireCode(t, bob.Get(t, "/v1/bots"), http.StatusForbidden, "NO_WORKSPACE")
	harness.RequireCode(t, bob.Get(t, "/v1/auth/me", harness.Header{Name: "X-Workspace-Id", Value: made.Text("id")}), http.StatusForbidden, "NO_WORKSPACE")

	spent := *bob
	settled := bob.Refreshed(t)
	require.Equal(t, http.StatusOK, settled.Status, settled)
	require.Equal(t, made.Text("id"), settled.Text("workspace_id"))
	bob.Take(settled)
	me = bob.Get(t, "/v1/auth/me")
	require.Equal(t, []string{session, "owner", "Mine"}, []string{me.Text("session_id"), me.Text("role"), me.Text("workspace_name")})
	require.Equal(t, http.StatusCreated, bob.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Status)
	require.Equal(t, settled.Text("refresh_token"), spent.Refreshed(t).Text("refresh_token"), "within its grace, though the session has moved")
	harness.RequireCode(t, spent.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusOK, bob.Get(t, "/v1/bots").Status)
	p.SQL(t, `UPDATE sessions SET retirements = '{}' WHERE id = $1`, session)
	harness.RequireCode(t, spent.Refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, bob.Get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'session.open'`, made.Text("id")))
	require.Equal(t, []string{"session.open", "session.refresh", "session.refresh"}, slices.DeleteFunc(
		bob.Texts(t, `SELECT action FROM account_events WHERE user_id = $1 ORDER BY id`, bob.User), func(action string) bool { return action == "access.refuse" }),
		"what happened outside of any workspace")
}

func TestAnInvitationLetsSomebodyInWhoWasInNoWorkspace(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	bob, ada := p.Homeless(t), p.Register(t)
	_, token := ada.Invite(t, bob.Email, "viewer")
	in := p.Accept(t, token, harness.Password)
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Equal(t, ada.Workspace, in.Text("workspace_id"))
	settled := bob.Refreshed(t)
	require.Equal(t, ada.Workspace, settled.Text("workspace_id"), settled)
	bob.Take(settled)
	require.Equal(t, "viewer", bob.Get(t, "/v1/auth/me").Text("role"))
	require.Len(t, bob.Get(t, "/v1/auth/sessions").Items(), 2, "that of the invitation, and this one")
}

func TestASessionWithoutAWorkspaceEndsLikeAnyOther(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ended := func(t *testing.T, c *harness.Caller) {
		t.Helper()
		harness.RequireCode(t, c.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, c.Post(t, "/v1/workspaces", map[string]any{"name": "x"}), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, c.Post(t, "/v1/auth/logout", nil), http.StatusUnauthorized, "UNAUTHORIZED")
		harness.RequireCode(t, c.Refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	for name, end := range map[string]string{
		"revoked": `UPDATE account_sessions SET revoked_at = now() WHERE user_id = $1`,
		"idle":    `UPDATE account_sessions SET idle_expires_at = now() WHERE user_id = $1`,
		"too old": `UPDATE account_sessions SET expires_at = now() WHERE user_id = $1`,
		"gone":    `DELETE FROM account_sessions WHERE user_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bob := p.Homeless(t)
			p.SQL(t, end, bob.User)
			ended(t, bob)
			bob.LogInAgain(t)
			require.Equal(t, http.StatusOK, bob.Get(t, "/v1/auth/me").Status)
		})
	}
	t.Run("logged out", func(t *testing.T) {
		t.Parallel()
		bob := p.Homeless(t)
		other := *bob
		other.LogInAgain(t)
		require.Equal(t, http.StatusNoContent, bob.Post(t, "/v1/auth/logout", nil).Status)
		ended(t, bob)
		require.Equal(t, http.StatusOK, other.Get(t, "/v1/auth/me").Status)
	})
	t.Run("stolen", func(t *testing.T) {
		t.Parallel()
		bob := p.Homeless(t)
		thief := *bob
		bob.Take(bob.Refreshed(t))
		p.SQL(t, `UPDATE account_sessions SET retirements = '{}' WHERE user_id = $1`, bob.User)
		harness.RequireCode(t, thief.Refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
		ended(t, bob)
		require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'session.revoke_stolen'`, bob.User))
	})
	for name, all := range map[string]func(t *testing.T, c *harness.Caller) harness.Answer{
		"all others": func(t *testing.T, c *harness.Caller) harness.Answer {
			t.Helper()
			return c.Post(t, "/v1/auth/logout-all", nil)
		},
		"password": func(t *testing.T, c *harness.Caller) harness.Answer {
			t.Helper()
			return c.Put(t, "/v1/auth/password", map[string]any{"current_password": harness.Password, "new_password": "staple the right horse"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bob, ada := p.Homeless(t), p.Register(t)
			_, token := ada.Invite(t, bob.Email, "viewer")
			in := &harness.Caller{Program: p}
			in.Take(p.Accept(t, token, harness.Password))
			require.Less(t, all(t, in).Status, 300)
			harness.RequireCode(t, bob.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
			harness.RequireCode(t, bob.Refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
		})
	}
}

func TestOnlyWhatTheDocumentSaysIsForSomebodyInNoWorkspace(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	bob := p.Homeless(t)
	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	require.NoError(t, err)
	const left = `SELECT (SELECT count(*) FROM audit_log WHERE user_id = $1) + (SELECT count(*) FROM operations WHERE actor_id = $1)
		+ (SELECT count(*) FROM workspace_members WHERE user_id = $1)`
	before := p.Number(t, left, bob.User)
	var allowed []string
	walked, changes := 0, 0
	for template, item := range document.Paths.Map() {
		path := regexp.MustCompile(`{\w+_id}`).ReplaceAllString(template, uuid.NewString())
		path = regexp.MustCompile(`{\w+}`).ReplaceAllString(path, "1")
		for method, operation := range item.Operations() {
			if operation.Security != nil && len(*operation.Security) == 0 {
				continue // a call without a token
			}
			if _, ok := operation.Extensions["x-without-workspace"]; ok {
				allowed = append(allowed, operation.OperationID)
				continue
			}
			var body any
			if method != http.MethodGet && method != http.MethodDelete {
				body = map[string]any{}
				if sample, ok := samples[operation.OperationID]; ok {
					body = sample
				}
			}
			harness.RequireCode(t, bob.Call(t, method, path, body), http.StatusForbidden, "NO_WORKSPACE")
			harness.RequireCode(t, bob.Call(t, method, path, body, harness.Header{Name: "X-Workspace-Id", Value: uuid.Nil.String()}), http.StatusForbidden, "NO_WORKSPACE")
			if walked++; method != http.MethodGet {
				changes += 2
			}
		}
	}
	require.ElementsMatch(t, []string{"getMe", "createWorkspace", "logout", "verifyEmail", "resendVerification", "listSessions", "endSession",
		"listIdentities", "unlinkIdentity", "reauthenticate", "getFactors",
		"createTotp", "confirmTotp", "deleteTotp", "createRecoveryCodes", "deleteMe", "exportMe"}, allowed)
	require.Greater(t, walked, 60, "the walk has missed calls")
	require.Equal(t, changes, p.Number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'access.refuse' AND reason = 'NO_WORKSPACE'`, bob.User))
	require.Equal(t, before, p.Number(t, left, bob.User), "a refused call has left something in a workspace")
	harness.RequireCode(t, bob.Get(t, "/v1/auth/me", harness.Header{Name: "X-User-Id", Value: uuid.NewString()}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusCreated, bob.Post(t, "/v1/workspaces", map[string]any{"name": "x"}).Status)
	require.Equal(t, http.StatusNoContent, bob.Post(t, "/v1/auth/logout", nil).Status)
	harness.RequireCode(t, bob.Get(t, "/v1/bots"), http.StatusForbidden, "NO_WORKSPACE")
	require.Equal(t, changes, p.Number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'access.refuse' AND reason = 'NO_WORKSPACE'`, bob.User))
	require.NotContains(t, p.Log.String(), `"level":"ERROR"`)
}

// Nobody is locked out, however the last workspace ended.
func TestTheLastWorkspaceMayEndInAnyWay(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	t.Run("left", func(t *testing.T) {
		t.Parallel()
		ada := p.Register(t)
		p.Join(t, ada, "owner")
		require.Equal(t, http.StatusNoContent, ada.Post(t, "/v1/workspaces/"+ada.Workspace+"/leave", nil).Status)
		harness.RequireCode(t, ada.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		ada.LogInAgain(t)
		require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status)
	})
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		ada := p.Register(t)
		bob := p.Only(t, ada, "editor")
		require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/workspaces/"+ada.Workspace).Status)
		for _, c := range []*harness.Caller{ada, bob} {
			me := c.Get(t, "/v1/auth/me")
			require.Equal(t, http.StatusOK, me.Status, "the session of the deleted workspace goes on: %s", me)
			c.LogInAgain(t)
			require.Equal(t, ada.Workspace, c.Workspace, "it may be restored")
			require.Equal(t, http.StatusCreated, c.Post(t, "/v1/workspaces", map[string]any{"name": "New"}).Status)
		}
	})
	t.Run("purged", func(t *testing.T) {
		t.Parallel()
		ada := p.Register(t)
		bob := p.Only(t, ada, "editor")
		second := bob.Post(t, "/v1/workspaces", map[string]any{"name": "Second"}).Text("id")
		require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/workspaces/"+ada.Workspace).Status)
		p.SQL(t, `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.Workspace)
		require.Eventually(t, func() bool {
			return p.Number(t, `SELECT count(*) FROM workspaces WHERE id = $1`, ada.Workspace) == 0
		}, time.Minute, 20*time.Millisecond)
		harness.RequireCode(t, bob.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		bob.LogInAgain(t)
		require.Equal(t, second, bob.Workspace)
		harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password}), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	})
}

func TestTheSessionsOfOneUserInNoWorkspaceAreFew(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	bob := p.Homeless(t)
	p.SQL(t, `INSERT INTO account_sessions (user_id, id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, user_agent)
		SELECT $1, gen_random_uuid(), 1, now(), 'k', now() + interval '1 day', now() + interval '1 day', now() - n * interval '1 minute', '' FROM generate_series(1, 200) n`, bob.User)
	p.SQL(t, `INSERT INTO account_sessions (user_id, id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, user_agent)
		SELECT $1, gen_random_uuid(), 1, now(), 'k', now(), now() + interval '1 day', now(), '' FROM generate_series(1, 3) n`, bob.User)
	first := *bob
	bob.LogInAgain(t)
	require.Equal(t, 100, p.Number(t, `SELECT count(*) FROM account_sessions WHERE user_id = $1`, bob.User))
	require.Equal(t, http.StatusOK, first.Get(t, "/v1/auth/me").Status, "the newest stay")
}
