package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/oidc"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/fail"
)

func signIn() domain.SignIn {
	return domain.NewSignIn("corp", "https://app.example", "", time.Now())
}

func TestABrowserIsSentToTheProvider(t *testing.T) {
	t.Parallel()
	i, s := newIssuer(t), signIn()
	address, err := i.providers(time.Now).Authorize(t.Context(), s)
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, i.URL+"/auth", u.Scheme+"://"+u.Host+u.Path)
	q := u.Query()
	require.Equal(t, []string{"1", "code", clientID, "openid email", s.State, s.Nonce, "S256", "https://parley.example/v1/auth/oidc/corp/callback"},
		[]string{q.Get("tenant"), q.Get("response_type"), q.Get("client_id"), q.Get("scope"), q.Get("state"), q.Get("nonce"), q.Get("code_challenge_method"), q.Get("redirect_uri")})
	require.NotContains(t, address, s.Verifier)
	_, err = i.providers(time.Now).Authorize(t.Context(), domain.NewSignIn("other", "https://app.example", "", time.Now()))
	require.ErrorIs(t, err, ports.ErrNoProvider)
}

func TestWhatAProviderSaysIsRead(t *testing.T) {
	t.Parallel()
	i, s := newIssuer(t), signIn()
	role := func(group string) domain.GroupRole {
		return domain.GroupRole{Group: group, WorkspaceID: uuid.New(), Role: domain.Viewer}
	}
	var form url.Values
	var user, password string
	i.token = func(_ http.ResponseWriter, r *http.Request) bool {
		_ = r.ParseForm()
		form = r.PostForm
		user, password, _ = r.BasicAuth()
		return false
	}
	i.says(s, map[string]any{"groups": []any{"staff", "others", 7, "staff"}})
	a, err := i.providers(time.Now, role("staff"), role("*")).Redeem(t.Context(), s, "a code", i.URL)
	require.NoError(t, err)
	require.Equal(t, domain.Assertion{Provider: "corp", Issuer: i.URL, Subject: "ada", Email: "ada@example.com", EmailVerified: true, Groups: []string{"staff"}}, a)
	require.Equal(t, []string{"a code", s.Verifier, "https://parley.example/v1/auth/oidc/corp/callback"}, []string{form.Get("code"), form.Get("code_verifier"), form.Get("redirect_uri")})
	require.Equal(t, []string{clientID, url.QueryEscape(clientSecret)}, []string{user, password})

	// what the ID token lacks, the UserInfo endpoint says; what the token says goes before it
	i.says(s, map[string]any{"email_verified": nil})
	i.info = map[string]any{"sub": "ada", "email": "eve@example.com", "email_verified": "true", "groups": "staff"}
	a, err = i.providers(time.Now, role("staff")).Redeem(t.Context(), s, "a code", "")
	require.NoError(t, err)
	require.Equal(t, []any{"ada@example.com", true, []string{"staff"}}, []any{a.Email, a.EmailVerified, a.Groups})
	i.says(s, map[string]any{"email": nil, "email_verified": nil})
	i.info = map[string]any{"sub": "ada"}
	a, err = i.providers(time.Now).Redeem(t.Context(), s, "a code", "")
	require.NoError(t, err)
	require.Equal(t, domain.Assertion{Provider: "corp", Issuer: i.URL, Subject: "ada"}, a, "nobody says that the address is verified, nor of groups")
	for _, no := range []any{false, "false", 0, "yes", []any{true}, map[string]any{}} {
		i.says(s, map[string]any{"email_verified": no})
		a, err = i.providers(time.Now).Redeem(t.Context(), s, "a code", "")
		require.NoError(t, err)
		require.False(t, a.EmailVerified, no)
	}
}

func TestAnAnswerThatCannotBeTrustedIsRefused(t *testing.T) {
	t.Parallel()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	past := time.Now().Add(-time.Minute).Unix()
	for name, forge := range map[string]func(i *issuer, s domain.SignIn){
		"no signature": func(i *issuer, _ domain.SignIn) {
			i.header = map[string]any{"alg": "none"}
			i.sign = func(string) []byte { return nil }
		},
		"the public key as a secret": func(i *issuer, _ domain.SignIn) {
			i.header = map[string]any{"alg": "HS256", "kid": "1"}
			i.sign = hmacOf(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&i.key.PublicKey)}))
		},
		"the client's secret": func(i *issuer, _ domain.SignIn) {
			i.header, i.sign = map[string]any{"alg": "HS256"}, hmacOf([]byte(clientSecret))
		},
		"another key": func(i *issuer, _ domain.SignIn) { i.sign = signer(t, stranger) },
		"a key that it brings": func(i *issuer, _ domain.SignIn) {
			i.header["jwk"], i.sign = map[string]any{"kty": "RSA", "n": encoded(stranger.N.Bytes()), "e": "AQAB"}, signer(t, stranger)
		},
		"an unknown key":       func(i *issuer, _ domain.SignIn) { i.header["kid"] = "2" },
		"another audience":     func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"aud": "another"}) },
		"no audience":          func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"aud": nil}) },
		"two audiences":        func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"aud": []string{clientID, "another"}}) },
		"another party":        func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"azp": "another"}) },
		"another issuer":       func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"iss": "https://evil.example"}) },
		"no issuer":            func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"iss": nil}) },
		"an expired token":     func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"exp": past}) },
		"no expiry":            func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"exp": nil}) },
		"no time of issue":     func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"iat": nil}) },
		"another nonce":        func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"nonce": signIn().Nonce}) },
		"no nonce":             func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"nonce": nil}) },
		"no subject":           func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"sub": nil}) },
		"a long subject":       func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"sub": strings.Repeat("x", 256)}) },
		"another access token": func(i *issuer, s domain.SignIn) { i.says(s, map[string]any{"at_hash": encoded(make([]byte, 16))}) },
		"what is said of others": func(i *issuer, s domain.SignIn) {
			i.says(s, map[string]any{"email": nil})
			i.info = map[string]any{"sub": "bob", "email": "bob@example.com"}
		},
		"a code that was used": func(i *issuer, _ domain.SignIn) {
			i.token = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusBadRequest)
				answer(w, map[string]any{"error": "invalid_grant"})
				return true
			}
		},
		"no ID token": func(i *issuer, _ domain.SignIn) {
			i.token = func(w http.ResponseWriter, _ *http.Request) bool {
				answer(w, map[string]any{"access_token": "x", "token_type": "Bearer"})
				return true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, s := newIssuer(t), signIn()
			i.info = map[string]any{"sub": "ada"}
			i.says(s, nil)
			providers := i.providers(time.Now)
			_, err := providers.Redeem(t.Context(), s, "a code", i.URL)
			require.NoError(t, err, "without what is forged it is trusted")
			forge(i, s)
			for range 6 {
				_, err = providers.Redeem(t.Context(), s, "a code", i.URL)
				require.ErrorIs(t, err, ports.ErrSignInFailed, "and the breaker stays closed")
			}
			require.NotContains(t, err.Error(), clientSecret)
		})
	}
}

func TestAnAnswerOfAnotherProviderIsRefused(t *testing.T) {
	t.Parallel()
	i, s := newIssuer(t), signIn()
	i.says(s, map[string]any{"groups": []any{}})
	_, err := i.providers(time.Now).Redeem(t.Context(), s, "a code", "https://evil.example")
	require.ErrorIs(t, err, ports.ErrSignInFailed)
	_, err = i.providers(time.Now).Redeem(t.Context(), s, "a code", "")
	require.NoError(t, err, "few providers name themselves")
	i.metadata = map[string]any{"authorization_response_iss_parameter_supported": true}
	_, err = i.providers(time.Now).Redeem(t.Context(), s, "a code", "")
	require.ErrorIs(t, err, ports.ErrSignInFailed, "this one names itself in each answer")
	_, err = i.providers(time.Now).Redeem(t.Context(), s, "a code", i.URL)
	require.NoError(t, err)
}

func TestWhatAProviderPublishesIsReadOnceAnHour(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	var mu sync.Mutex
	now := time.Now()
	providers := i.providers(func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	require.Zero(t, i.read.Load(), "not at the start")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := providers.Authorize(t.Context(), signIn())
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, i.read.Load())
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	i.mu.Lock()
	i.down = true
	i.mu.Unlock()
	_, err := providers.Authorize(t.Context(), signIn())
	require.NoError(t, err, "what it published before")
	require.EqualValues(t, 2, i.read.Load())
}

func TestAProviderThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	unavailable := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, ports.ErrProviderUnavailable)
		e, _ := errors.AsType[*fail.Error](err)
		require.Positive(t, e.RetryAfter)
		require.Less(t, len(err.Error()), 1000, "a log has no whole answers")
	}
	i := newIssuer(t)
	i.down = true
	providers := i.providers(time.Now)
	for range 10 {
		_, err := providers.Authorize(t.Context(), signIn())
		unavailable(err)
	}
	require.EqualValues(t, 5, i.read.Load(), "then it is left alone")
	for name, metadata := range map[string]map[string]any{
		"another issuer": {"issuer": "https://evil.example"}, "no endpoints": {"token_endpoint": ""}, "a long one": {"x": strings.Repeat("x", 2<<20)},
	} {
		i := newIssuer(t)
		i.metadata = metadata
		_, err := i.providers(time.Now).Authorize(t.Context(), signIn())
		require.ErrorIs(t, err, ports.ErrProviderUnavailable, name)
		unavailable(err)
	}
	i = newIssuer(t)
	s := signIn()
	i.says(s, nil)
	i.token = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, clientSecret+strings.Repeat("x", 5000), http.StatusBadGateway)
		return true
	}
	_, err := i.providers(time.Now).Redeem(t.Context(), s, "a code", "")
	unavailable(err)
	require.NotContains(t, err.Error(), clientSecret)
	i.token = nil
	i.says(s, map[string]any{"email": nil})
	_, err = i.providers(time.Now).Redeem(t.Context(), s, "a code", "")
	unavailable(err)
}

func TestASignInIsSealed(t *testing.T) {
	t.Parallel()
	box := func(key string) *secret.Box {
		master, err := secret.NewMaster(key)
		require.NoError(t, err)
		return secret.NewRing(master).Box("sign-ins")
	}
	seals, s := oidc.Seals{Box: box("a master secret of thirty-two bytes")}, signIn()
	sealed, err := seals.Seal(s)
	require.NoError(t, err)
	require.Less(t, len(sealed), 1300, "a cookie has its bounds")
	require.NotContains(t, sealed, s.State)
	opened, ok := seals.Open(sealed)
	require.True(t, ok)
	require.Equal(t, s.State, opened.State)
	require.Equal(t, s.Verifier, opened.Verifier)
	for _, bad := range []string{"", "x", sealed[:len(sealed)-2], "B" + sealed[1:], sealed + "A", strings.Repeat("A", 500), "%"} {
		_, ok := seals.Open(bad)
		require.False(t, ok, bad)
	}
	_, ok = oidc.Seals{Box: box("another master secret of thirty-two bytes")}.Open(sealed)
	require.False(t, ok)
}
