package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// settingsCheck checks new settings of bots.
type settingsCheck struct {
	Knowledge ports.Knowledge
	Tools     ports.ToolUses
	Schemas   ports.ToolSchemas
}

// do returns the wrong field of new settings. What they name is held until the end of the transaction.
func (u settingsCheck) do(ctx context.Context, c domain.Content) error {
	if err := ports.Invalid(c.CheckVariables()); err != nil {
		return err
	}
	schema, err := c.OutputSchema()
	if err == nil && schema != nil {
		err = u.Schemas.Check(schema)
	}
	if wrong, ok := errors.AsType[*domain.RuleError](err); ok {
		return ports.Invalid(&domain.RuleError{Field: "settings.output_schema", Rule: wrong.Rule})
	}
	if err != nil {
		return err
	}
	if err := checkKnowledge(ctx, u.Knowledge, c); err != nil {
		return err
	}
	return checkTools(ctx, u.Tools, c)
}

// checkTools returns the wrong field where new settings do not fit the tools of the workspace.
func checkTools(ctx context.Context, uses ports.ToolUses, c domain.Content) error {
	var there []domain.UsableTool
	if used := c.Tools(); len(used) > 0 {
		ids := make([]uuid.UUID, len(used))
		for i, u := range used {
			ids[i] = u.ID
		}
		var err error
		if there, err = uses.Hold(ctx, ids); err != nil {
			return err
		}
	}
	return ports.Invalid(c.CheckTools(there))
}

// hold keeps what the latest and the published version of a bot name from being deleted until the end of the transaction.
func hold(ctx context.Context, knowledge ports.Knowledge, tools ports.ToolUses, bot uuid.UUID) error {
	return errors.Join(knowledge.Hold(ctx, bot), tools.HoldOfBot(ctx, bot))
}
