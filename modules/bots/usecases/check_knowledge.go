package usecases

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// checkKnowledge returns the wrong field where new settings name a knowledge base that is not there.
func checkKnowledge(ctx context.Context, knowledge ports.Knowledge, c domain.Content) error {
	uses := c.Knowledge()
	if len(uses) == 0 {
		return nil
	}
	return ports.Invalid(knowledge.Check(ctx, uses))
}
