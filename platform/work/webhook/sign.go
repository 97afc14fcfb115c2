// Package webhook provides the parts that inbound and outbound webhooks need: signatures as Standard Webhooks specifies
// them, secrets that are stored sealed, and a client that does not connect to addresses which are not public.
//
// The specification is https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md; its own
// library signs and compares. This package first refuses what the library accepts: an empty or short secret, with which
// anybody could sign, and a repeated header. It also takes the time as a parameter, which the library does not.
package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The headers of a signed message.
const (
	HeaderID        = standardwebhooks.HeaderWebhookID
	HeaderTimestamp = standardwebhooks.HeaderWebhookTimestamp
	HeaderSignature = standardwebhooks.HeaderWebhookSignature
)

// The same headers under the names of Svix, on whose scheme Standard Webhooks is based
// (https://docs.svix.com/receiving/verifying-payloads/how-manual).
const (
	SvixID        = "svix-id"
	SvixTimestamp = "svix-timestamp"
	SvixSignature = "svix-signature"
)

// The reasons why a message is rejected.
var (
	ErrHeader    = errors.New("webhook: a header is missing, there twice or malformed")
	ErrTimestamp = errors.New("webhook: the timestamp is more than five minutes off")
	ErrSignature = errors.New("webhook: no signature fits")
)

const (
	tolerance     = 5 * time.Minute
	secretPrefix  = "whsec_"
	newSecretSize = 32 // bytes
	minSecretSize = 24 // bytes; the specification has 24 to 64
	maxSecretSize = 64
	maxIDSize     = 256
)

// SecretFormat is a regular expression that matches a secret, also as part of a URL.
const SecretFormat = secretPrefix + `[\w+/=%-]+`

// NewSecret returns a new secret in its text form.
func NewSecret() string {
	raw := make([]byte, newSecretSize)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(raw)
}

// key reads a secret.
func key(secret string) (*standardwebhooks.Webhook, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(raw) < minSecretSize || len(raw) > maxSecretSize {
		return nil, fmt.Errorf("webhook: a secret is %s and the base64 of %d to %d bytes", secretPrefix, minSecretSize, maxSecretSize)
	}
	return standardwebhooks.NewWebhookRaw(raw)
}

// Sign returns the headers of a message, with a signature by each secret. Each attempt is signed again, under the same
// id.
func Sign(secrets []string, id string, at time.Time, body []byte) (http.Header, error) {
	if len(secrets) == 0 || !isID(id) {
		return nil, errors.New("webhook: a message is signed with a secret and has an id")
	}
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		k, err := key(secret)
		if err != nil {
			return nil, err
		}
		if signatures[i], err = k.Sign(id, at, body); err != nil {
			return nil, fmt.Errorf("sign a webhook: %w", err)
		}
	}
	h := http.Header{}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(HeaderSignature, strings.Join(signatures, " "))
	return h, nil
}

// Verify reports whether one of the secrets has signed a message within the last five minutes (or the next five, as
// clocks differ), and returns the id of the message. The headers have the names of Standard Webhooks or those of Svix.
// The Svix headers are used only if there is no header of Standard Webhooks: the two are never mixed. The errors are
// ErrHeader, ErrTimestamp and ErrSignature. If there are no secrets, or none that can sign, every message is rejected.
func Verify(secrets []string, h http.Header, body []byte, now time.Time) (id string, err error) {
	if h, err = signedHeaders(h); err != nil {
		return "", err
	}
	if id = h.Get(HeaderID); !isID(id) {
		return "", fmt.Errorf("%w: %s", ErrHeader, HeaderID)
	}
	seconds, err := strconv.ParseInt(h.Get(HeaderTimestamp), 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrHeader, HeaderTimestamp)
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return "", ErrTimestamp
	}
	for _, secret := range secrets {
		k, err := key(secret)
		if err == nil && k.VerifyIgnoringTimestamp(body, h) == nil { // compares in constant time
			return id, nil
		}
	}
	return "", ErrSignature
}

// signedHeaders returns the headers of a message, each there once, under the names of Standard Webhooks.
func signedHeaders(h http.Header) (http.Header, error) {
	standard := []string{HeaderID, HeaderTimestamp, HeaderSignature}
	names := []string{SvixID, SvixTimestamp, SvixSignature}
	isThere := func(name string) bool { return len(h.Values(name)) > 0 }
	if slices.ContainsFunc(standard, isThere) || !slices.ContainsFunc(names, isThere) {
		names = standard
	}
	signed := http.Header{}
	for i, name := range names {
		if len(h.Values(name)) != 1 {
			return nil, fmt.Errorf("%w: %s", ErrHeader, name)
		}
		signed.Set(standard[i], h.Get(name))
	}
	return signed, nil
}

// isID reports whether a text is valid as an id: printable ASCII without a dot. A dot separates the id from the
// timestamp in the signed text, so an id with a dot would allow two messages to have the same signature.
func isID(id string) bool {
	if id == "" || len(id) > maxIDSize {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '.' })
}
