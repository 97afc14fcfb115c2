package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// GetToolVersion reads one version of a tool.
type GetToolVersion struct {
	Tools  ports.Tools
	Reader ports.ToolReader
}

// Do returns ErrToolNotFound or ErrToolVersionNotFound where there is none.
func (u GetToolVersion) Do(ctx context.Context, tool uuid.UUID, number int) (domain.ToolVersion, error) {
	found, err := u.Reader.Pin(ctx, []domain.ToolRef{{ID: tool, Version: &number}})
	if err != nil {
		return domain.ToolVersion{}, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if _, err := u.Tools.Get(ctx, tool); err != nil {
		return domain.ToolVersion{}, err
	}
	return domain.ToolVersion{}, ports.ErrToolVersionNotFound
}
