// Package conversations calls the conversations module for bots.
package conversations

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/conversations"
)

var _ ports.Models = Models{}

// Models reports which models are available in the caller's workspace.
type Models struct{ Face conversations.Models }

// Warn returns a warning for each of the named models that nobody serves, in their order.
func (m Models) Warn(ctx context.Context, named []domain.NamedModel) ([]domain.Warning, error) {
	names := make([]string, len(named))
	for i, n := range named {
		names[i] = n.Name
	}
	found, err := m.Face.Warn(ctx, names)
	if err != nil {
		return nil, err
	}
	var warnings []domain.Warning
	for _, n := range named {
		if w, ok := found[n.Name]; ok {
			warnings = append(warnings, domain.Warning{Field: n.Field, Code: w.Code, Message: w.Message})
		}
	}
	return warnings, nil
}
