// Package knowledge calls the knowledge module for bots.
package knowledge

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/knowledge"
)

var _ ports.Knowledge = Knowledge{}

// Knowledge checks the knowledge bases that settings name.
type Knowledge struct{ Face knowledge.Search }

// Hold keeps the knowledge bases that a bot names from being deleted until the end of the transaction.
func (k Knowledge) Hold(ctx context.Context, bot uuid.UUID) error { return k.Face.Hold(ctx, bot) }

// Check returns the first of what is wrong with the uses of knowledge bases in settings.
func (k Knowledge) Check(ctx context.Context, uses []domain.UsedBase) error {
	list := make([]knowledge.Use, len(uses))
	for i, u := range uses {
		list[i] = knowledge.Use{BaseID: u.ID, Filter: u.Filter}
	}
	problems, err := k.Face.Check(ctx, list)
	if err != nil || len(problems) == 0 {
		return err
	}
	p := problems[0]
	return &domain.RuleError{Field: fmt.Sprintf("settings.knowledge.%d.%s", p.Index, p.Field), Rule: p.Rule}
}
