package domain

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Role is what a member may do in a workspace.
type Role string

// The roles, from most to least.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Editor Role = "editor"
	Viewer Role = "viewer"
)

// Registration is a new user with a new workspace of its own.
type Registration struct {
	UserID        uuid.UUID
	WorkspaceID   uuid.UUID
	Email         Email
	PasswordHash  string
	WorkspaceName string
	OperationID   uuid.UUID // the call that registered; a repetition of the call is recognized by it
	At            time.Time
	SharesAddress bool // it does not claim the address, which others may have too
}

// ErrWorkspaceName states the rule for the name of a workspace.
var ErrWorkspaceName = errors.New("must have 1 to 200 characters and not be blank")

// NewRegistration makes a user and a workspace with new ids.
func NewRegistration(email Email, passwordHash, workspaceName string, operation uuid.UUID, now time.Time) (Registration, error) {
	if err := CheckName(workspaceName); err != nil {
		return Registration{}, err
	}
	return Registration{
		UserID:        uuid.Must(uuid.NewV7()),
		WorkspaceID:   uuid.Must(uuid.NewV7()),
		Email:         email,
		PasswordHash:  passwordHash,
		WorkspaceName: workspaceName,
		OperationID:   operation,
		At:            now,
	}, nil
}

// Login is what log-in reads about the user of an address.
type Login struct {
	UserID       uuid.UUID
	WorkspaceID  uuid.UUID // where the user signs in; the zero id: the user is in no workspace, or not in the requested one
	PasswordHash string
	OperationID  uuid.UUID // the call that registered
	Verified     bool      // the user has proved that the address is its own
}

// MaxUnverified is how many accounts that have not proved an address can log in with it, beside the one that has.
const MaxUnverified = 2

// MaxUnverifiedSeen is how many accounts that have not proved an address are looked at to find those that can.
const MaxUnverifiedSeen = 100

// MaxUnverifiedStored is how many accounts that have not proved an address may have it. The oldest of more are removed.
const MaxUnverifiedStored = 10

// UnverifiedLife is how long an account that shares its address may do without a proof. After that it is removed.
const UnverifiedLife = 7 * 24 * time.Hour

// Candidates are the accounts that an address and a password may be meant for.
type Candidates struct {
	First      *Login   // nil: there is none
	Unverified []*Login // others; nil for one that is not there
}

// SharedAddress returns the candidates of an address that several accounts may have. First is the one that has proved it. The
// number of the others is always the same, so that a check of all of them takes the same time. Of more than those, the ones that
// are familiar with the client come first: nobody blocks an account by registering others. found is not kept as it is.
func SharedAddress(found []Login, familiar func(Login) bool) Candidates {
	c := Candidates{Unverified: make([]*Login, MaxUnverified)}
	others := c.Unverified
	slices.SortStableFunc(found, func(a, b Login) int {
		switch {
		case familiar(a) == familiar(b):
			return 0
		case familiar(a):
			return -1
		default:
			return 1
		}
	})
	for _, login := range found {
		switch {
		case login.Verified:
			c.First = &login
		case len(others) > 0:
			others[0], others = &login, others[1:]
		}
	}
	return c
}

// Account is what a change of the password reads about a user.
type Account struct {
	Email, PasswordHash string
	WorkspaceName       string // of the workspace of the call; "" where the user is not in it
}

// Profile is a user as a member of a workspace.
type Profile struct {
	UserID        uuid.UUID
	Email         string
	Proof         Proof     // of the address
	HasPassword   bool      // false: its user signs in at identity providers only
	WorkspaceID   uuid.UUID // the zero id: the user is in no workspace
	WorkspaceName string
	Role          Role
	Memberships   []Membership // in all workspaces of the user, 100 at most
	CreatedAt     time.Time
}
