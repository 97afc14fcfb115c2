package domain

import (
	"time"

	"github.com/google/uuid"
)

// User is an account, as an operator sees it.
type User struct {
	ID         uuid.UUID
	Email      string
	CreatedAt  time.Time
	DisabledAt *time.Time // since when the user cannot log in; nil: not disabled
	VerifiedAt *time.Time // when the user proved that the address is its own; nil: not yet
	// VerifiedByLink means that only the link of an email has proved the address: who made the account and who has the mailbox
	// may be two people.
	VerifiedByLink bool
}

// Proof is how an account has proved that its address is its own.
type Proof string

// The proofs, from none to the strongest.
const (
	NoProof      Proof = "none"
	LinkProof    Proof = "link"    // the link of an email alone
	AccountProof Proof = "account" // an email together with a session or the password of the account, or a proof that needs no email
)

// Proof returns how the user has proved its address.
func (u User) Proof() Proof { return ProofOf(u.VerifiedAt, u.VerifiedByLink) }

// ProofOf returns the proof that was made at a time; nil: none was.
func ProofOf(at *time.Time, byLink bool) Proof {
	switch {
	case at == nil:
		return NoProof
	case byLink:
		return LinkProof
	default:
		return AccountProof
	}
}

// WorkspaceSummary is a workspace, as an operator sees it.
type WorkspaceSummary struct {
	ID        uuid.UUID
	Name      string
	CreatedAt time.Time
	DeletedAt *time.Time // nil: it is not deleted
	Members   int64
}
