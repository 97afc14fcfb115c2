// Package inproc implements the face of bots for the other modules of the process.
package inproc

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/ports"
)

// Catalog implements bots.Catalog.
type Catalog struct{ Bots ports.Bots }

// Exists implements bots.Catalog.
func (c Catalog) Exists(ctx context.Context, bot uuid.UUID) (bool, error) {
	return c.Bots.Exists(ctx, bot)
}
