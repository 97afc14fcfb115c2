// Package totp makes and compares codes of authenticator apps: TOTP (RFC 6238) with SHA-1, six digits and steps of 30
// seconds, which is what all apps know.
package totp

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/parley/parley/modules/auth/ports"
)

const (
	period     = 30 // seconds
	skew       = 1  // steps before and after that are accepted
	secretSize = 20 // bytes: as long as a SHA-1
)

// Format is a regular expression for the secret of an authenticator: 160 bits in base32.
const Format = `\b[A-Z2-7]{32}\b`

// Codes makes and compares codes. It is safe for concurrent use.
type Codes struct {
	Issuer string // who the account is with, as apps show it
}

var _ ports.OneTimeCodes = Codes{}

func (c Codes) New(address string) (secret, uri string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: c.Issuer, AccountName: address, Period: period, SecretSize: secretSize, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return "", "", fmt.Errorf("make the secret of an authenticator: %w", err)
	}
	return key.Secret(), key.URL(), nil
}

// Step compares with all codes that it accepts, so that its time does not tell which of them fits.
func (c Codes) Step(secret, code string, after int64, at time.Time) (step int64, ok bool) {
	now := at.Unix() / period
	for s := now - skew; s <= now+skew; s++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && s > after && !ok {
			step, ok = s, true
		}
	}
	return step, ok
}
