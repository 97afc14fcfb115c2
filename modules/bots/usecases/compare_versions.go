package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// CompareVersions compares two versions of a bot.
type CompareVersions struct {
	Reader  ports.BotReader
	Compare ports.Comparer
}

// Do returns the changes from version a to version b.
func (u CompareVersions) Do(ctx context.Context, bot uuid.UUID, a, b int) (domain.Difference, error) {
	va, vb, err := u.Reader.Pair(ctx, bot, a, b)
	if err != nil {
		return domain.Difference{}, err
	}
	return u.Compare.Diff(va, vb)
}
