package domain

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"
)

// LinkPurpose is what the link of an email is for.
type LinkPurpose string

// The purposes of links.
const (
	ResetsPassword LinkPurpose = "password_reset"
	VerifiesEmail  LinkPurpose = "email_verification"
	LeavesEmail    LinkPurpose = "email_change_from" // to the address that an account gives up
	TakesEmail     LinkPurpose = "email_change_to"   // to the one that it gets
)

const (
	resetLife    = time.Hour
	verifyLife   = 24 * time.Hour
	linkPrefix   = "lnk_"
	codeAlphabet = 1_000_000
)

// CodeTries is how many codes may be tried for one that was sent.
const CodeTries = 5

// LinkFormat is a regular expression for the token of a link.
const LinkFormat = linkPrefix + `[\w-]+`

// AccountLink is a link in an email to an account. It can be used once. An account has one for each purpose, the newest.
type AccountLink struct {
	UserID    uuid.UUID
	Purpose   LinkPurpose
	Address   string // where it was sent to
	TokenHash []byte
	CodeHash  []byte // nil: there is no code
	CreatedAt time.Time
	ExpiresAt time.Time
}

// NewResetLink makes a link to set a password, and its token of 32 random bytes.
func NewResetLink(user uuid.UUID, address string, now time.Time) (l AccountLink, token string) {
	token = newLinkToken()
	return AccountLink{
		UserID: user, Purpose: ResetsPassword, Address: address, TokenHash: HashOf(token), CreatedAt: now, ExpiresAt: now.Add(resetLife),
	}, token
}

// NewVerificationLink makes a link to prove an address, its token and a code of six digits that says the same to who is
// signed in. key is for the hash of the code, of which there are too few for a plain one.
func NewVerificationLink(key []byte, user uuid.UUID, address string, now time.Time) (l AccountLink, token, code string) {
	token = newLinkToken()
	n, _ := rand.Int(rand.Reader, big.NewInt(codeAlphabet)) // it never fails
	code = fmt.Sprintf("%06d", n)
	return AccountLink{
		UserID: user, Purpose: VerifiesEmail, Address: address, TokenHash: HashOf(token), CodeHash: HashOfCode(key, user, code),
		CreatedAt: now, ExpiresAt: now.Add(verifyLife),
	}, token, code
}

// NewChangeLink makes a link to agree to another address of an account, and its token. It is sent to the address that the
// account has, or to the one that it wants.
func NewChangeLink(purpose LinkPurpose, user uuid.UUID, address string, now time.Time) (l AccountLink, token string) {
	token = newLinkToken()
	return AccountLink{
		UserID: user, Purpose: purpose, Address: address, TokenHash: HashOf(token), CreatedAt: now, ExpiresAt: now.Add(verifyLife),
	}, token
}

// AddressChange is a change of an account's address, one of whose links was used.
type AddressChange struct {
	From, To string
	Agreed   bool  // from both addresses
	Proof    Proof // of the new address, where that has agreed
}

// HashOfCode returns the keyed hash under which the code of a user is stored.
func HashOfCode(key []byte, user uuid.UUID, code string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(user[:])
	mac.Write([]byte(code))
	return mac.Sum(nil)
}

func newLinkToken() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	return linkPrefix + base64.RawURLEncoding.EncodeToString(secret)
}
