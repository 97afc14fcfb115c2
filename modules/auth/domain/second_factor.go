package domain

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Method is a way in which a user proves who it is (RFC 8176 where that has a name for it).
type Method string

// The methods.
const (
	MethodPassword     Method = "pwd"
	MethodProvider     Method = "oidc"     // by an identity provider
	MethodTOTP         Method = "otp"      // a code of an authenticator app
	MethodRecoveryCode Method = "recovery" // in place of such a code
)

// WithSecondFactor reports whether a second factor is among methods.
func WithSecondFactor(methods []Method) bool {
	return slices.Contains(methods, MethodTOTP) || slices.Contains(methods, MethodRecoveryCode)
}

// Limits of second factors.
const (
	// MaxWrongCodes is how many wrong codes of an authenticator in a row are compared at most. After that only a recovery
	// code is accepted.
	MaxWrongCodes = 100
	// TicketTries is how many codes may be tried with a ticket.
	TicketTries = 5
	// TicketsKept is how many tickets a user has at most. A new one replaces the oldest.
	TicketsKept = 10

	ticketLife    = 5 * time.Minute
	recoveryCodes = 10
)

// Authenticator is an app that shows codes by time (TOTP, RFC 6238) to a user.
type Authenticator struct {
	ID          uuid.UUID
	UserID      uuid.UUID
	Secret      string // in base32; "" where it was not read
	LastStep    int64  // the newest time step whose code was accepted
	CreatedAt   time.Time
	ConfirmedAt *time.Time // nil: the user has shown no code of it yet, and it is no factor
}

// NewAuthenticator makes an authenticator that is not confirmed yet.
func NewAuthenticator(user uuid.UUID, secret string, now time.Time) Authenticator {
	return Authenticator{ID: uuid.Must(uuid.NewV7()), UserID: user, Secret: secret, CreatedAt: now}
}

// IsTOTP reports whether a code has the form of an authenticator's: six digits. Any other is meant as a recovery code.
func IsTOTP(code string) bool {
	return len(code) == 6 && !strings.ContainsFunc(code, func(r rune) bool { return r < '0' || r > '9' })
}

// recoveryAlphabet has no letters that are taken for others: Crockford's base32, in capitals.
const recoveryAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewRecoveryCodes makes ten codes of 120 random bits each, in the form of RecoveryCodeFormat.
func NewRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		raw := make([]byte, 15)
		_, _ = rand.Read(raw) // it never fails
		text := base32.NewEncoding(recoveryAlphabet).WithPadding(base32.NoPadding).EncodeToString(raw)
		codes[i] = strings.Join([]string{text[:6], text[6:12], text[12:18], text[18:]}, "-")
	}
	return codes
}

// RecoveryCodeFormat is a regular expression for a recovery code as it is shown.
const RecoveryCodeFormat = `\b(?:[0-9A-HJKMNP-TV-Z]{6}-){3}[0-9A-HJKMNP-TV-Z]{6}\b`

// HashOfRecoveryCode returns the hash under which a recovery code of a user is stored, however it is spelled: without
// regard to case, spaces and hyphens, and with O, I and L for the digits that they look like. A code has so many random
// bits that a plain hash of it cannot be searched for.
func HashOfRecoveryCode(user uuid.UUID, code string) []byte {
	code = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(code))
	sum := sha256.Sum256(slices.Concat(user[:], []byte("recovery code "), []byte(code)))
	return sum[:]
}

// Ticket is a log-in whose first step is done and which waits for a second factor. It can be used once.
type Ticket struct {
	UserID        uuid.UUID
	TokenHash     []byte
	WorkspaceID   uuid.UUID // of the session that it opens; the zero id: in none
	Methods       []Method  // by which the first step was done
	PasswordPrint []byte    // of the hash of the password: another password makes the ticket worthless
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

const ticketPrefix = "tkt_"

// TicketFormat is a regular expression for the token of a ticket.
const TicketFormat = ticketPrefix + `[\w-]+`

// NewTicket makes a ticket and its token, which names the user and has 32 random bytes.
func NewTicket(user, workspace uuid.UUID, methods []Method, passwordHash string, now time.Time) (t Ticket, token string) {
	raw := slices.Concat(user[:], make([]byte, 32))
	_, _ = rand.Read(raw[len(user):]) // it never fails
	token = ticketPrefix + base64.RawURLEncoding.EncodeToString(raw)
	return Ticket{
		UserID: user, TokenHash: HashOf(token), WorkspaceID: workspace, Methods: methods, PasswordPrint: HashOf(passwordHash),
		CreatedAt: now, ExpiresAt: now.Add(ticketLife),
	}, token
}

// TicketUser returns whose ticket a token is, if there is such a ticket; false for a text that is none.
func TicketUser(token string) (user uuid.UUID, ok bool) {
	text, ok := strings.CutPrefix(token, ticketPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(raw) != len(user)+32 {
		return uuid.Nil, false
	}
	return uuid.UUID(raw[:len(user)]), true
}
