// Package bots asks the bots module, through its face, what conversations need to know.
package bots

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots"
)

// Bots asks the catalog of the bots module.
type Bots struct{ Catalog bots.Catalog }

func (b Bots) Exists(ctx context.Context, bot uuid.UUID) (bool, error) {
	return b.Catalog.Exists(ctx, bot)
}
