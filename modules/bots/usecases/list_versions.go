package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/ports"
)

// ListVersions lists the versions of a bot.
type ListVersions struct {
	Reader  ports.BotReader
	Compare ports.Comparer
}

// Do returns at most limit versions after a position, newest first; nil is the start of the list. It returns
// ErrBotNotFound where there is no such bot.
func (u ListVersions) Do(ctx context.Context, bot uuid.UUID, after *ports.VersionPosition, limit int) ([]HashedVersion, error) {
	rows, err := u.Reader.Versions(ctx, bot, after, limit)
	if err != nil {
		return nil, err
	}
	versions := make([]HashedVersion, len(rows))
	for i, row := range rows {
		if versions[i], err = hashed(u.Compare, row); err != nil {
			return nil, err
		}
	}
	return versions, nil
}
