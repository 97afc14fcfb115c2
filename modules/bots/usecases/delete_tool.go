package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// DeleteTool deletes a tool with all its versions.
type DeleteTool struct {
	Tools ports.Tools
	Uses  ports.ToolUses
}

// maxNamedBots is how many of the bots that use a tool an error names.
const maxNamedBots = 20

// Do returns the deleted tool, or ErrToolInUse with details.bots and details.more where bots use it and force is false. Settings that are
// written at the same time wait for the lock of the tool, or have theirs before it: such a bot is not missed.
func (u DeleteTool) Do(ctx context.Context, id uuid.UUID, force bool) (domain.Tool, error) {
	tool, err := u.Tools.Lock(ctx, id)
	if err != nil {
		return domain.Tool{}, err
	}
	if !force {
		bots, total, err := u.Uses.Bots(ctx, id, maxNamedBots)
		if err != nil {
			return domain.Tool{}, err
		}
		if total > 0 {
			return domain.Tool{}, ports.ErrToolInUse.With("bots", bots).With("more", total-int64(len(bots)))
		}
	}
	return tool, u.Tools.Delete(ctx, id)
}
