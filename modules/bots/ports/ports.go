// Package ports says what the use cases of bots need from outside.
package ports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures that adapters answer.
var (
	ErrBotNotFound     = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
	ErrVersionNotFound = fail.New(fail.NotFound, "NOT_FOUND", "the bot has no such version")
)

// Bots keeps the bots of the caller's workspace.
type Bots interface {
	Create(ctx context.Context, b domain.Bot) error
	Get(ctx context.Context, id uuid.UUID) (domain.Bot, error)
	// Lock reads a bot and keeps others from changing it until the transaction ends.
	Lock(ctx context.Context, id uuid.UUID) (domain.Bot, error)
	// SaveRewritten stores a bot with its new version.
	SaveRewritten(ctx context.Context, b domain.Bot, v domain.Version) error
	Exists(ctx context.Context, id uuid.UUID) (bool, error)
}

// Events tells the outside, in the transaction of the context, what has become of bots.
type Events interface {
	BotUpdated(ctx context.Context, b domain.Bot) error
}

// Shelf is for leafing through bots and versions, newest first. A bot of a list has no content.
type Shelf interface {
	List(ctx context.Context, after *BotPosition, limit int) ([]domain.Bot, error)
	// Versions answers ErrBotNotFound where there is no such bot.
	Versions(ctx context.Context, bot uuid.UUID, after *VersionPosition, limit int) ([]domain.Version, error)
	// Version answers ErrBotNotFound or ErrVersionNotFound.
	Version(ctx context.Context, bot uuid.UUID, number int) (domain.Version, error)
}

// BotPosition is a place in the list of bots.
type BotPosition struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// VersionPosition is a place in the list of versions.
type VersionPosition struct {
	Number int `json:"n"`
}

// Invalid turns a broken rule of the domain into the answer for it; other errors pass.
func Invalid(err error) error {
	if rule, ok := errors.AsType[*domain.RuleError](err); ok {
		return fail.Fields(fail.Field{Field: rule.Field, Code: "INVALID", Message: rule.Rule})
	}
	return err
}
