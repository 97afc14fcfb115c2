package domain

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Times of a sign-in at an identity provider.
const (
	// SignInLife is how long a person may take at the identity provider.
	SignInLife = 10 * time.Minute
	// SignInCodeLife is how long the code of a sign-in can be changed for a session.
	SignInCodeLife = 2 * time.Minute
)

const signInCodePrefix = "sic_"

// SignInCodeFormat is a regular expression for the code of a sign-in.
const SignInCodeFormat = signInCodePrefix + `[\w-]+`

// SignIn is a sign-in that a browser has begun at an identity provider. Only the browser keeps it, encrypted, until it
// comes back.
type SignIn struct {
	Provider  string
	State     string // names the sign-in in the provider's answer
	Nonce     string // names it in the provider's ID token
	Verifier  string // of PKCE, towards the provider (RFC 7636)
	Browser   string // what only this browser has
	ReturnTo  string // where the browser goes afterwards
	Challenge string // S256 of a verifier that only the application has; "": it has none
	ExpiresAt time.Time
}

// NewSignIn makes a sign-in.
func NewSignIn(provider, returnTo, challenge string, now time.Time) SignIn {
	return SignIn{
		Provider: provider, State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Browser: newSecret(),
		ReturnTo: returnTo, Challenge: challenge, ExpiresAt: now.Add(SignInLife),
	}
}

// newSecret returns 32 random bytes as text.
func newSecret() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	return base64.RawURLEncoding.EncodeToString(secret)
}

// IsOf reports whether an answer of a provider with this state belongs to the sign-in.
func (s SignIn) IsOf(provider, state string, now time.Time) bool {
	return s.Provider == provider && hmac.Equal([]byte(s.State), []byte(state)) && now.Before(s.ExpiresAt)
}

// Assertion is what an identity provider says about the person who has signed in there.
type Assertion struct {
	Provider      string // its id here
	Issuer        string
	Subject       string // names the person at the issuer, for ever
	Email         string
	EmailVerified bool
	Groups        []string // those that have a role; nil: the provider says nothing of groups
}

// FinishedSignIn is a sign-in whose answer of the provider was checked. It is changed for a session with its code.
type FinishedSignIn struct {
	Assertion   Assertion
	BrowserHash []byte
	Challenge   string
	ExpiresAt   time.Time
}

// Finish returns the finished sign-in and its code.
func (s SignIn) Finish(a Assertion, now time.Time) (done FinishedSignIn, code string) {
	return FinishedSignIn{
		Assertion: a, BrowserHash: HashOf(s.Browser), Challenge: s.Challenge, ExpiresAt: now.Add(SignInCodeLife),
	}, signInCodePrefix + newSecret()
}

// MayBeTaken reports whether whoever brings a verifier and what a browser keeps has begun the sign-in. An application that
// has given a challenge must bring its verifier; otherwise the browser must be the same.
func (f FinishedSignIn) MayBeTaken(verifier string, browsers []string, now time.Time) bool {
	if !now.Before(f.ExpiresAt) {
		return false
	}
	if f.Challenge != "" {
		digest := sha256.Sum256([]byte(verifier))
		return hmac.Equal([]byte(f.Challenge), []byte(base64.RawURLEncoding.EncodeToString(digest[:])))
	}
	return slices.ContainsFunc(browsers, func(browser string) bool { return hmac.Equal(f.BrowserHash, HashOf(browser)) })
}

// ErrReturnTo states where a sign-in may lead.
var ErrReturnTo = errors.New("must be an address of this service or of a web page that may call it (PUBLIC_URL, CORS_ALLOW_ORIGINS), such as https://app.example.com/signed-in, without a fragment")

// CheckReturnTo returns ErrReturnTo for an address that is of none of the origins, such as https://app.example.com.
func CheckReturnTo(address string, origins []string) error {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Opaque != "" || strings.ContainsAny(address, "\\#") ||
		strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return ErrReturnTo
	}
	if u.Host == "" || !slices.ContainsFunc(origins, func(o string) bool { return originOf(o) == originOf(address) }) {
		return ErrReturnTo
	}
	return nil
}

// originOf returns scheme, host and port of an address (RFC 6454).
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// ReturnWith returns an address with a query parameter set.
func ReturnWith(address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	query.Del("code")
	query.Del("error")
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}

// IdentityProvider is where people may sign in instead of with a password.
type IdentityProvider struct {
	ID, Name, Issuer string
	Roles            []GroupRole
}

// GroupRole is the role of a group of an identity provider in a workspace.
type GroupRole struct {
	Group       string // * is everybody
	WorkspaceID uuid.UUID
	Role        Role
}

// everybody is the group of all who sign in at a provider.
const everybody = "*"

// RolesOf returns the highest role in each workspace that groups have.
func (p IdentityProvider) RolesOf(groups []string) map[uuid.UUID]Role {
	roles := map[uuid.UUID]Role{}
	for _, rule := range p.Roles {
		if (rule.Group == everybody || slices.Contains(groups, rule.Group)) && rule.Role.Above(roles[rule.WorkspaceID]) {
			roles[rule.WorkspaceID] = rule.Role
		}
	}
	return roles
}

// Identity is a subject of an identity provider that signs in to an account.
type Identity struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	Provider  string // its id
	Issuer    string
	Subject   string
	Email     string // as the provider gave it last; "" for none
	CreatedAt time.Time
	UsedAt    time.Time
}

// NewIdentity makes the identity of a user.
func NewIdentity(user uuid.UUID, a Assertion, now time.Time) Identity {
	return Identity{
		ID: uuid.Must(uuid.NewV7()), UserID: user, Provider: a.Provider, Issuer: a.Issuer, Subject: a.Subject, Email: a.Email,
		CreatedAt: now, UsedAt: now,
	}
}

// AccountOwner is a user as the owner of ways to sign in.
type AccountOwner struct {
	User
	HasPassword bool
}
