// Package ports declares what the use cases of auth need from outside.
package ports

import (
	"context"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors that adapters and use cases return.
var (
	ErrEmailExists        = fail.New(fail.Conflict, "EMAIL_ALREADY_EXISTS", "this e-mail address is registered already: log in")
	ErrAddressProved      = fail.New(fail.Conflict, "EMAIL_ALREADY_EXISTS", "another account has proved this address: log in to that one, with its password or another that you set by \"forgot password\"")
	ErrSignUpClosed       = fail.New(fail.Forbidden, "SIGN_UP_CLOSED", "nobody can register here: ask for an invitation, or the operator for an account")
	ErrInvalidCredentials = fail.New(fail.Unauthenticated, "INVALID_CREDENTIALS", "the e-mail address or the password is wrong")
	ErrPasswordChanged    = fail.New(fail.Conflict, "CONFLICT", "the password was changed meanwhile: log in with the new one")
	ErrTooManyAttempts    = fail.New(fail.TooMany, "RATE_LIMIT_EXCEEDED", "too many wrong passwords: wait as long as Retry-After says")
	ErrOtherAccount       = fail.New(fail.Forbidden, "LINK_OF_ANOTHER_ACCOUNT", "the link is of another account than you are signed in to: look in the email which one that is, and send its password along; if you did not make it, use no link of that email")
	ErrNotItsPassword     = fail.New(fail.Unauthenticated, "INVALID_CREDENTIALS", "this is not the password of the account that the link is of: look in the email which one that is; if you did not make it, use no link of that email")
	ErrSessionNotFound    = fail.New(fail.NotFound, "NOT_FOUND", "you have no such session")
	ErrBadRefreshToken    = fail.New(fail.Unauthenticated, "UNAUTHORIZED", "the refresh token is wrong, expired, spent or revoked: log in")
)

// Users stores users and their workspaces.
type Users interface {
	// Register stores a user, its workspace and its membership as owner; ErrEmailExists where the address is taken, or, for
	// one that shares its address, where the same operation has registered it before.
	Register(ctx context.Context, r domain.Registration) error
	// RegisterInvited stores a user without a workspace of its own; ErrEmailExists where the address is taken.
	RegisterInvited(ctx context.Context, r domain.Registration) error
	// FindLogin looks up the account that an address in any of its forms means, outside of any workspace: the one that has
	// proved it, else one that has not; nil where no account has it. The zero id requests no workspace in particular.
	FindLogin(ctx context.Context, email domain.Email, workspace uuid.UUID) (*domain.Login, error)
	// Profile returns the caller in the workspace of the call, if there is one.
	Profile(ctx context.Context) (domain.Profile, error)
}

// SharedAddresses looks up accounts where several may have an address, outside of any workspace.
type SharedAddresses interface {
	// FindLogins returns the accounts of an address in all its forms: the one that has proved it first, then up to
	// maxUnverified that have not. The zero id requests no workspace in particular.
	FindLogins(ctx context.Context, email domain.Email, workspace uuid.UUID, maxUnverified int) ([]domain.Login, error)
	// FindRegistration returns the account that an operation has registered with an address; nil where there is none.
	FindRegistration(ctx context.Context, email domain.Email, operation uuid.UUID) (*domain.Login, error)
}

// Accounts stores the account of the caller.
type Accounts interface {
	// Current returns the caller's account, and the name of the workspace of the call.
	Current(ctx context.Context) (domain.Account, error)
	// User returns the user of the context; ErrNoUser where the account was removed.
	User(ctx context.Context) (domain.User, error)
	// VerifyAddress notes that a user has proved its address, unless it is another one by now. Accounts that have the address
	// without a proof no longer claim it. ErrAddressProved where another account has proved it; but domain.AccountProof takes
	// the address from an account whose proof is domain.LinkProof.
	VerifyAddress(ctx context.Context, user uuid.UUID, address string, proof domain.Proof, at time.Time) error
	// ReplacePassword replaces the hash that was read by another. It returns ErrPasswordChanged if the stored hash is no
	// longer the one that was read, and ErrAccountDisabled where the user is disabled; the transaction must not continue
	// after either.
	ReplacePassword(ctx context.Context, user uuid.UUID, oldHash, newHash string) error
}

// Attempts limits wrong passwords by account and origin, including for addresses without an account. Only failures
// count, and they count when the attempt ends. Once the origin has to wait, every other attempt that was in progress
// fails with ErrTooManyAttempts, whether its password was right or wrong.
type Attempts interface {
	// Begin starts an attempt for a user and returns the counters that its failure adds to; the zero id is for an
	// address without an account. It returns ErrTooManyAttempts while the origin has to wait.
	Begin(ctx context.Context, user uuid.UUID, origin domain.Origin) (domain.Attempt, error)
	// Fail counts a wrong password; ErrTooManyAttempts where the origin has to wait by now.
	Fail(ctx context.Context, a domain.Attempt) error
	// Pass ends an attempt whose password was right, in the transaction of the context or in one of its own. It clears
	// failures and stores the network for the user of the context; ErrTooManyAttempts where the origin has to wait by
	// now.
	Pass(ctx context.Context, a domain.Attempt) error
}

// Familiars finds out who has logged in from somewhere.
type Familiars interface {
	// Familiar returns who of some people has logged in from the network of an address, in no order.
	Familiar(ctx context.Context, people []uuid.UUID, ip netip.Addr) ([]uuid.UUID, error)
}

// Devices makes and reads device tokens. By such a token an account recognizes clients that logged in to it before.
type Devices interface {
	// Issue makes a token for an account with this password hash; earlier is the token that the client had, "" for none.
	Issue(user uuid.UUID, passwordHash, earlier string) string
	// Trusted returns the device of a token that is valid for an account with this password hash; "" where it is not.
	Trusted(token string, user uuid.UUID, passwordHash string) string
}

// KnownDevices remembers on which devices a user has signed in.
type KnownDevices interface {
	// See remembers the device of a client, in the transaction of the context, for the user of the context. It reports
	// whether the user has signed in before, and not on this device for as long as a device is known.
	See(ctx context.Context, client domain.Client) (isNew bool, err error)
	// KnowsNetwork reports whether the user of the context has signed in from a network, for as long as a device is known.
	KnowsNetwork(ctx context.Context, network string) (bool, error)
}

// Settler finds the workspaces of sessions, outside of any workspace.
type Settler interface {
	// Owner returns the workspace and the user of a session; ErrBadRefreshToken where there is no such session.
	Owner(ctx context.Context, session uuid.UUID) (workspace, user uuid.UUID, err error)
	// Settle moves a session, in the transaction of the context, into the first workspace of its user, and returns that
	// workspace; the zero id where the user is still in no workspace.
	Settle(ctx context.Context, session uuid.UUID) (workspace uuid.UUID, err error)
}

// Sessions stores sessions: in their workspace, or by their user where they are in none.
type Sessions interface {
	Create(ctx context.Context, s domain.Session) error
	// Lock reads a session of the workspace of the context, or of its user outside of any, and locks it until the
	// transaction ends.
	Lock(ctx context.Context, session uuid.UUID) (domain.Session, error)
	Save(ctx context.Context, s domain.Session) error
	// EndOthers ends every session of the caller but one, in every workspace, and returns how many it ended.
	EndOthers(ctx context.Context, keep uuid.UUID) (int, error)
}

// OwnSessions has the sessions of the user of the context, in all workspaces and in none.
type OwnSessions interface {
	// List returns a page of those that are alive, newest first.
	List(ctx context.Context, after *SessionPosition, limit int) ([]domain.Session, error)
	// End ends one; false where the user has no such session that is alive.
	End(ctx context.Context, session uuid.UUID) (bool, error)
}

// SessionPosition is a place in the list of sessions.
type SessionPosition struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// Passwords hashes and verifies passwords, which is slow on purpose. Hash and Verify return a 503 error when too many
// callers wait.
type Passwords interface {
	Hash(ctx context.Context, p domain.Password) (string, error)
	// Verify reports whether a hash was made from a password. The empty hash, of an unknown user, costs the same time
	// and never matches.
	Verify(ctx context.Context, password, hash string) (bool, error)
	// Outdated reports whether a hash was made with parameters other than those in use now.
	Outdated(hash string) bool
}

// Tokens makes and reads the tokens of sessions.
type Tokens interface {
	// KeyID returns the id of the key that signs now.
	KeyID() string
	// Pair makes the tokens of a session; the refresh token is the same each time for the same generation.
	Pair(s domain.Session) (Pair, error)
	// ReadRefresh checks a refresh token; ErrBadRefreshToken for a bad one.
	ReadRefresh(token string) (RefreshClaims, error)
}

// RefreshClaims are the claims of a refresh token.
type RefreshClaims struct {
	SessionID, UserID uuid.UUID
	Generation        int
	WithoutWorkspace  bool      // its session was in no workspace when the token was made
	WorkspaceID       uuid.UUID // the zero id: the token does not name one, because an older release made it
}

// Pair is the pair of tokens that a client receives.
type Pair struct {
	Access    string
	Refresh   string
	ExpiresIn int // how long the access token is valid
}

// Transactions runs work for a user in a workspace that is known without a token. It returns ErrMembershipEnded where
// the work opens a session and the user is no longer a member of the workspace.
type Transactions interface {
	As(ctx context.Context, workspace, user uuid.UUID, work func(ctx context.Context) error) error
}

// Limits reports when a session is refreshed too often.
type Limits interface {
	Allow(ctx context.Context, session string) error
}

// Audit records what happened to a session, in the transaction of the context.
type Audit interface {
	Session(ctx context.Context, action string, session uuid.UUID) error
}

// AccountEvents stores events of a user's account outside of any workspace.
type AccountEvents interface {
	// Record stores an event at once. The event stays stored where the call fails.
	Record(ctx context.Context, e domain.AccountEvent) error
}
