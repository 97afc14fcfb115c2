package domain

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Workspace is a workspace, as one of its members sees it.
type Workspace struct {
	ID        uuid.UUID
	Name      string
	Role      Role // of that member
	CreatedAt time.Time
	JoinedAt  time.Time
	DeletedAt *time.Time // nil: it is not deleted
}

// Membership is a workspace of a user, in short.
type Membership struct {
	WorkspaceID uuid.UUID  `json:"workspace_id"`
	Name        string     `json:"name"`
	Role        Role       `json:"role"`
	DeletedAt   *time.Time `json:"deleted_at"`
}

// CheckName returns ErrWorkspaceName or ErrNameText for a name that a workspace must not have. Older workspaces may
// have such names.
func CheckName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 200 || strings.TrimSpace(name) == "" {
		return ErrWorkspaceName
	}
	return checkNameText(name)
}

// WorkspaceOf returns the id of the workspace that a user creates by an operation. It is the same each time, so that a
// repeated operation is found again in that workspace.
func WorkspaceOf(user, operation uuid.UUID) uuid.UUID { return uuid.NewSHA1(user, operation[:]) }

// NewWorkspace makes a workspace; the caller becomes its first owner.
func NewWorkspace(id uuid.UUID, name string, now time.Time) (Workspace, error) {
	return Workspace{ID: id, Name: name, Role: Owner, CreatedAt: now, JoinedAt: now}, CheckName(name)
}

// Rename changes the name of the workspace.
func (w *Workspace) Rename(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	w.Name = name
	return nil
}
