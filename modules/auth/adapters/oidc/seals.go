package oidc

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/ops/secret"
)

// Seals encrypts sign-ins for browsers to keep.
type Seals struct{ Box *secret.Box }

var _ ports.SignInSeals = Seals{}

// sealContext binds the sealed text to its purpose.
const sealContext = "sign-in"

// Seal returns a sign-in as text that only Open can read.
func (s Seals) Seal(signIn domain.SignIn) (string, error) {
	plain, err := json.Marshal(signIn)
	if err != nil {
		return "", fmt.Errorf("encode a sign-in: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.Box.Seal(plain, []byte(sealContext))), nil
}

// Open returns the sign-in of a text.
func (s Seals) Open(text string) (signIn domain.SignIn, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return domain.SignIn{}, false
	}
	plain, err := s.Box.Open(sealed, []byte(sealContext))
	if err != nil || json.Unmarshal(plain, &signIn) != nil {
		return domain.SignIn{}, false
	}
	return signIn, true
}
