// Package bots is the public interface of the bots module for other modules.
package bots

import (
	"context"

	"github.com/google/uuid"
)

// Catalog looks up the bots of the caller's workspace.
type Catalog interface {
	// Exists reports whether there is such a bot with which threads may be opened. For an archived bot it returns an
	// error that says so.
	Exists(ctx context.Context, bot uuid.UUID) (bool, error)
}
