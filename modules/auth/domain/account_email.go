package domain

import (
	"time"

	"github.com/google/uuid"
)

// EmailKind says what an email is about. There is a text for each in each language.
type EmailKind string

// The kinds of emails.
const (
	EmailInvitation      EmailKind = "invitation"
	EmailVerification    EmailKind = "email_verification"
	EmailPasswordReset   EmailKind = "password_reset"
	EmailPasswordChanged EmailKind = "password_changed"
	EmailNewDevice       EmailKind = "new_device"

	EmailFactorSet            EmailKind = "second_factor_set"
	EmailFactorRemoved        EmailKind = "second_factor_removed"
	EmailRecoveryCodeUsed     EmailKind = "recovery_code_used"
	EmailRecoveryCodesRenewed EmailKind = "recovery_codes_renewed"
	EmailIdentityLinked       EmailKind = "identity_linked"
	EmailChangeFrom           EmailKind = "email_change_from" // to the address that an account is to give up
	EmailChangeTo             EmailKind = "email_change_to"   // to the address that it is to have
	EmailChanged              EmailKind = "email_changed"     // to the address that it had
	EmailAddressInUse         EmailKind = "address_in_use"    // to the owner of an address with which somebody has made another account
)

// AccountEmail is an email about an account that waits to be sent.
type AccountEmail struct {
	ID        uuid.UUID
	Kind      EmailKind
	UserID    uuid.UUID // the zero id: of whoever has the address, if anybody
	Address   string
	Language  string // as the client accepts it: an Accept-Language (RFC 9110, 12.5.4), or a language of ours
	TraceID   string
	Attempt   int // from 1 on
	CreatedAt time.Time
	Device    *SeenDevice // that the email is about, or that has asked for it; nil where it is not kept
}

// SeenDevice is a device on which somebody has signed in to an account, as far as it says what it is.
type SeenDevice struct {
	Program string `json:"program"` // of an Agent
	System  string `json:"system"`  // of an Agent
	Network string `json:"network"` // such as 203.0.113.0/24; "" where it is not known
}

// EmailAsker is who has asked for an email about an account.
type EmailAsker struct {
	Network string // as Client.Network gives it; "": it does not matter
	Known   bool   // the account has signed in from that network: others cannot use up what may be sent from there
}

// Seen returns the client as emails describe it.
func (c Client) Seen() *SeenDevice {
	agent := c.Agent()
	return &SeenDevice{Program: agent.Program, System: agent.System, Network: c.Network()}
}

// Times of emails about accounts.
const (
	emailRetryFirst = 5 * time.Second
	emailRetryMax   = 10 * time.Minute
	emailLife       = 24 * time.Hour
)

// RetryAfter returns when to try again after a failure; false where the email is too old for that.
func (e AccountEmail) RetryAfter(now time.Time) (time.Duration, bool) {
	wait := min(emailRetryFirst<<min(e.Attempt-1, 10), emailRetryMax)
	return wait, now.Add(wait).Sub(e.CreatedAt) < emailLife
}

// EmailFacts are what the text of an email says. A kind uses some of them.
type EmailFacts struct {
	Link      string    // a URL with a token
	Code      string    // six digits
	Until     time.Time // until when link, code or token are valid
	At        time.Time // when it happened
	Address   string    // of the reader
	Other     string    // another address, which the account is to have or has by now
	Inviter   string
	Role      Role
	Workspace string
	Token     string
	Device    SeenDevice
	Made      time.Time // when the account was made
}
