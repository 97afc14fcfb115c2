package app

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
)

// logInAgain opens a session of the caller and uses its tokens from now on.
func (c *caller) logInAgain(t *testing.T) answer {
	t.Helper()
	a := c.anonymous().post(t, "/v1/auth/login", map[string]any{"email": c.email, "password": password})
	require.Equal(t, http.StatusOK, a.Status, a)
	c.take(a)
	return a
}

// only makes somebody a member of a workspace who is in no other.
func (p *program) only(t *testing.T, owner *caller, role string) *caller {
	t.Helper()
	c := &caller{program: p, email: "u" + uuid.NewString() + "@example.com"}
	_, token := owner.invite(t, c.email, role)
	a := p.accept(t, token, password)
	require.Equal(t, http.StatusOK, a.Status, a)
	c.take(a)
	return c
}

// homeless is somebody who was removed from the only workspace, and has logged in since.
func (p *program) homeless(t *testing.T) *caller {
	t.Helper()
	ada := p.register(t)
	bob := p.only(t, ada, "editor")
	require.Equal(t, http.StatusOK, ada.delete(t, "/v1/members/"+bob.user).Status)
	requireCode(t, bob.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, bob.anonymous().post(t, "/v1/auth/refresh", map[string]any{"refresh_token": bob.refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
	a := bob.logInAgain(t)
	require.Contains(t, a.Body, "workspace_id")
	require.Nil(t, a.Body["workspace_id"])
	return bob
}

func (c *caller) refreshed(t *testing.T) answer {
	t.Helper()
	return c.anonymous().post(t, "/v1/auth/refresh", map[string]any{"refresh_token": c.refresh})
}

func TestWhoIsInNoWorkspaceCanGetOne(t *testing.T) {
	t.Parallel()
	p := start(t)
	bob := p.homeless(t)
	me := bob.get(t, "/v1/auth/me")
	require.Equal(t, http.StatusOK, me.Status, me)
	require.Equal(t, []any{bob.user, bob.email, nil, nil, nil, []any{}}, []any{
		me.Body["user_id"], me.Body["email"], me.Body["workspace_id"], me.Body["workspace_name"], me.Body["role"], me.Body["memberships"],
	})
	require.Equal(t, bob.user, me.Header.Get("X-User-Id"))
	require.Empty(t, me.Header.Get("X-Workspace-Id"))
	session := me.text("session_id")

	earlier := *bob
	again := bob.refreshed(t)
	require.Equal(t, http.StatusOK, again.Status, again)
	require.Nil(t, again.Body["workspace_id"], again)
	bob.take(again)
	require.Equal(t, http.StatusOK, bob.get(t, "/v1/auth/me").Status)
	require.Equal(t, again.text("refresh_token"), earlier.refreshed(t).text("refresh_token"), "within its grace")

	op := operation(uuid.NewString())
	made := bob.post(t, "/v1/workspaces", map[string]any{"name": "Mine"}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, made.Raw, bob.post(t, "/v1/workspaces", map[string]any{"name": "Mine"}, op).Raw, "once")
	require.Len(t, bob.get(t, "/v1/auth/me").Body["memberships"], 1)
	requireCode(t, bob.get(t, "/v1/bots"), http.StatusForbidden, "NO_WORKSPACE")
	requireCode(t, bob.get(t, "/v1/auth/me", header{"X-Workspace-Id", made.text("id")}), http.StatusForbidden, "NO_WORKSPACE")

	spent := *bob
	settled := bob.refreshed(t)
	require.Equal(t, http.StatusOK, settled.Status, settled)
	require.Equal(t, made.text("id"), settled.text("workspace_id"))
	bob.take(settled)
	me = bob.get(t, "/v1/auth/me")
	require.Equal(t, []string{session, "owner", "Mine"}, []string{me.text("session_id"), me.text("role"), me.text("workspace_name")})
	require.Equal(t, http.StatusCreated, bob.post(t, "/v1/bots", map[string]any{"name": "Support"}).Status)
	require.Equal(t, settled.text("refresh_token"), spent.refreshed(t).text("refresh_token"), "within its grace, though the session has moved")
	requireCode(t, spent.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusOK, bob.get(t, "/v1/bots").Status)
	p.sql(t, `UPDATE sessions SET retirements = '{}' WHERE id = $1`, session)
	requireCode(t, spent.refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, bob.get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'session.open'`, made.text("id")))
	require.Equal(t, []string{"session.open", "session.refresh", "session.refresh"}, slices.DeleteFunc(
		bob.texts(t, `SELECT action FROM account_events WHERE user_id = $1 ORDER BY id`, bob.user), func(action string) bool { return action == "access.refuse" }),
		"what happened outside of any workspace")
}

func TestAnInvitationLetsSomebodyInWhoWasInNoWorkspace(t *testing.T) {
	t.Parallel()
	p := start(t)
	bob, ada := p.homeless(t), p.register(t)
	_, token := ada.invite(t, bob.email, "viewer")
	in := p.accept(t, token, password)
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Equal(t, ada.workspace, in.text("workspace_id"))
	settled := bob.refreshed(t)
	require.Equal(t, ada.workspace, settled.text("workspace_id"), settled)
	bob.take(settled)
	require.Equal(t, "viewer", bob.get(t, "/v1/auth/me").text("role"))
	require.Len(t, bob.get(t, "/v1/auth/sessions").items(), 2, "that of the invitation, and this one")
}

func TestASessionWithoutAWorkspaceEndsLikeAnyOther(t *testing.T) {
	t.Parallel()
	p := start(t)
	ended := func(t *testing.T, c *caller) {
		t.Helper()
		requireCode(t, c.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		requireCode(t, c.post(t, "/v1/workspaces", map[string]any{"name": "x"}), http.StatusUnauthorized, "UNAUTHORIZED")
		requireCode(t, c.post(t, "/v1/auth/logout", nil), http.StatusUnauthorized, "UNAUTHORIZED")
		requireCode(t, c.refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	for name, end := range map[string]string{
		"revoked": `UPDATE account_sessions SET revoked_at = now() WHERE user_id = $1`,
		"idle":    `UPDATE account_sessions SET idle_expires_at = now() WHERE user_id = $1`,
		"too old": `UPDATE account_sessions SET expires_at = now() WHERE user_id = $1`,
		"gone":    `DELETE FROM account_sessions WHERE user_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bob := p.homeless(t)
			p.sql(t, end, bob.user)
			ended(t, bob)
			bob.logInAgain(t)
			require.Equal(t, http.StatusOK, bob.get(t, "/v1/auth/me").Status)
		})
	}
	t.Run("logged out", func(t *testing.T) {
		t.Parallel()
		bob := p.homeless(t)
		other := *bob
		other.logInAgain(t)
		require.Equal(t, http.StatusNoContent, bob.post(t, "/v1/auth/logout", nil).Status)
		ended(t, bob)
		require.Equal(t, http.StatusOK, other.get(t, "/v1/auth/me").Status)
	})
	t.Run("stolen", func(t *testing.T) {
		t.Parallel()
		bob := p.homeless(t)
		thief := *bob
		bob.take(bob.refreshed(t))
		p.sql(t, `UPDATE account_sessions SET retirements = '{}' WHERE user_id = $1`, bob.user)
		requireCode(t, thief.refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
		ended(t, bob)
		require.Equal(t, 1, p.number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'session.revoke_stolen'`, bob.user))
	})
	for name, all := range map[string]func(t *testing.T, c *caller) answer{
		"all others": func(t *testing.T, c *caller) answer {
			t.Helper()
			return c.post(t, "/v1/auth/logout-all", nil)
		},
		"password": func(t *testing.T, c *caller) answer {
			t.Helper()
			return c.put(t, "/v1/auth/password", map[string]any{"current_password": password, "new_password": "staple the right horse"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bob, ada := p.homeless(t), p.register(t)
			_, token := ada.invite(t, bob.email, "viewer")
			in := &caller{program: p}
			in.take(p.accept(t, token, password))
			require.Less(t, all(t, in).Status, 300)
			requireCode(t, bob.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
			requireCode(t, bob.refreshed(t), http.StatusUnauthorized, "UNAUTHORIZED")
		})
	}
}

func TestOnlyWhatTheDocumentSaysIsForSomebodyInNoWorkspace(t *testing.T) {
	t.Parallel()
	p := start(t)
	bob := p.homeless(t)
	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	require.NoError(t, err)
	const left = `SELECT (SELECT count(*) FROM audit_log WHERE user_id = $1) + (SELECT count(*) FROM operations WHERE actor_id = $1)
		+ (SELECT count(*) FROM workspace_members WHERE user_id = $1)`
	before := p.number(t, left, bob.user)
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
			requireCode(t, bob.call(t, method, path, body), http.StatusForbidden, "NO_WORKSPACE")
			requireCode(t, bob.call(t, method, path, body, header{"X-Workspace-Id", uuid.Nil.String()}), http.StatusForbidden, "NO_WORKSPACE")
			if walked++; method != http.MethodGet {
				changes += 2
			}
		}
	}
	require.ElementsMatch(t, []string{"getMe", "createWorkspace", "logout"}, allowed)
	require.Greater(t, walked, 60, "the walk has missed calls")
	require.Equal(t, changes, p.number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'access.refuse' AND reason = 'NO_WORKSPACE'`, bob.user))
	require.Equal(t, before, p.number(t, left, bob.user), "a refused call has left something in a workspace")
	requireCode(t, bob.get(t, "/v1/auth/me", header{"X-User-Id", uuid.NewString()}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusCreated, bob.post(t, "/v1/workspaces", map[string]any{"name": "x"}).Status)
	require.Equal(t, http.StatusNoContent, bob.post(t, "/v1/auth/logout", nil).Status)
	requireCode(t, bob.get(t, "/v1/bots"), http.StatusForbidden, "NO_WORKSPACE")
	require.Equal(t, changes, p.number(t, `SELECT count(*) FROM account_events WHERE user_id = $1 AND action = 'access.refuse' AND reason = 'NO_WORKSPACE'`, bob.user))
	require.NotContains(t, p.log.String(), `"level":"ERROR"`)
}

// Nobody is locked out, however the last workspace ended.
func TestTheLastWorkspaceMayEndInAnyWay(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=100ms")
	t.Run("left", func(t *testing.T) {
		t.Parallel()
		ada := p.register(t)
		p.join(t, ada, "owner")
		require.Equal(t, http.StatusNoContent, ada.post(t, "/v1/workspaces/"+ada.workspace+"/leave", nil).Status)
		requireCode(t, ada.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		ada.logInAgain(t)
		require.Equal(t, http.StatusOK, ada.get(t, "/v1/auth/me").Status)
	})
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		ada := p.register(t)
		bob := p.only(t, ada, "editor")
		require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/workspaces/"+ada.workspace).Status)
		for _, c := range []*caller{ada, bob} {
			me := c.get(t, "/v1/auth/me")
			require.Equal(t, http.StatusOK, me.Status, "the session of the deleted workspace goes on: %s", me)
			c.logInAgain(t)
			require.Equal(t, ada.workspace, c.workspace, "it may be restored")
			require.Equal(t, http.StatusCreated, c.post(t, "/v1/workspaces", map[string]any{"name": "New"}).Status)
		}
	})
	t.Run("purged", func(t *testing.T) {
		t.Parallel()
		ada := p.register(t)
		bob := p.only(t, ada, "editor")
		second := bob.post(t, "/v1/workspaces", map[string]any{"name": "Second"}).text("id")
		require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/workspaces/"+ada.workspace).Status)
		p.sql(t, `UPDATE workspaces SET deleted_at = now() - interval '31 days' WHERE id = $1`, ada.workspace)
		require.Eventually(t, func() bool {
			return p.number(t, `SELECT count(*) FROM workspaces WHERE id = $1`, ada.workspace) == 0
		}, time.Minute, 20*time.Millisecond)
		requireCode(t, bob.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
		bob.logInAgain(t)
		require.Equal(t, second, bob.workspace)
		requireCode(t, p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password}), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	})
}

func TestTheSessionsOfOneUserInNoWorkspaceAreFew(t *testing.T) {
	t.Parallel()
	p := start(t)
	bob := p.homeless(t)
	p.sql(t, `INSERT INTO account_sessions (user_id, id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, user_agent)
		SELECT $1, gen_random_uuid(), 1, now(), 'k', now() + interval '1 day', now() + interval '1 day', now() - n * interval '1 minute', '' FROM generate_series(1, 200) n`, bob.user)
	p.sql(t, `INSERT INTO account_sessions (user_id, id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, user_agent)
		SELECT $1, gen_random_uuid(), 1, now(), 'k', now(), now() + interval '1 day', now(), '' FROM generate_series(1, 3) n`, bob.user)
	first := *bob
	bob.logInAgain(t)
	require.Equal(t, 100, p.number(t, `SELECT count(*) FROM account_sessions WHERE user_id = $1`, bob.user))
	require.Equal(t, http.StatusOK, first.get(t, "/v1/auth/me").Status, "the newest stay")
}
