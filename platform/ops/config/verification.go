package config

import "slices"

// Values of EMAIL_VERIFICATION.
const (
	VerificationRequired = "required" // accounts that have not proved their address may do less, and do not block it
	VerificationOptional = "optional" // new accounts are asked to prove their address, and nothing depends on it
	VerificationOff      = "off"      // nobody is asked
)

func isVerification(value string) bool {
	return slices.Contains([]string{"", VerificationRequired, VerificationOptional, VerificationOff}, value)
}

// defaultVerification returns what an unset EMAIL_VERIFICATION means.
func (c *Config) defaultVerification() string {
	if c.Production() && c.SMTPURL != "" {
		return VerificationRequired
	}
	return VerificationOptional
}
