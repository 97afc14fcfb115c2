// Package bots is the face of the bots module: what other modules may ask of it.
package bots

import (
	"context"

	"github.com/google/uuid"
)

// Catalog knows the bots of the caller's workspace.
type Catalog interface {
	// Exists tells whether there is such a bot that threads may be opened with; of an archived one the error says so.
	Exists(ctx context.Context, bot uuid.UUID) (bool, error)
}
