package accounts

import (
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// freshCalls are the calls that need a fresh authentication of a user who has a second factor: those that change who gets in. A
// call that says x-fresh-authentication in the document needs its name here, and the other way round.
var freshCalls = []string{
	"changeEmail", "changePassword", "createTotp", "confirmTotp", "deleteTotp", "createRecoveryCodes", "createApiKey", "changeApiKey", "adoptApiKey", "changeMember", "removeMember", "createInvitation",
	"deleteWorkspace", "putSecondFactorDemand", "putRetention", "unlinkIdentity", "startExport", "deleteMe",
}

// everyFreshCall gives every call of the document that needs a fresh authentication.
func everyFreshCall(t *testing.T, workspace string, visit func(id, method, path string, alone bool)) {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	require.NoError(t, err)
	for template, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			if fresh, _ := op.Extensions["x-fresh-authentication"].(bool); !fresh {
				continue
			}
			path := regexp.MustCompile(`{workspace_id}`).ReplaceAllString(template, workspace)
			path = regexp.MustCompile(`{\w+}`).ReplaceAllString(path, uuid.NewString())
			alone, _ := op.Extensions["x-without-workspace"].(bool)
			visit(op.OperationID, method, path, alone)
		}
	}
}

// reauthenticate sends the password and a code.
func (f *factored) reauthenticate(t *testing.T, password, code string) harness.Answer {
	t.Helper()
	body := map[string]any{"password": password}
	if code != "" {
		body["code"] = code
	}
	return f.Post(t, "/v1/auth/reauthenticate", body)
}

func TestWhatChangesWhoGetsInNeedsAFreshAuthentication(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "EMAIL_VERIFICATION=off")
	ada := withFactor(t, p.Register(t))
	alone := withFactor(t, p.Homeless(t))
	bodies := bodiesOf(uuid.NewString())
	var calls []string
	call := func(c *harness.Caller, id, method, path string) harness.Answer {
		var body any
		if method != http.MethodDelete || id == "deleteMe" {
			if body = bodies[id]; body == nil {
				body = samples[id]
			}
		}
		return c.Call(t, method, path, body)
	}
	visit := func(refused bool) func(id, method, path string, alone bool) {
		return func(id, method, path string, without bool) {
			calls = append(calls, id)
			if !refused && (id == "deleteWorkspace" || id == "deleteTotp") {
				return // it would end the walk
			}
			callers := []*harness.Caller{ada.Caller}
			if without {
				callers = append(callers, alone.Caller)
			}
			for _, c := range callers {
				a := call(c, id, method, path)
				if refused {
					harness.RequireCode(t, a, http.StatusForbidden, "REAUTHENTICATION_REQUIRED")
					continue
				}
				require.NotEqual(t, http.StatusForbidden, a.Status, "%s: %s", id, a)
			}
		}
	}
	everyFreshCall(t, ada.Workspace, visit(false))
	require.ElementsMatch(t, freshCalls, calls)
	stale(t, ada.Caller)
	stale(t, alone.Caller)
	everyFreshCall(t, ada.Workspace, visit(true))

	// a refresh does not make the session fresh
	ada.Take(ada.Refreshed(t))
	alone.Take(alone.Refreshed(t))
	everyFreshCall(t, ada.Workspace, visit(true))
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/bots").Status, "all else goes on")

	for _, f := range []*factored{ada, alone} {
		a := f.reauthenticate(t, harness.Password, f.code(t))
		require.Equal(t, http.StatusNoContent, a.Status, a)
	}
	everyFreshCall(t, ada.Workspace, visit(false))
	require.Equal(t, 1, audited(t, p, ada.Workspace, "session.reauthenticate"))

	// nor does a session count that was authenticated without the factor, however lately
	p.SQL(t, `UPDATE sessions SET authenticated_at = now(), amr = '{pwd}' WHERE user_id = $1`, ada.User)
	harness.RequireCode(t, ada.Delete(t, "/v1/auth/factors/totp"), http.StatusForbidden, "REAUTHENTICATION_REQUIRED")

	// who has no factor is not asked
	bob := p.Register(t)
	stale(t, bob)
	require.Equal(t, http.StatusCreated, bob.Post(t, "/v1/api-keys", map[string]any{"name": "x", "role": "viewer"}).Status)
	require.Equal(t, http.StatusNoContent, bob.Delete(t, "/v1/workspaces/"+bob.Workspace).Status)
}

// Who has stolen an access token must not set a factor of its own, which would lock the user out.
func TestTheFirstSecondFactorNeedsAFreshAuthentication(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	for name, c := range map[string]*harness.Caller{"in a workspace": p.Register(t), "in none": p.Homeless(t)} {
		ada := &factored{Caller: c}
		stale(t, c)
		c.Take(c.Refreshed(t))
		before := c.Get(t, "/v1/auth/sessions").Items()[0]["authenticated_at"]
		harness.RequireCode(t, c.Post(t, "/v1/auth/factors/totp", nil), http.StatusForbidden, "REAUTHENTICATION_REQUIRED")
		require.Zero(t, p.Number(t, `SELECT count(*) FROM account_totp WHERE user_id = $1`, c.User), name)
		require.Equal(t, http.StatusNoContent, ada.reauthenticate(t, harness.Password, "").Status)
		ada = withFactor(t, c)
		session := c.Get(t, "/v1/auth/sessions").Items()[0]
		require.NotEqual(t, before, session["authenticated_at"], name)
		require.Equal(t, []any{"pwd", "otp"}, session["amr"], name)
		require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/auth/factors/totp").Status)
	}
}

func TestReauthenticationTakesAPasswordAndACode(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := withFactor(t, p.Register(t))
	labs := ada.Post(t, "/v1/workspaces", map[string]any{"name": "Labs"}).Text("id")
	harness.RequireWrong(t, ada.reauthenticate(t, harness.Password, ""), "code")
	harness.RequireCode(t, ada.reauthenticate(t, "wrong horse battery", ada.code(t)), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	harness.RequireCode(t, ada.reauthenticate(t, harness.Password, wrongCode(t, ada.secret)), http.StatusUnauthorized, "WRONG_CODE")
	stale(t, ada.Caller)
	code := ada.code(t)
	there := harness.Header{Name: "X-Workspace-Id", Value: labs} // the session is that of the first workspace
	body, op := map[string]any{"password": harness.Password, "code": code}, harness.Operation(uuid.NewString())
	for range 2 {
		a := ada.Post(t, "/v1/auth/reauthenticate", body, there, op)
		require.Equal(t, http.StatusNoContent, a.Status, "the same call again: %s", a)
	}
	harness.RequireCode(t, ada.reauthenticate(t, harness.Password, code), http.StatusUnauthorized, "WRONG_CODE") // used
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/api-keys", map[string]any{"name": "x", "role": "viewer"}, there).Status)
	require.Equal(t, []string{"{pwd,otp}"}, methods(t, ada.Caller))

	// one session is fresh, not the others of its user
	in := finish(t, p, ada.ticket(t), ada.code(t))
	require.Equal(t, http.StatusOK, in.Status, in)
	other := p.Anonymous()
	other.Take(in)
	stale(t, other)
	require.Equal(t, http.StatusNoContent, ada.reauthenticate(t, harness.Password, ada.recovery[0]).Status)
	harness.RequireCode(t, other.Delete(t, "/v1/auth/factors/totp"), http.StatusForbidden, "REAUTHENTICATION_REQUIRED")

	// of many with one code, one succeeds
	code = ada.code(t)
	done := 0
	for _, a := range harness.AtOnce(6, func() harness.Answer { return ada.reauthenticate(t, harness.Password, code) }) {
		if a.Status == http.StatusNoContent {
			done++
		}
	}
	require.Equal(t, 1, done)
	bob := &factored{Caller: p.Register(t)}
	require.Equal(t, http.StatusNoContent, bob.reauthenticate(t, harness.Password, "").Status, "without a factor the password is enough")
	bob.Post(t, "/v1/auth/logout", nil)
	harness.RequireCode(t, bob.reauthenticate(t, harness.Password, ""), http.StatusUnauthorized, "UNAUTHORIZED")
}

func TestAWorkspaceDemandsASecondFactor(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	owner := p.Register(t)
	bob := p.Join(t, owner, "editor")
	admin := p.Join(t, owner, "admin")
	key := owner.Key(t, "editor")
	path := "/v1/workspaces/" + owner.Workspace + "/second-factor"
	demand := func(c *harness.Caller, required bool) harness.Answer {
		return c.Put(t, path, map[string]any{"required": required})
	}
	require.Equal(t, map[string]any{"required": false}, bob.Get(t, path).Body)
	harness.RequireCode(t, demand(admin, true), http.StatusForbidden, "FORBIDDEN")
	harness.RequireCode(t, demand(owner, true), http.StatusConflict, "SECOND_FACTOR_MISSING")
	ada := withFactor(t, owner)
	require.Equal(t, http.StatusOK, demand(ada.Caller, true).Status)
	require.Equal(t, 1, audited(t, p, owner.Workspace, "workspace.demand_second_factor"))
	require.Equal(t, map[string]any{"required": true}, ada.Get(t, path).Body)

	for _, a := range []harness.Answer{
		bob.Get(t, "/v1/bots"), bob.Post(t, "/v1/bots", map[string]any{"name": "x"}), bob.Get(t, path), demand(admin, false),
	} {
		require.Equal(t, http.StatusForbidden, a.Status, a)
		require.Contains(t, []any{"SECOND_FACTOR_MISSING", "FORBIDDEN"}, a.Body["code"], a)
	}
	refused := bob.Post(t, "/v1/bots", map[string]any{"name": "x"})
	harness.RequireCode(t, refused, http.StatusForbidden, "SECOND_FACTOR_MISSING")
	require.Contains(t, refused.Text("message"), "/v1/auth/factors/totp")
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status, "a key")
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/bots").Status)
	require.Equal(t, http.StatusOK, bob.Get(t, "/v1/auth/me").Status, "about oneself")
	home := slices.Collect(func(yield func(string) bool) {
		for _, m := range bob.Get(t, "/v1/auth/me").Body["memberships"].([]any) {
			if id := m.(map[string]any)["workspace_id"].(string); id != bob.Workspace && !yield(id) {
				return
			}
		}
	})
	require.Equal(t, http.StatusOK, bob.Get(t, "/v1/bots", harness.Header{Name: "X-Workspace-Id", Value: home[0]}).Status, "other workspaces")
	require.NotZero(t, p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'access.refuse' AND user_id = $2`, bob.Workspace, bob.User))

	set := withFactor(t, bob)
	require.Equal(t, http.StatusCreated, set.Post(t, "/v1/bots", map[string]any{"name": "x"}).Status)
	require.Equal(t, http.StatusNoContent, set.Delete(t, "/v1/auth/factors/totp").Status)
	harness.RequireCode(t, bob.Get(t, "/v1/bots"), http.StatusForbidden, "SECOND_FACTOR_MISSING")
	require.Equal(t, http.StatusOK, demand(ada.Caller, false).Status)
	require.Equal(t, http.StatusOK, bob.Get(t, "/v1/bots").Status)
}

func TestAnIdentityProviderIsOneFactor(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{"ada": {"email": "ada@example.com", "email_verified": true}})
	p := startWithProviders(t, setting(t, nil, corp))
	c, a := signIn(t, p, corp, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	ada := withFactor(t, c)
	require.Equal(t, []string{"{oidc,otp}"}, ada.Texts(t, `SELECT amr::text FROM account_sessions WHERE user_id = $1 AND revoked_at IS NULL`, ada.User))
	_, again := signIn(t, p, corp, "ada")
	harness.RequireCode(t, again, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
	in := finish(t, p, again.Text("details.ticket"), ada.code(t))
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Equal(t, ada.User, in.Text("user_id"))
}
