package usecases

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// warnOf returns warnings about content that is stored as it is: settings that nothing reads, and models that are not
// available.
func warnOf(ctx context.Context, models ports.Models, c domain.Content) ([]domain.Warning, error) {
	warnings := c.Warnings()
	named := c.Models()
	if len(named) == 0 {
		return warnings, nil
	}
	unserved, err := models.Warn(ctx, named)
	return append(warnings, unserved...), err
}
