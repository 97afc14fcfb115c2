package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// GetVersion reads one version of a bot.
type GetVersion struct {
	Reader  ports.BotReader
	Compare ports.Comparer
}

// HashedVersion is a version with the hash of its content.
type HashedVersion struct {
	domain.Version
	Hash string
}

// Do returns the version. Its errors are those of BotReader.Version.
func (u GetVersion) Do(ctx context.Context, bot uuid.UUID, number int) (HashedVersion, error) {
	v, err := u.Reader.Version(ctx, bot, number)
	if err != nil {
		return HashedVersion{}, err
	}
	return hashed(u.Compare, v)
}

func hashed(compare ports.Comparer, v domain.Version) (HashedVersion, error) {
	hash, err := compare.Hash(v.Content)
	return HashedVersion{Version: v, Hash: hash}, err
}
