package domain

import (
	"errors"
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
	WorkspaceID   uuid.UUID // the zero id: the user is in no workspace
	WorkspaceName string
	Role          Role
	Memberships   []Membership // in all workspaces of the user, 100 at most
	CreatedAt     time.Time
}
