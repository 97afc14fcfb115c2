package domain

import (
	"time"

	"github.com/google/uuid"
)

// User is an account, as an operator sees it.
type User struct {
	ID         uuid.UUID
	Email      string
	CreatedAt  time.Time
	DisabledAt *time.Time // since when the user cannot log in; nil: not disabled
}

// WorkspaceSummary is a workspace, as an operator sees it.
type WorkspaceSummary struct {
	ID        uuid.UUID
	Name      string
	CreatedAt time.Time
	DeletedAt *time.Time // nil: it is not deleted
	Members   int64
}
