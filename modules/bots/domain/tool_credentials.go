package domain

import (
	"net/url"
	"strings"
	"time"
)

// CredentialsType is how a tool shows its credentials.
type CredentialsType string

// The types.
const (
	HeaderCredentials CredentialsType = "header"
	BearerCredentials CredentialsType = "bearer"
	OAuthCredentials  CredentialsType = "oauth_client_credentials"
)

// Credentials are what a target is shown. They are secret.
type Credentials struct {
	Type         CredentialsType `json:"type"`
	Name         string          `json:"name,omitempty"` // of a header, with Value
	Value        string          `json:"value,omitempty"`
	Token        string          `json:"token,omitempty"`     // of a bearer
	TokenURL     string          `json:"token_url,omitempty"` // of OAuth, as the next three
	ClientID     string          `json:"client_id,omitempty"`
	ClientSecret string          `json:"client_secret,omitempty"`
	Scope        string          `json:"scope,omitempty"`
}

// SetCredentials says that a tool has credentials, without what they are.
type SetCredentials struct {
	Type   CredentialsType
	Origin string // that they are sent to
	At     time.Time
	Sealed []byte // encrypted; nil where they are not to be used
}

// CredentialsChange sets or removes the credentials of a tool.
type CredentialsChange struct {
	Given bool         // false: they stay as they are
	New   *Credentials // nil: they are removed
}

// Check returns a *RuleError where credentials do not have exactly the fields of their type, or the tool takes none.
func (c Credentials) Check(kind ToolKind) error {
	if kind == ClientTool {
		return &RuleError{Field: "credentials", Rule: "are only for the kinds http and mcp"}
	}
	fields := []struct {
		name, value string
		of          CredentialsType
	}{
		{"name", c.Name, HeaderCredentials}, {"value", c.Value, HeaderCredentials}, {"token", c.Token, BearerCredentials},
		{"token_url", c.TokenURL, OAuthCredentials}, {"client_id", c.ClientID, OAuthCredentials}, {"client_secret", c.ClientSecret, OAuthCredentials},
	}
	for _, f := range fields {
		switch {
		case f.of == c.Type && f.value == "":
			return &RuleError{Field: "credentials." + f.name, Rule: "is required for the type " + string(c.Type), Code: "REQUIRED"}
		case f.of != c.Type && f.value != "":
			return &RuleError{Field: "credentials." + f.name, Rule: "is not for the type " + string(c.Type)}
		}
	}
	switch {
	case c.Scope != "" && c.Type != OAuthCredentials:
		return &RuleError{Field: "credentials.scope", Rule: "is not for the type " + string(c.Type)}
	case c.Name != "" && !strings.EqualFold(c.Name, "Authorization") && !isOwnHeader(c.Name):
		return &RuleError{Field: "credentials.name", Rule: "must be the name of a header that is not one of HTTP itself"}
	}
	return nil
}

// Origin returns the scheme, host and port of a URL.
func Origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
