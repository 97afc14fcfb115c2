// Package inproc lets the other modules of the process call bots.
package inproc

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// Catalog looks up bots for other modules.
type Catalog struct{ Bots ports.Bots }

func (c Catalog) Exists(ctx context.Context, bot uuid.UUID) (bool, error) {
	status, err := c.Bots.Status(ctx, bot)
	if errors.Is(err, ports.ErrBotNotFound) {
		return false, nil
	}
	if status == domain.Archived {
		return false, ports.ErrArchived
	}
	return err == nil, err
}
