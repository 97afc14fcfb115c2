package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of second factors.
var (
	// ErrFactorRequired has details.ticket, for POST /v1/auth/login/factor.
	ErrFactorRequired = fail.New(fail.Unauthenticated, "SECOND_FACTOR_REQUIRED",
		"this account has a second factor: send details.ticket with a code to POST /v1/auth/login/factor")
	ErrBadTicket      = fail.New(fail.Unauthenticated, "INVALID_TICKET", "this ticket is unknown, was used, has expired, or was tried too often: log in again")
	ErrWrongFactor    = fail.New(fail.Unauthenticated, "WRONG_CODE", "this is no code of the authenticator now, or was used already: wait for the next one, or use a recovery code")
	ErrFactorLocked   = fail.New(fail.Unauthenticated, "SECOND_FACTOR_LOCKED", "too many wrong codes were tried: use a recovery code, or ask whoever runs this service")
	ErrFactorExists   = fail.New(fail.Conflict, "SECOND_FACTOR_EXISTS", "this account has an authenticator: remove it before you set another")
	ErrNoFactor       = fail.New(fail.NotFound, "SECOND_FACTOR_NOT_FOUND", "this account has no authenticator: set one with POST /v1/auth/factors/totp")
	ErrOwnFactorFirst = fail.New(fail.Conflict, "SECOND_FACTOR_MISSING", "you have no second factor yourself: set one with POST /v1/auth/factors/totp, then demand it of others")
	ErrWrongTOTP      = fail.New(fail.Invalid, "WRONG_CODE", "this is no code of the new authenticator now: compare the clock of the device, and send the code that it shows")
)

// LockedAccount is what opening a session and changing second factors have to know of a user.
type LockedAccount struct {
	Email, PasswordHash string
	Disabled            bool
	SecondFactor        bool // it has one
}

// Authenticators stores the authenticators of users, one each at most. The user is that of the context.
type Authenticators interface {
	// Find returns the authenticator with its secret; ErrNoFactor where there is none.
	Find(ctx context.Context) (domain.Authenticator, error)
	// Replace stores an authenticator that is not confirmed, in place of another such one; ErrFactorExists where a
	// confirmed one is stored.
	Replace(ctx context.Context, a domain.Authenticator) error
	// Confirm makes an authenticator a factor, whose code of a time step was right; ErrNoFactor where it is no longer the
	// one that is stored, or is confirmed already.
	Confirm(ctx context.Context, a domain.Authenticator, step int64, at time.Time) error
	// Remove removes the authenticator, with recovery codes and tickets, and reports whether it was a factor.
	Remove(ctx context.Context) (wasFactor bool, err error)
}

// Factors is the use of second factors. The user is that of the context.
type Factors interface {
	// LockAccount locks the user until the transaction ends, and returns what is known of it; ErrNoUser where it was removed.
	LockAccount(ctx context.Context, user uuid.UUID) (LockedAccount, error)
	// TryTOTP counts a try of a code, in the transaction of the context or in one of its own, and returns the authenticator
	// for comparison. ErrNoFactor where there is none, ErrFactorLocked after domain.MaxWrongCodes wrong codes in a row.
	TryTOTP(ctx context.Context) (domain.Authenticator, error)
	// AcceptStep uses up a time step of an authenticator; ErrWrongFactor where this step or a later one is used up already.
	AcceptStep(ctx context.Context, authenticator uuid.UUID, step int64) error
}

// RecoveryCodes stores the hashes of recovery codes. The user is that of the context.
type RecoveryCodes interface {
	// Replace stores codes in place of all others.
	Replace(ctx context.Context, hashes [][]byte, at time.Time) error
	// Has reports whether there is a code.
	Has(ctx context.Context, hash []byte) (bool, error)
	// Use uses up a code, and forgets wrong codes of the authenticator; ErrWrongFactor where there is no such code.
	Use(ctx context.Context, hash []byte) error
	// Count returns how many codes are left.
	Count(ctx context.Context) (int, error)
}

// Tickets stores tickets of log-ins. The user is that of the context.
type Tickets interface {
	Add(ctx context.Context, t domain.Ticket) error
	// Find returns a valid ticket of the user by the hash of its token; ErrBadTicket where there is none.
	Find(ctx context.Context, hash []byte, at time.Time) (domain.Ticket, error)
	// Try counts a try of a code; ErrBadTicket where the ticket is no longer valid.
	Try(ctx context.Context, t domain.Ticket, at time.Time) error
	// Use uses up a ticket; ErrBadTicket where that was done already.
	Use(ctx context.Context, t domain.Ticket, at time.Time) error
}

// FactorDemands stores whether the workspace of the context demands a second factor of its members.
type FactorDemands interface {
	FactorDemanded(ctx context.Context) (bool, error)
	// DemandFactor queues the change.
	DemandFactor(ctx context.Context, demanded bool) error
}

// OneTimeCodes makes and compares the codes of authenticators.
type OneTimeCodes interface {
	// New makes a secret of 160 random bits, in base32, and its otpauth URI for the account of an address.
	New(address string) (secret, uri string, err error)
	// Step returns the time step whose code a text is: that of a time, the one before or the one after, but no step up to
	// after. false where it is the code of none.
	Step(secret, code string, after int64, at time.Time) (step int64, ok bool)
}
