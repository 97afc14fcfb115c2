package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of API keys.
var (
	ErrKeyNotFound = fail.New(fail.NotFound, "API_KEY_NOT_FOUND", "there is no such API key in this workspace, or it is revoked")
	ErrBotNotFound = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
)

// Keys stores API keys.
type Keys interface {
	// Create queues a key, stored as the hash of its text; ErrBotNotFound where one of its bots is not in the workspace.
	// The commit fails with LIMIT_REACHED where the workspace may not have one more key, and with FORBIDDEN where the
	// creator was removed or demoted in the meantime.
	Create(ctx context.Context, k domain.APIKey, hash []byte) error
	// ToChange returns a key that a member changes, and nobody else until the transaction of the context ends; ErrKeyNotFound where there is
	// no such key or it is revoked. It fails with FORBIDDEN where the member was removed or demoted in the meantime.
	ToChange(ctx context.Context, id, member uuid.UUID) (domain.APIKey, error)
	// Change queues the new values of a key that ToChange has returned.
	Change(ctx context.Context, k domain.APIKey) error
	// List returns a page of the keys, newest first.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.APIKey, error)
	// Revoke ends a key and holds the webhook subscriptions that it is responsible for. It returns the key's name and
	// how many subscriptions it held; ErrKeyNotFound where there is no such key or it is already revoked.
	Revoke(ctx context.Context, id uuid.UUID) (name string, held int, err error)
	// Adopt makes a member responsible for a key, and a suspended key works again; ErrKeyNotFound where there is no such
	// key or it is revoked.
	Adopt(ctx context.Context, id, member uuid.UUID) (domain.APIKey, error)
	// Usage returns the limits of a key and what was counted of them; ErrKeyNotFound where there never was such a key.
	Usage(ctx context.Context, id uuid.UUID) (domain.KeyLimits, []domain.KeyCount, error)
	// Has reports whether there is, or was, such a key.
	Has(ctx context.Context, id uuid.UUID) (bool, error)
}
