package domain

import (
	"errors"
	"strings"
	"time"
)

// ModelKey is a workspace's own access to a provider. What is secret in it is never shown again, and in no log.
type ModelKey struct {
	Provider  string
	BaseURL   *string // nil: the provider's public address
	CreatedAt time.Time

	secret, lastFour string
}

// ErrModelKey says what a key may be: what an HTTP header can hold, and long enough that its end gives nothing away.
var ErrModelKey = errors.New("must have 8 to 500 visible ASCII characters")

// ModelKeyFormat is a regular expression for the keys that OpenAI and Anthropic give out. Other servers have keys of any form.
const ModelKeyFormat = `\bsk-[\w-]+`

// NewModelKey takes a key.
func NewModelKey(provider, secret string, baseURL *string) (ModelKey, error) {
	if provider != OpenAI && provider != Anthropic {
		return ModelKey{}, ErrModelName
	}
	if len(secret) < 8 || len(secret) > 500 || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ModelKey{}, ErrModelKey
	}
	return ModelKey{Provider: provider, BaseURL: baseURL, secret: secret, lastFour: secret[len(secret)-4:]}, nil
}

// KeptModelKey is a key as it is listed: without its secret.
func KeptModelKey(provider, lastFour string, baseURL *string, createdAt time.Time) ModelKey {
	return ModelKey{Provider: provider, BaseURL: baseURL, CreatedAt: createdAt, lastFour: lastFour}
}

// Secret is the key itself; empty in what is listed.
func (k ModelKey) Secret() string { return k.secret }

// LastFour are the characters by which people know it again.
func (k ModelKey) LastFour() string { return k.lastFour }
