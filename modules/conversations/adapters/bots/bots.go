// Package bots calls the bots module for conversations.
package bots

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots"
)

// Bots calls the catalog of the bots module.
type Bots struct{ Catalog bots.Catalog }

func (b Bots) Exists(ctx context.Context, bot uuid.UUID) (bool, error) {
	return b.Catalog.Exists(ctx, bot)
}
