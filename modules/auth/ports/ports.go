// Package ports says what the use cases of auth need from outside.
package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures that adapters and use cases answer.
var (
	ErrEmailExists        = fail.New(fail.Conflict, "EMAIL_ALREADY_EXISTS", "this e-mail address is registered already: log in")
	ErrInvalidCredentials = fail.New(fail.Unauthenticated, "INVALID_CREDENTIALS", "the e-mail address or the password is wrong")
	ErrBadRefreshToken    = fail.New(fail.Unauthenticated, "UNAUTHORIZED", "the refresh token is wrong, expired, spent or revoked: log in")
)

// Users keeps users and their workspaces.
type Users interface {
	// Register stores a user, its workspace and its membership as owner; ErrEmailExists where the address is taken.
	Register(ctx context.Context, r domain.Registration) error
	// FindLogin looks an address up, in no workspace; nil where nobody has it.
	FindLogin(ctx context.Context, email domain.Email) (*domain.Login, error)
	// Profile is the caller in the workspace of the call.
	Profile(ctx context.Context) (domain.Profile, error)
}

// Sessions keeps sessions.
type Sessions interface {
	Create(ctx context.Context, s domain.Session) error
	// Owner says whose session it is, looked up in no workspace; ErrBadRefreshToken where there is none.
	Owner(ctx context.Context, session uuid.UUID) (workspace, user uuid.UUID, err error)
	// Lock reads a session of the workspace and keeps others from changing it until the transaction ends.
	Lock(ctx context.Context, session uuid.UUID) (domain.Session, error)
	Save(ctx context.Context, s domain.Session) error
}

// Passwords hashes, slowly. Both answer 503 when too many wait.
type Passwords interface {
	Hash(ctx context.Context, p domain.Password) (string, error)
	// Verify tells whether a password is the one behind a hash. The empty hash, for nobody, costs the same time.
	Verify(ctx context.Context, password, hash string) (bool, error)
}

// Tokens makes and reads the tokens of sessions.
type Tokens interface {
	// KeyID names the key that signs now.
	KeyID() string
	// Pair makes the tokens of a session; the refresh token is the same each time for the same generation.
	Pair(s domain.Session) (Pair, error)
	// ReadRefresh checks a refresh token and says which; ErrBadRefreshToken for a bad one.
	ReadRefresh(token string) (session uuid.UUID, generation int, err error)
}

// Pair is what a client gets.
type Pair struct {
	Access    string
	Refresh   string
	ExpiresIn int // seconds that the access token is good
}

// Transactions runs work for a user in a workspace that is known without a token.
type Transactions interface {
	As(ctx context.Context, workspace, user uuid.UUID, work func(ctx context.Context) error) error
}

// Audit writes what happened to a session, in the transaction of the context.
type Audit interface {
	Session(ctx context.Context, action string, session uuid.UUID) error
}
