package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// DeleteKnowledgeBase deletes a base with its documents. Nothing of it is found from then on; jobs remove the rows.
type DeleteKnowledgeBase struct {
	Bases    ports.KnowledgeBases
	Uses     ports.BaseUses
	Schedule ports.Schedule
	Now      func() time.Time
}

// maxNamedBots is how many of the bots that use a base an error names.
const maxNamedBots = 20

// Do returns the deleted base, or ErrBaseInUse with details.bots and details.more where bots use it and force is false. Settings that are
// made at the same time wait for the lock of the base, or have theirs before it: such a bot is not missed.
func (u DeleteKnowledgeBase) Do(ctx context.Context, id uuid.UUID, force bool) (domain.KnowledgeBase, error) {
	base, err := u.Bases.Lock(ctx, id)
	if err != nil {
		return domain.KnowledgeBase{}, err
	}
	if !force {
		bots, total, err := u.Uses.Bots(ctx, id, maxNamedBots)
		if err != nil {
			return domain.KnowledgeBase{}, err
		}
		if total > 0 {
			return domain.KnowledgeBase{}, ports.ErrBaseInUse.With("bots", bots).With("more", total-int64(len(bots)))
		}
	}
	return base, u.Schedule.DeleteBase(ctx, id, u.Now())
}
