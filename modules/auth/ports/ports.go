// Package ports says what the use cases of auth need from outside.
package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures that adapters and use cases answer.
var (
	ErrEmailExists        = fail.New(fail.Conflict, "EMAIL_ALREADY_EXISTS", "this e-mail address is registered already: log in")
	ErrInvalidCredentials = fail.New(fail.Unauthenticated, "INVALID_CREDENTIALS", "the e-mail address or the password is wrong")
	ErrPasswordChanged    = fail.New(fail.Conflict, "CONFLICT", "the password was changed meanwhile: log in with the new one")
	ErrTooManyAttempts    = fail.New(fail.TooMany, "RATE_LIMIT_EXCEEDED", "too many wrong passwords: wait as long as Retry-After says")
	ErrSessionNotFound    = fail.New(fail.NotFound, "NOT_FOUND", "you have no such session in this workspace")
	ErrBadRefreshToken    = fail.New(fail.Unauthenticated, "UNAUTHORIZED", "the refresh token is wrong, expired, spent or revoked: log in")
)

// Users keeps users and their workspaces.
type Users interface {
	// Register stores a user, its workspace and its membership as owner; ErrEmailExists where the address is taken.
	Register(ctx context.Context, r domain.Registration) error
	// FindLogin looks an address up in all its forms, in no workspace; nil where nobody has it. The zero id wants no
	// workspace in particular.
	FindLogin(ctx context.Context, email domain.Email, workspace uuid.UUID) (*domain.Login, error)
	// Profile is the caller in the workspace of the call, which may be none.
	Profile(ctx context.Context) (domain.Profile, error)
}

// Accounts keeps the password of the caller.
type Accounts interface {
	// Current gives the caller's account, and the name of the workspace of the call.
	Current(ctx context.Context) (domain.Account, error)
	// ReplacePassword sets another hash in place of the one that was read; ErrPasswordChanged if that is gone, and
	// ErrAccountDisabled where the user is disabled: the transaction must not go on then.
	ReplacePassword(ctx context.Context, user uuid.UUID, oldHash, newHash string) error
}

// Attempts limits wrong passwords by account and origin, whether anybody has the account or not. Only failures are counted,
// when they are known to be some: of attempts at the same time the first that end are counted, and once the origin has to
// wait no other is told whether its password was right.
type Attempts interface {
	// Begin says what a password counts for that is tried for a user, the zero id for nobody; ErrTooManyAttempts while its
	// origin has to wait.
	Begin(ctx context.Context, user uuid.UUID, origin domain.Origin) (domain.Attempt, error)
	// Fail counts a wrong password; ErrTooManyAttempts where its origin has to wait meanwhile.
	Fail(ctx context.Context, a domain.Attempt) error
	// Pass ends an attempt with the right password, in the transaction of the context or one of its own: it forgets failures
	// and remembers the network for the user of the context; ErrTooManyAttempts where its origin has to wait meanwhile.
	Pass(ctx context.Context, a domain.Attempt) error
}

// Devices makes and reads device tokens, by which an account knows clients that logged in to it before.
type Devices interface {
	// Issue makes a token for an account with this password hash; earlier is the token that the client had, "" for none.
	Issue(user uuid.UUID, passwordHash, earlier string) string
	// Trusted names the device of a token that is good for an account with this password hash; "" where it is not.
	Trusted(token string, user uuid.UUID, passwordHash string) string
}

// Settler finds a workspace for sessions that were opened in none.
type Settler interface {
	// Settle moves a session, in the transaction of the context, into the first workspace of its user, and says which; the zero
	// id where the user is still in none.
	Settle(ctx context.Context, session uuid.UUID) (workspace uuid.UUID, err error)
}

// Sessions keeps sessions: in their workspace, or by their user where they are in none.
type Sessions interface {
	Create(ctx context.Context, s domain.Session) error
	// Owner says whose session it is, looked up in no workspace; ErrBadRefreshToken where there is none.
	Owner(ctx context.Context, session uuid.UUID) (workspace, user uuid.UUID, err error)
	// Lock reads a session of the workspace of the context, or of its user outside of any, and keeps others from changing it until the transaction ends.
	Lock(ctx context.Context, session uuid.UUID) (domain.Session, error)
	Save(ctx context.Context, s domain.Session) error
	// EndOthers ends every session of the caller but one, in every workspace, and says how many.
	EndOthers(ctx context.Context, keep uuid.UUID) (int, error)
	// List leafs through the caller's living sessions in the workspace, newest first.
	List(ctx context.Context, after *SessionPosition, limit int) ([]domain.Session, error)
}

// SessionPosition is a place in the list of sessions.
type SessionPosition struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// Passwords hashes, slowly. Both answer 503 when too many wait.
type Passwords interface {
	Hash(ctx context.Context, p domain.Password) (string, error)
	// Verify tells whether a password is the one behind a hash. The empty hash, for nobody, costs the same time.
	Verify(ctx context.Context, password, hash string) (bool, error)
	// Outdated tells whether a hash was made with other parameters than are used now.
	Outdated(hash string) bool
}

// Tokens makes and reads the tokens of sessions.
type Tokens interface {
	// KeyID names the key that signs now.
	KeyID() string
	// Pair makes the tokens of a session; the refresh token is the same each time for the same generation.
	Pair(s domain.Session) (Pair, error)
	// ReadRefresh checks a refresh token; ErrBadRefreshToken for a bad one.
	ReadRefresh(token string) (RefreshClaims, error)
}

// RefreshClaims are what a refresh token says.
type RefreshClaims struct {
	SessionID, UserID uuid.UUID
	Generation        int
	WithoutWorkspace  bool      // its session was in no workspace when it was made
	WorkspaceID       uuid.UUID // the zero id: it does not say, as one of a release that did not name it
}

// Pair is what a client gets.
type Pair struct {
	Access    string
	Refresh   string
	ExpiresIn int // seconds that the access token is good
}

// Transactions runs work for a user in a workspace that is known without a token. ErrMembershipEnded: it opens a session, and
// the user is no member of the workspace any more.
type Transactions interface {
	As(ctx context.Context, workspace, user uuid.UUID, work func(ctx context.Context) error) error
}

// Limits says when a session is refreshed too often.
type Limits interface {
	Allow(ctx context.Context, session string) error
}

// Audit writes what happened to a session, in the transaction of the context.
type Audit interface {
	Session(ctx context.Context, action string, session uuid.UUID) error
}

// AccountEvents keeps what happened to the account of a user outside of any workspace.
type AccountEvents interface {
	// Record stores an event at once, whatever comes of the call.
	Record(ctx context.Context, e domain.AccountEvent) error
}
