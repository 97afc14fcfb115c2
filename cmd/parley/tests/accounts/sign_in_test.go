package accounts

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestSomebodySignsInAtAnIdentityProvider(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{"grace": {"email": "Grace@Example.com", "email_verified": true}})
	p := startWithProviders(t, setting(t, nil, corp))
	list := p.Anonymous().Get(t, "/v1/auth/oidc")
	require.Equal(t, []map[string]any{{"id": "corp", "name": "CORP", "start_path": "/v1/auth/oidc/corp/start"}}, list.Items())

	b := newBrowser(t, p)
	a := b.open(t, "/v1/auth/oidc/corp/start?return_to="+appURL, harness.Header{Name: "Host", Value: "evil.example"}, harness.Header{Name: "X-Forwarded-Host", Value: "evil.example"})
	require.Equal(t, http.StatusFound, a.Status, a)
	require.Equal(t, publicURL+"/v1/auth/oidc/corp/callback", location(t, a).Query().Get("redirect_uri"), "never by a header of the request")
	require.Equal(t, "S256", location(t, a).Query().Get("code_challenge_method"))
	cookie := a.Header.Get("Set-Cookie")
	require.Regexp(t, `^__Host-parley_oidc_0=[\w-]+; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$`, cookie)
	require.NotContains(t, cookie, location(t, a).Query().Get("state"))

	code := b.code(t, corp, "grace")
	super := harness.Postgres.Superuser(t, p.Database)
	harness.RequireNowhere(t, super, code)
	in := b.exchange(t, code)
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Nil(t, in.Body["workspace_id"])
	grace := &harness.Caller{Program: p}
	grace.Take(in)
	me := grace.Get(t, "/v1/auth/me")
	require.Equal(t, []any{"grace@example.com", true}, []any{me.Body["email"], me.Body["email_verified"]})
	require.Zero(t, p.Number(t, `SELECT count(*) FROM sign_ins WHERE claims IS NOT NULL`), "what the provider has said is forgotten")
	events := strings.Join(grace.AccountEvents(t), "\n")
	require.Contains(t, events, "user.register")
	require.Contains(t, events, "session.open")

	identities := grace.Get(t, "/v1/auth/identities").Items()
	require.Len(t, identities, 1)
	require.Equal(t, []any{"corp", "CORP", "Grace@Example.com"}, []any{identities[0]["provider"], identities[0]["provider_name"], identities[0]["email"]})

	// again, with another address that nobody has verified: the subject counts
	corp.change(t, "grace", person{"email": "grace@elsewhere.example", "email_verified": false})
	again, in := signIn(t, p, corp, "grace")
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Equal(t, grace.User, again.User)
	require.Equal(t, "grace@example.com", again.Get(t, "/v1/auth/me").Body["email"])
	require.Equal(t, "grace@elsewhere.example", again.Get(t, "/v1/auth/identities").Items()[0]["email"])
	p.SQL(t, `UPDATE users SET disabled_at = now() WHERE id = $1`, grace.User)
	_, in = signIn(t, p, corp, "grace")
	harness.RequireCode(t, in, http.StatusForbidden, "ACCOUNT_DISABLED")

	b = newBrowser(t, p)
	denied := b.back(t, b.at(t, b.start(t, "corp"), "nobody"))
	require.Equal(t, appURL+"/signed-in?error=OIDC_SIGN_IN_REFUSED&tab=1", denied.Header.Get("Location"))
	for _, secret := range []string{code, corp.Secret} {
		require.NotContains(t, p.Log.String(), secret)
	}
}

func TestAnAccountIsLinkedWhenBothSidesHaveVerifiedTheAddress(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{"x": {}})
	p, box := startWithMail(t, setting(t, nil, corp), "CORS_ALLOW_ORIGINS="+appURL)
	for name, test := range map[string]struct {
		provider any // email_verified; nil: it says nothing
		account  bool
		code     string // "": they are linked
	}{
		"both":           {true, true, ""},
		"the provider":   {true, false, "OIDC_ACCOUNT_UNVERIFIED"},
		"the account":    {false, true, "OIDC_EMAIL_UNVERIFIED"},
		"neither":        {false, false, "OIDC_EMAIL_UNVERIFIED"},
		"nobody says so": {nil, true, "OIDC_EMAIL_UNVERIFIED"},
		"the text false": {"false", true, "OIDC_EMAIL_UNVERIFIED"},
		"the text true":  {"true", true, ""},
	} {
		ada, subject := p.Register(t), uuid.NewString()
		if test.account {
			p.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, ada.User)
		}
		claims := person{"email": strings.ToUpper(ada.Email)}
		if test.provider != nil {
			claims["email_verified"] = test.provider
		}
		corp.change(t, subject, claims)
		in, a := signIn(t, p, corp, subject)
		if test.code != "" {
			harness.RequireCode(t, a, http.StatusForbidden, test.code)
			require.Empty(t, ada.Get(t, "/v1/auth/identities").Items(), name)
			require.Zero(t, p.Number(t, `SELECT count(*) FROM account_emails WHERE user_id = $1 AND kind = 'identity_linked'`, ada.User))
			continue
		}
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", name, a)
		require.Equal(t, []string{ada.User, ada.Workspace}, []string{in.User, in.Workspace}, name)
		require.Contains(t, strings.Join(ada.AccountEvents(t), "\n"), "identity.link")
		box.Wait(t, ada.Email, "Your Parley account can be signed in to another way", 1)
		require.Equal(t, http.StatusOK, p.LogIn(t, ada.Email, harness.Password).Status, "the password goes on")
	}
}

func TestASignInMakesAnAccountOnlyWhereEverybodyMayRegister(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{"ada": {"email": "ada@example.com", "email_verified": true}, "bare": {}})
	database := harness.Postgres.URL(t)
	open := harness.StartOn(t, database, setting(t, nil, corp), "PUBLIC_URL="+publicURL, "CORS_ALLOW_ORIGINS="+appURL, "WORKERS=0")
	_, a := signIn(t, open, corp, "bare")
	harness.RequireCode(t, a, http.StatusForbidden, "OIDC_EMAIL_UNVERIFIED")
	for _, signUp := range []string{"invite", "closed"} {
		p := harness.StartOn(t, database, setting(t, nil, corp), "PUBLIC_URL="+publicURL, "CORS_ALLOW_ORIGINS="+appURL, "SIGN_UP="+signUp, "WORKERS=0")
		_, a := signIn(t, p, corp, "ada")
		harness.RequireCode(t, a, http.StatusForbidden, "SIGN_UP_CLOSED")
		require.Zero(t, p.Number(t, `SELECT count(*) FROM users`))
	}
	made, a := signIn(t, open, corp, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	closed := harness.StartOn(t, database, setting(t, nil, corp), "PUBLIC_URL="+publicURL, "CORS_ALLOW_ORIGINS="+appURL, "SIGN_UP=closed", "WORKERS=0")
	in, a := signIn(t, closed, corp, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, made.User, in.User)
}

func TestAnAccountWithoutAPasswordWorksEverywhere(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{"ada": {"email": "ada@example.com", "email_verified": true}})
	p, box := startWithMail(t, setting(t, nil, corp), "CORS_ALLOW_ORIGINS="+appURL)
	ada, a := signIn(t, p, corp, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	ada.Email = "ada@example.com"
	require.Equal(t, false, ada.Get(t, "/v1/auth/me").At("has_password"), "in no workspace")
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/workspaces", map[string]any{"name": "Acme"}).Status)
	ada.Take(ada.Refreshed(t))
	for _, guess := range []string{"", " ", "null", harness.Password} {
		require.NotEqual(t, http.StatusOK, p.LogIn(t, ada.Email, guess).Status, "no password is right")
	}
	require.Equal(t, false, ada.Get(t, "/v1/auth/me").At("has_password"))
	harness.RequireCode(t, ada.Put(t, "/v1/auth/password", map[string]any{"current_password": "x", "new_password": "staple the right horse"}), http.StatusConflict, "NO_PASSWORD")
	identity := ada.Get(t, "/v1/auth/identities").Items()[0]["id"].(string)
	harness.RequireCode(t, ada.Delete(t, "/v1/auth/identities/"+identity), http.StatusConflict, "LAST_SIGN_IN_METHOD")
	harness.RequireCode(t, ada.Delete(t, "/v1/auth/identities/"+uuid.NewString()), http.StatusNotFound, "IDENTITY_NOT_FOUND")
	super := harness.Postgres.Superuser(t, p.Database)
	gone := ada.Identity(t, super)
	harness.RequireCode(t, ada.Delete(t, "/v1/auth/identities/"+identity), http.StatusConflict, "LAST_SIGN_IN_METHOD")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/auth/identities/"+gone).Status, "nobody can sign in by a provider that is not configured")

	host := p.Register(t)
	_, invitation := host.Invite(t, ada.Email, "editor")
	harness.RequireCode(t, p.Accept(t, invitation, "staple the right horse"), http.StatusConflict, "NO_PASSWORD")

	forgot(t, p, ada.Email)
	token := tokenOf(t, box.Wait(t, ada.Email, resetSubject, 1), "reset-password")
	require.Equal(t, http.StatusNoContent, reset(t, p, token, "staple the right horse").Status)
	ada.RequireEnded(t, "all sessions end")
	ada.Take(p.LogIn(t, ada.Email, "staple the right horse"))
	require.Equal(t, true, ada.Get(t, "/v1/auth/me").At("has_password"))
	require.Less(t, p.Accept(t, invitation, "staple the right horse").Status, 300)
	operation := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/auth/identities/"+identity, operation).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/auth/identities/"+identity, operation).Status, "the same call again")
	require.Empty(t, ada.Get(t, "/v1/auth/identities").Items())
	require.Contains(t, strings.Join(ada.AccountEvents(t), "\n"), "identity.unlink")
	back, a := signIn(t, p, corp, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, ada.User, back.User, "both sides have verified the address")
}

func TestOfTwoIdentitiesThatAreUnlinkedAtOnceOneStays(t *testing.T) {
	t.Parallel()
	people := map[string]person{"ada": {"email": "ada@example.com", "email_verified": true}}
	corp, home := startProvider(t, "corp", people), startProvider(t, "home", people)
	p := startWithProviders(t, setting(t, nil, corp, home))
	ada, _ := signIn(t, p, corp, "ada")
	again, a := signIn(t, p, home, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, ada.User, again.User)
	identities := ada.Get(t, "/v1/auth/identities").Items()
	require.Len(t, identities, 2)
	next := make(chan string, 2)
	next <- identities[0]["id"].(string)
	next <- identities[1]["id"].(string)
	var codes []int
	for _, a := range harness.AtOnce(2, func() harness.Answer { return ada.Delete(t, "/v1/auth/identities/"+<-next) }) {
		codes = append(codes, a.Status)
	}
	slices.Sort(codes)
	require.Equal(t, []int{http.StatusNoContent, http.StatusConflict}, codes)
	require.Len(t, ada.Get(t, "/v1/auth/identities").Items(), 1)
}

func TestAProviderIsNoWayRoundTheSecondFactor(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{"x": {}})
	p := startWithProviders(t, setting(t, nil, corp))
	ada := withFactor(t, p.Register(t))
	p.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, ada.User)
	corp.change(t, "ada", person{"email": ada.Email, "email_verified": true})
	_, a := signIn(t, p, corp, "ada")
	harness.RequireCode(t, a, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
	in := finish(t, p, a.Text("details.ticket"), ada.code(t))
	require.Equal(t, http.StatusOK, in.Status, in)
	ada.Take(in)
	require.Equal(t, []string{"{oidc,otp}"}, methods(t, ada.Caller))
}
