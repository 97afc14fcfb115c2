// Package oidc has people sign in at identity providers, by OpenID Connect Core 1.0 with the authorization code flow, PKCE
// (RFC 7636) and the issuer in the answer (RFC 9207).
package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/work/resilience"
)

// Bounds of what is read of a provider.
const (
	maxAnswer    = 1 << 20 // bytes of one answer
	maxErrorText = 300     // characters of an error of a library
	metadataLife = time.Hour
)

// Settings are what the operator has configured of one provider.
type Settings struct {
	domain.IdentityProvider
	ClientID, ClientSecret     string
	Scopes                     []string // with openid
	GroupsClaim, VerifiedClaim string
}

// Providers are the identity providers. What a provider publishes of itself is read when it is first needed, and again
// after an hour. It is safe for concurrent use.
type Providers struct {
	list      []*provider
	publicURL string
	client    *http.Client
	guard     *resilience.Group
	now       func() time.Time
}

var _ ports.IdentityProviders = (*Providers)(nil)

// New makes Providers. publicURL is what the addresses begin with that providers send people back to. The client must have
// a timeout, for the keys of providers are fetched outside of calls too.
func New(list []Settings, publicURL string, client *http.Client, guard *resilience.Group, now func() time.Time) *Providers {
	bounded := *client
	bounded.Transport = boundedTransport{client.Transport}
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p := &Providers{publicURL: publicURL, client: &bounded, guard: guard, now: now}
	for _, s := range list {
		p.list = append(p.list, &provider{Settings: s, reading: make(chan struct{}, 1)})
	}
	return p
}

// provider is one provider with what it has published of itself.
type provider struct {
	Settings
	reading chan struct{} // holds one token while the metadata is read

	mu     sync.Mutex
	known  *metadata
	readAt time.Time
}

// metadata is what a provider has published of itself (OpenID Connect Discovery 1.0).
type metadata struct {
	*oidc.Provider
	namesItself bool // its answers have its issuer
	headerAuth  bool // it takes the client's secret in a header
}

// List returns the providers, in their order.
func (p *Providers) List() []domain.IdentityProvider {
	list := make([]domain.IdentityProvider, len(p.list))
	for i, one := range p.list {
		list[i] = one.IdentityProvider
	}
	return list
}

// Authorize returns the address of the provider where a sign-in begins.
func (p *Providers) Authorize(ctx context.Context, s domain.SignIn) (string, error) {
	one, known, err := p.ready(ctx, s.Provider)
	if err != nil {
		return "", err
	}
	return p.clientOf(one, known).AuthCodeURL(s.State, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), nil
}

// clientOf returns this program as a client of a provider. The address to come back to is the provider's own, so that an answer
// of one provider cannot pass for that of another.
func (p *Providers) clientOf(one *provider, known *metadata) *oauth2.Config {
	endpoint := known.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	if known.headerAuth && one.ClientSecret != "" {
		endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: one.ClientID, ClientSecret: one.ClientSecret, Endpoint: endpoint, Scopes: one.Scopes,
		RedirectURL: p.publicURL + "/v1/auth/oidc/" + one.ID + "/callback",
	}
}

// ready returns a provider with its metadata; ErrNoProvider, or ErrProviderUnavailable.
func (p *Providers) ready(ctx context.Context, id string) (*provider, *metadata, error) {
	at := slices.IndexFunc(p.list, func(one *provider) bool { return one.ID == id })
	if at < 0 {
		return nil, nil, ports.ErrNoProvider
	}
	one := p.list[at]
	known, fresh := one.published(p.now())
	if fresh {
		return one, known, nil
	}
	select { // one reads, the others wait for it
	case one.reading <- struct{}{}:
		defer func() { <-one.reading }()
	case <-ctx.Done():
		return nil, nil, unavailable(ctx.Err())
	}
	if known, fresh = one.published(p.now()); fresh {
		return one, known, nil
	}
	read, err := p.discover(ctx, one)
	if err != nil && known != nil {
		return one, known, nil // what it published before, until it answers again
	}
	if err != nil {
		return nil, nil, err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.known, one.readAt = read, p.now()
	return one, read, nil
}

// published returns what is known of a provider, and whether it was read lately.
func (one *provider) published(now time.Time) (known *metadata, fresh bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.known, one.known != nil && now.Sub(one.readAt) < metadataLife
}

// discover reads what a provider publishes of itself.
func (p *Providers) discover(ctx context.Context, one *provider) (read *metadata, err error) {
	err = p.guard.Do(ctx, one.ID, func(ctx context.Context) error {
		found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), one.Issuer)
		if err != nil {
			return clip(err)
		}
		var more struct {
			NamesItself bool     `json:"authorization_response_iss_parameter_supported"`
			TokenAuth   []string `json:"token_endpoint_auth_methods_supported"`
		}
		if err := found.Claims(&more); err != nil {
			return err
		}
		if e := found.Endpoint(); e.AuthURL == "" || e.TokenURL == "" {
			return errors.New("its discovery document has no endpoints")
		}
		read = &metadata{
			Provider: found, namesItself: more.NamesItself,
			headerAuth: more.TokenAuth == nil || slices.Contains(more.TokenAuth, "client_secret_basic"),
		}
		return nil
	})
	if err != nil {
		return nil, unavailable(fmt.Errorf("read what %s publishes: %w", one.Issuer, err))
	}
	return read, nil
}

// clip returns an error with the first part of its text: errors of the libraries have whole answers in them.
func clip(err error) error {
	text := []rune(err.Error())
	if len(text) <= maxErrorText {
		return err
	}
	return errors.New(string(text[:maxErrorText]) + "…")
}

func unavailable(cause error) error {
	failure := ports.ErrProviderUnavailable
	if wait, refused := resilience.IsRefused(cause); refused {
		failure = failure.After(max(wait, time.Second))
	}
	return failure.Because(cause)
}

// boundedTransport cuts off answers that are too long.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := t.RoundTripper
	if inner == nil {
		inner = http.DefaultTransport
	}
	res, err := inner.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}
