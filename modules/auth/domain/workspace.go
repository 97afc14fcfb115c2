package domain

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Workspace is a workspace as one of its members sees it.
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

// CheckName answers ErrWorkspaceName or ErrNameText for what no workspace may be called. Older ones may have such names.
func CheckName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 200 || strings.TrimSpace(name) == "" {
		return ErrWorkspaceName
	}
	return checkNameText(name)
}

// WorkspaceOf gives the id of the workspace that a user makes by an operation: the same each time, so that the operation
// can be known again in that workspace.
func WorkspaceOf(user, operation uuid.UUID) uuid.UUID { return uuid.NewSHA1(user, operation[:]) }

// NewWorkspace is made by its first owner.
func NewWorkspace(id uuid.UUID, name string, now time.Time) (Workspace, error) {
	return Workspace{ID: id, Name: name, Role: Owner, CreatedAt: now, JoinedAt: now}, CheckName(name)
}

// Rename gives the workspace another name.
func (w *Workspace) Rename(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	w.Name = name
	return nil
}
