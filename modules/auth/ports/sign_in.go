package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of sign-in at an identity provider.
var (
	ErrNoProvider = fail.New(fail.NotFound, "OIDC_PROVIDER_NOT_FOUND",
		"there is no such identity provider: GET /v1/auth/oidc lists those that there are")
	ErrProviderUnavailable = fail.New(fail.Unavailable, "OIDC_PROVIDER_UNAVAILABLE",
		"the identity provider does not answer as it should: try again shortly, or log in another way").After(5 * time.Second)
	ErrSignInState = fail.New(fail.Malformed, "OIDC_STATE_INVALID",
		"this browser has not begun this sign-in, has finished it before, or took more than ten minutes: begin again")
	ErrSignInRefused = fail.New(fail.Forbidden, "OIDC_SIGN_IN_REFUSED",
		"the identity provider has not signed you in: begin again, or ask whoever runs it")
	ErrSignInFailed = fail.New(fail.Unauthenticated, "OIDC_SIGN_IN_FAILED",
		"the answer of the identity provider cannot be trusted: begin again; if it comes again, tell the operator, whose log has the reason")
	ErrSignInCode = fail.New(fail.Unauthenticated, "OIDC_CODE_INVALID",
		"the code is unknown, was used, has expired, or is of a sign-in that another browser or application has begun: begin again")
	ErrAddressNotProved = fail.New(fail.Forbidden, "OIDC_EMAIL_UNVERIFIED",
		"the identity provider does not say that your e-mail address is verified: verify it there, then sign in again")
	ErrAccountNotProved = fail.New(fail.Forbidden, "OIDC_ACCOUNT_UNVERIFIED",
		"an account has this e-mail address and has not proved it together with its password: log in to it and verify the address by the code of an email, or set another password by POST /v1/auth/password/forgot, then sign in again")
	ErrIdentityNotFound = fail.New(fail.NotFound, "IDENTITY_NOT_FOUND", "you have no such identity")
	ErrLastSignIn       = fail.New(fail.Conflict, "LAST_SIGN_IN_METHOD",
		"this is the only way to sign in to the account: set a password first, by POST /v1/auth/password/forgot")
	ErrNoPassword = fail.New(fail.Conflict, "NO_PASSWORD",
		"this account has no password: set one by POST /v1/auth/password/forgot")
)

// IdentityProviders are where people may sign in.
type IdentityProviders interface {
	// List returns the providers, in the order in which they are configured.
	List() []domain.IdentityProvider
	// Authorize returns the address of the provider where a sign-in begins; ErrNoProvider, or ErrProviderUnavailable.
	Authorize(ctx context.Context, s domain.SignIn) (address string, err error)
	// Redeem changes the code of the provider's answer for what it says about the person, and checks that. issuer is that
	// of the answer (RFC 9207), "" for none. It returns ErrSignInFailed, or ErrProviderUnavailable.
	Redeem(ctx context.Context, s domain.SignIn, code, issuer string) (domain.Assertion, error)
}

// SignInSeals encrypts sign-ins, for browsers to keep.
type SignInSeals interface {
	Seal(s domain.SignIn) (string, error)
	// Open returns the sign-in of a text; false for one that was not sealed here.
	Open(text string) (domain.SignIn, bool)
}

// SignIns stores sign-ins that have come back from identity providers, outside of any workspace and for nobody.
type SignIns interface {
	// Claim uses a state, once, and remembers that until a time; ErrSignInState where it was used before.
	Claim(ctx context.Context, state string, until time.Time) error
	// Finish stores the finished sign-in of a state that was claimed, under the hash of its code.
	Finish(ctx context.Context, state string, done domain.FinishedSignIn, codeHash []byte) error
	// Find returns the finished sign-in of a code; ErrSignInCode where there is none.
	Find(ctx context.Context, codeHash []byte) (domain.FinishedSignIn, error)
	// Use uses a code, once, and forgets its sign-in; ErrSignInCode where it was used before.
	Use(ctx context.Context, codeHash []byte) error
}

// Identities stores which subjects of identity providers sign in to which accounts.
type Identities interface {
	// Find returns the user whom a subject signs in, for any user; the zero id where there is none.
	Find(ctx context.Context, issuer, subject string) (uuid.UUID, error)
	// Owner returns the user of the context, and locks it until the transaction ends; ErrNoUser where there is none.
	Owner(ctx context.Context) (domain.AccountOwner, error)
	// Save stores an identity of the user of the context. Of one that is stored it changes when it was used and its address.
	Save(ctx context.Context, i domain.Identity) error
	// List returns the identities of the user of the context, oldest first.
	List(ctx context.Context) ([]domain.Identity, error)
	// Remove removes an identity of the user of the context.
	Remove(ctx context.Context, id uuid.UUID) error
}

// Joins makes users members of the workspace of the context without an invitation.
type Joins interface {
	// Open reports whether the workspace exists and is not deleted.
	Open(ctx context.Context) (bool, error)
	// Join makes a user a member; fail.ErrLimitReached where the workspace may not have one more.
	Join(ctx context.Context, user uuid.UUID, role domain.Role, at time.Time) error
}

// MemberAudit records changes of members in the audit log of the workspace of the context.
type MemberAudit interface {
	Member(ctx context.Context, action string, user uuid.UUID, changes map[string]any) error
}
