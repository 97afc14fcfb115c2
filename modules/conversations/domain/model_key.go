package domain

import (
	"errors"
	"strings"
	"time"
)

// ModelKey is a workspace's own key for a provider. Its secret is never shown again and is in no log.
type ModelKey struct {
	Provider  string
	BaseURL   *string // nil: the provider's public address
	CreatedAt time.Time

	secret, lastFour string
}

// ErrModelKey states what a key may be: what an HTTP header can contain, and long enough that its last characters do
// not reveal it.
var ErrModelKey = errors.New("must have 8 to 500 visible ASCII characters")

// ModelKeyFormat is a regular expression for the keys of OpenAI and Anthropic. Keys of other servers may have any form.
const ModelKeyFormat = `\bsk-[\w-]+`

// NewModelKey checks a key and returns it.
func NewModelKey(provider, secret string, baseURL *string) (ModelKey, error) {
	if provider != OpenAI && provider != Anthropic {
		return ModelKey{}, ErrModelName
	}
	if len(secret) < 8 || len(secret) > 500 || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ModelKey{}, ErrModelKey
	}
	return ModelKey{Provider: provider, BaseURL: baseURL, secret: secret, lastFour: secret[len(secret)-4:]}, nil
}

// KeptModelKey returns a stored key for a list, without its secret.
func KeptModelKey(provider, lastFour string, baseURL *string, createdAt time.Time) ModelKey {
	return ModelKey{Provider: provider, BaseURL: baseURL, CreatedAt: createdAt, lastFour: lastFour}
}

// Secret returns the key itself; empty for a listed key.
func (k ModelKey) Secret() string { return k.secret }

// LastFour returns the last four characters, by which users recognize the key.
func (k ModelKey) LastFour() string { return k.lastFour }
