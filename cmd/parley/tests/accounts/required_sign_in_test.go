package accounts

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// A stranger registers with an address, by password, before its owner signs in at an identity provider. The two share nothing.
func TestASignInSharesNothingWithAnAccountThatAStrangerMade(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{"x": {}})
	p, box := startRequired(t, setting(t, nil, corp), "CORS_ALLOW_ORIGINS="+appURL)

	// nobody has confirmed the account of the stranger: the owner gets another one
	eve := p.Register(t)
	stale := tokenOf(t, box.Wait(t, eve.Email, verifySubject, 1), "verify-email")
	corp.change(t, "ada", person{"email": eve.Email, "email_verified": true})
	ada, a := signIn(t, p, corp, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.NotEqual(t, eve.User, ada.User)
	require.Equal(t, []string{"account", "none"}, []string{proofOf(t, ada), proofOf(t, eve)})
	require.Empty(t, eve.Get(t, "/v1/auth/identities").Items())
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/email/verify", map[string]any{"token": stale}), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	_, a = signIn(t, p, corp, "ada")
	require.Equal(t, ada.User, a.Text("user_id"))

	// the owner has confirmed it by the link alone: it is not linked before she has reset its password
	eve = p.Register(t)
	require.Equal(t, http.StatusNoContent, verifyWith(t, p.Anonymous(), box, eve.Email, 1, nil).Status)
	key := eve.Key(t, "editor")
	corp.change(t, "grace", person{"email": eve.Email, "email_verified": true})
	_, a = signIn(t, p, corp, "grace")
	harness.RequireCode(t, a, http.StatusForbidden, "OIDC_ACCOUNT_UNVERIFIED")
	require.Empty(t, eve.Get(t, "/v1/auth/identities").Items())
	resetBy(t, p, box, eve.Email, otherPassword, 1)
	grace, a := signIn(t, p, corp, "grace")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, eve.User, grace.User)
	eve.RequireEnded(t, "the stranger's session")
	harness.RequireCode(t, key.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")

	// one that was proved together with its account is linked
	zoe := p.Register(t)
	require.Equal(t, http.StatusNoContent, verifyWith(t, zoe, box, zoe.Email, 1, nil).Status)
	corp.change(t, "zoe", person{"email": zoe.Email, "email_verified": true})
	_, a = signIn(t, p, corp, "zoe")
	require.Equal(t, zoe.User, a.Text("user_id"), a)
}

// An account that an identity provider has made is proved, and its second factor is asked for also where its password was reset.
func TestAnAccountOfAProviderWithASecondFactorUnderRequiredProof(t *testing.T) {
	t.Parallel()
	email := "u" + uuid.NewString() + "@example.com"
	corp := startProvider(t, "corp", map[string]person{"ada": {"email": email, "email_verified": true}})
	p, box := startRequired(t, setting(t, nil, corp), "CORS_ALLOW_ORIGINS="+appURL)
	c, a := signIn(t, p, corp, "ada")
	require.Equal(t, http.StatusOK, a.Status, a)
	c.Email = email
	require.Equal(t, "account", proofOf(t, c))
	ada := withFactor(t, c)
	_, again := signIn(t, p, corp, "ada")
	harness.RequireCode(t, again, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
	in := finish(t, p, again.Text("details.ticket"), ada.code(t))
	require.Equal(t, http.StatusOK, in.Status, in)
	require.Equal(t, c.User, in.Text("user_id"))

	// a stranger of the same address registers: it is another account, which has neither the factor nor the identity
	eve := registerAs(t, p, email, otherPassword)
	require.NotEqual(t, c.User, eve.User)
	box.Wait(t, email, inUseSubject, 1)

	forgot(t, p, email)
	require.Equal(t, http.StatusNoContent, reset(t, p, tokenOf(t, box.Wait(t, email, resetSubject, 1), "reset-password"), "a third good password").Status)
	harness.RequireCode(t, p.LogIn(t, email, "a third good password"), http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
	_, again = signIn(t, p, corp, "ada")
	harness.RequireCode(t, again, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
}
