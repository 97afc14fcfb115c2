package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// CompareVersions says how two versions of a bot differ.
type CompareVersions struct {
	Shelf   ports.Shelf
	Compare ports.Comparer
}

// Do says what has to be done to version a to get version b.
func (u CompareVersions) Do(ctx context.Context, bot uuid.UUID, a, b int) (domain.Difference, error) {
	va, vb, err := u.Shelf.Pair(ctx, bot, a, b)
	if err != nil {
		return domain.Difference{}, err
	}
	return u.Compare.Diff(va, vb)
}
