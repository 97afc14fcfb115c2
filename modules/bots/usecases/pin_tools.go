package usecases

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// PinTools reads the versions of tools that a turn is to use.
type PinTools struct{ Tools ports.ToolReader }

// Do returns the versions that refs name, in their order, by one query. Tools that are deleted are left out.
func (u PinTools) Do(ctx context.Context, refs []domain.ToolRef) ([]domain.ToolVersion, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	return u.Tools.Pin(ctx, refs)
}
