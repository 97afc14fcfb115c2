package oidc_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/oidc"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/work/resilience"
)

const (
	clientID     = "parley"
	clientSecret = "the secret of a client"
)

// issuer is a provider that says whatever a test wants.
type issuer struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu       sync.Mutex
	metadata map[string]any // beside what each provider publishes
	header   map[string]any // of the ID token
	claims   map[string]any
	sign     func(text string) []byte
	info     map[string]any // what the UserInfo endpoint says; nil: it fails
	token    func(w http.ResponseWriter, r *http.Request) bool
	down     bool

	read atomic.Int64 // how often the metadata was read
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := &issuer{key: key, header: map[string]any{"alg": "RS256", "kid": "1"}, sign: signer(t, key)}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", i.publish)
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "1", "use": "sig", "n": encoded(key.N.Bytes()), "e": encoded(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.token != nil && i.token(w, r) {
			return
		}
		answer(w, map[string]any{"access_token": "an access token", "token_type": "Bearer", "id_token": i.idToken()})
	})
	mux.HandleFunc("/me", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.info == nil {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		answer(w, i.info)
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) publish(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.read.Add(1)
	if i.down {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	metadata := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/auth?tenant=1", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/jwks",
		"userinfo_endpoint": i.URL + "/me", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
	}
	maps.Copy(metadata, i.metadata)
	answer(w, metadata)
}

// says sets the claims of the next ID tokens: those that are right, and others.
func (i *issuer) says(s domain.SignIn, others map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.claims = map[string]any{
		"iss": i.URL, "sub": "ada", "aud": clientID, "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "nonce": s.Nonce,
		"email": "ada@example.com", "email_verified": true,
	}
	for name, value := range others {
		if i.claims[name] = value; value == nil {
			delete(i.claims, name)
		}
	}
}

func (i *issuer) idToken() string {
	header, _ := json.Marshal(i.header) //nolint:errchkjson // maps of a test
	claims, _ := json.Marshal(i.claims) //nolint:errchkjson // the same
	text := encoded(header) + "." + encoded(claims)
	return text + "." + encoded(i.sign(text))
}

func signer(t *testing.T, key *rsa.PrivateKey) func(text string) []byte {
	t.Helper()
	return func(text string) []byte {
		digest := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		require.NoError(t, err)
		return signature
	}
}

func hmacOf(key []byte) func(text string) []byte {
	return func(text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func encoded(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// providers are those of one issuer, as corp.
func (i *issuer) providers(now func() time.Time, more ...domain.GroupRole) *oidc.Providers {
	return oidc.New([]oidc.Settings{{
		IdentityProvider: domain.IdentityProvider{ID: "corp", Name: "Corp", Issuer: i.URL, Roles: more},
		ClientID:         clientID, ClientSecret: clientSecret, Scopes: []string{"openid", "email"}, GroupsClaim: "groups", VerifiedClaim: "email_verified",
	}}, "https://parley.example", &http.Client{Timeout: 5 * time.Second}, resilience.NewGroup("identity_provider", resilience.Policy{
		Timeout: 5 * time.Second, Failures: 5, OpenFor: time.Minute,
	}, slog.New(slog.DiscardHandler)), now)
}
