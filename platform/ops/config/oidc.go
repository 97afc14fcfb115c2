package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// OIDCProvider is an identity provider of OIDC_PROVIDERS.
type OIDCProvider struct {
	ID           string   `json:"id"`   // in the addresses of the API
	Name         string   `json:"name"` // for people; the id where none is set
	Issuer       string   `json:"issuer"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"` // "" for a client without one
	Scopes       []string `json:"scopes"`        // beside openid; email and profile where none is set
	GroupsClaim  string   `json:"groups_claim"`
	// VerifiedClaim is the claim that says whether the address is verified; email_verified where none is set.
	VerifiedClaim string     `json:"verified_claim"`
	Roles         []OIDCRole `json:"roles"`
}

// OIDCRole is the role that a group of a provider has in a workspace. The group * is everybody.
type OIDCRole struct {
	Group     string    `json:"group"`
	Workspace uuid.UUID `json:"workspace"`
	Role      string    `json:"role"`
}

// Limits of OIDC_PROVIDERS.
const (
	maxOIDCProviders = 20
	maxOIDCRoles     = 1000 // of a provider
	maxOIDCText      = 1000 // characters
)

var oidcID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// OIDCProviders returns the parsed OIDC_PROVIDERS, in their order.
func (c *Config) OIDCProviders() []OIDCProvider { return c.providers }

// parseOIDC reads OIDC_PROVIDERS. The error names the provider and what is wrong; it repeats no value.
func (c *Config) parseOIDC() error {
	if c.OIDC == "" {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(c.OIDC)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c.providers); err != nil {
		return errors.New("should be a JSON array of objects with id, name, issuer, client_id, client_secret, scopes, groups_claim, verified_claim and roles, and no other keys")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("should be one JSON array and nothing behind it")
	}
	if n := len(c.providers); n < 1 || n > maxOIDCProviders {
		return fmt.Errorf("should have from 1 to %d providers", maxOIDCProviders)
	}
	if c.Production() && c.PublicURL == "" {
		return errors.New("PUBLIC_URL must be set beside it in production, to the address that providers send people back to")
	}
	seen := map[string]bool{}
	for i := range c.providers {
		p := &c.providers[i]
		if !oidcID.MatchString(p.ID) || seen[p.ID] {
			return fmt.Errorf("provider %d: id should be up to 32 lower-case letters, digits and dashes that no other provider has", i+1)
		}
		seen[p.ID] = true
		if err := p.check(c.Production()); err != nil {
			return fmt.Errorf("%s: %w", p.ID, err)
		}
		p.setDefaults()
	}
	return nil
}

func (p *OIDCProvider) setDefaults() {
	if p.Name == "" {
		p.Name = p.ID
	}
	if len(p.Scopes) == 0 {
		p.Scopes = []string{"email", "profile"}
	}
	p.Scopes = append([]string{"openid"}, slices.DeleteFunc(slices.Clone(p.Scopes), func(s string) bool { return s == "openid" })...)
	if p.VerifiedClaim == "" {
		p.VerifiedClaim = "email_verified"
	}
}

func (p *OIDCProvider) check(production bool) error {
	switch {
	case !isIssuer(p.Issuer, production):
		return errors.New("issuer should be an https URL without a query, exactly as the provider's discovery document has it (http only for a loopback address outside production)")
	case p.ClientID == "" || !isVisible(p.ClientID):
		return errors.New("client_id should be the id that the provider has given this application")
	case !isVisible(p.ClientSecret):
		return errors.New("client_secret should have no spaces; leave it out for a client without one")
	case slices.ContainsFunc(p.Scopes, func(s string) bool { return s == "" || !isVisible(s) }):
		return errors.New("scopes should be a list of names such as email")
	case len(p.Roles) > 0 && p.GroupsClaim == "":
		return errors.New("groups_claim must be set beside roles, to the claim that has the groups")
	case len(p.Roles) > maxOIDCRoles:
		return fmt.Errorf("roles should have up to %d items", maxOIDCRoles)
	}
	for _, text := range []string{p.Name, p.Issuer, p.ClientID, p.ClientSecret, p.GroupsClaim, p.VerifiedClaim} {
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxOIDCText {
			return fmt.Errorf("no text should be longer than %d characters", maxOIDCText)
		}
	}
	for i, r := range p.Roles {
		if r.Group == "" || r.Workspace == uuid.Nil || !slices.Contains([]string{"owner", "admin", "editor", "viewer"}, r.Role) {
			return fmt.Errorf("item %d of roles should have a group, the id of a workspace, and a role: owner, admin, editor or viewer", i+1)
		}
	}
	return nil
}

// isIssuer reports whether a text can be the issuer of an identity provider (OpenID Connect Discovery 1.0, section 3).
func isIssuer(text string, production bool) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(text, "?# ") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && !production && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// ReturnOrigins returns the origins that a sign-in may lead back to: that of PUBLIC_URL and those of CORS_ALLOW_ORIGINS, but
// no *.
func (c *Config) ReturnOrigins() []string {
	origins := []string{c.PublicURL}
	for _, origin := range c.CORSOrigins {
		if origin != "*" {
			origins = append(origins, origin)
		}
	}
	return origins
}
