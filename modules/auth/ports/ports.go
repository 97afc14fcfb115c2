// Package ports declares what the use cases of auth need from outside.
package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/fail"
)

// Errors that adapters and use cases return.
var (
	ErrEmailExists        = fail.New(fail.Conflict, "EMAIL_ALREADY_EXISTS", "this e-mail address is registered already: log in")
	ErrInvalidCredentials = fail.New(fail.Unauthenticated, "INVALID_CREDENTIALS", "the e-mail address or the password is wrong")
	ErrPasswordChanged    = fail.New(fail.Conflict, "CONFLICT", "the password was changed meanwhile: log in with the new one")
	ErrTooManyAttempts    = fail.New(fail.TooMany, "RATE_LIMIT_EXCEEDED", "too many wrong passwords: wait as long as Retry-After says")
	ErrSessionNotFound    = fail.New(fail.NotFound, "NOT_FOUND", "you have no such session in this workspace")
	ErrBadRefreshToken    = fail.New(fail.Unauthenticated, "UNAUTHORIZED", "the refresh token is wrong, expired, spent or revoked: log in")
)

// Users stores users and their workspaces.
type Users interface {
	// Register stores a user, its workspace and its membership as owner; ErrEmailExists where the address is taken.
	Register(ctx context.Context, r domain.Registration) error
	// FindLogin looks up an address in all its forms, outside of any workspace; nil where no account has it. The zero id
	// requests no workspace in particular.
	FindLogin(ctx context.Context, email domain.Email, workspace uuid.UUID) (*domain.Login, error)
	// Profile returns the caller in the workspace of the call, if there is one.
	Profile(ctx context.Context) (domain.Profile, error)
}

// Accounts stores the password of the caller.
type Accounts interface {
	// Current returns the caller's account, and the name of the workspace of the call.
	Current(ctx context.Context) (domain.Account, error)
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

// Devices makes and reads device tokens. By such a token an account recognizes clients that logged in to it before.
type Devices interface {
	// Issue makes a token for an account with this password hash; earlier is the token that the client had, "" for none.
	Issue(user uuid.UUID, passwordHash, earlier string) string
	// Trusted returns the device of a token that is valid for an account with this password hash; "" where it is not.
	Trusted(token string, user uuid.UUID, passwordHash string) string
}

// Settler finds a workspace for sessions that were opened outside of any workspace.
type Settler interface {
	// Settle moves a session, in the transaction of the context, into the first workspace of its user, and returns that
	// workspace; the zero id where the user is still in no workspace.
	Settle(ctx context.Context, session uuid.UUID) (workspace uuid.UUID, err error)
}

// Sessions stores sessions: in their workspace, or by their user where they are in none.
type Sessions interface {
	Create(ctx context.Context, s domain.Session) error
	// Owner returns the workspace and the user of a session. It looks outside of any workspace; ErrBadRefreshToken where
	// there is no such session.
	Owner(ctx context.Context, session uuid.UUID) (workspace, user uuid.UUID, err error)
	// Lock reads a session of the workspace of the context, or of its user outside of any, and locks it until the
	// transaction ends.
	Lock(ctx context.Context, session uuid.UUID) (domain.Session, error)
	Save(ctx context.Context, s domain.Session) error
	// EndOthers ends every session of the caller but one, in every workspace, and returns how many it ended.
	EndOthers(ctx context.Context, keep uuid.UUID) (int, error)
	// List returns a page of the caller's living sessions in the workspace, newest first.
	List(ctx context.Context, after *SessionPosition, limit int) ([]domain.Session, error)
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
