package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/request/fail"
)

// ErrNoSuchModel means that the model of a call to a compatible API is no bot of the workspace.
var ErrNoSuchModel = fail.New(fail.NotFound, "MODEL_NOT_FOUND",
	"there is no such model: it must be the id of a bot of this workspace, id@version, or a name that only one of its bots has (GET /openai/v1/models lists them)")

// Bot is a bot that may be asked.
type Bot struct {
	ID        uuid.UUID
	Name      string
	CreatedAt time.Time
}

// Bots finds the bots of the workspace that the caller may ask.
type Bots interface {
	// List returns the newest bots, at most limit.
	List(ctx context.Context, limit int) ([]Bot, error)
	// ByID returns ErrNoSuchModel where there is no such bot, or it has no such version; nil: any. With published no other version than
	// the published one is found.
	ByID(ctx context.Context, id uuid.UUID, version *int, published bool) (Bot, error)
	// CheckTrial returns ErrBotNotFound, ErrVersionNotFound or ErrBotArchived where a version of a bot cannot be tried.
	CheckTrial(ctx context.Context, id uuid.UUID, version int) error
	// ByName returns ErrNoSuchModel unless exactly one bot has the name.
	ByName(ctx context.Context, name string) (Bot, error)
}
