// Package ports declares what the use cases of bots need from outside.
package ports

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors that adapters return.
var (
	ErrBotNotFound     = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
	ErrVersionNotFound = fail.New(fail.NotFound, "NOT_FOUND", "the bot has no such version")
	ErrVersionConflict = fail.New(fail.Outdated, "VERSION_CONFLICT", "the bot has another version by now: read it again, then send yours for that one")
	errArchived        = fail.New(fail.Conflict, "CONFLICT", "the bot is archived: make it active first")
)

// Bots stores the bots of the caller's workspace.
type Bots interface {
	Create(ctx context.Context, b domain.Bot) error
	Get(ctx context.Context, id uuid.UUID) (domain.Bot, error)
	// Lock reads a bot and locks it until the transaction ends.
	Lock(ctx context.Context, id uuid.UUID) (domain.Bot, error)
	// Save stores a locked bot and its change.
	Save(ctx context.Context, b domain.Bot, c domain.Change) error
}

// Events publishes, in the transaction of the context, what happened to bots.
type Events interface {
	BotUpdated(ctx context.Context, b domain.Bot) error
}

// Models reports which models are available in the caller's workspace.
type Models interface {
	// Warn returns a warning for each of the named models that nobody serves.
	Warn(ctx context.Context, named []domain.NamedModel) ([]domain.Warning, error)
}

// Knowledge knows the knowledge bases of the caller's workspace.
type Knowledge interface {
	// Check returns a *domain.RuleError where a knowledge base is not there or its filter is none.
	Check(ctx context.Context, uses []domain.UsedBase) error
	// Hold keeps the knowledge bases that the latest and the published version of a bot name from being deleted until the end of
	// the transaction. Those that are deleted already are left out.
	Hold(ctx context.Context, bot uuid.UUID) error
}

// BotReader reads bots, versions and pointer changes, newest first. A bot of a list has no content.
type BotReader interface {
	List(ctx context.Context, f BotFilter, after *BotPosition, limit int) ([]domain.Bot, error)
	// Versions returns ErrBotNotFound where there is no such bot.
	Versions(ctx context.Context, bot uuid.UUID, after *VersionPosition, limit int) ([]domain.Version, error)
	// Version returns ErrBotNotFound or ErrVersionNotFound.
	Version(ctx context.Context, bot uuid.UUID, number int) (domain.Version, error)
	// Pair returns two versions; its errors are those of Version.
	Pair(ctx context.Context, bot uuid.UUID, a, b int) (va, vb domain.Version, err error)
	// PointerChanges returns ErrBotNotFound where there is no such bot.
	PointerChanges(ctx context.Context, bot uuid.UUID, after *PointerChangePosition, limit int) ([]domain.PointerChange, error)
}

// BotFilter narrows the list of bots. A nil field does not filter.
type BotFilter struct {
	NamePart *string        `json:"q,omitempty"` // ignoring case
	Status   *domain.Status `json:"s,omitempty"`
}

// Comparer compares contents.
type Comparer interface {
	// Hash returns the same text for the same content, whatever the order and the spaces of its JSON.
	Hash(c domain.Content) (string, error)
	// Diff returns the changes from a to b.
	Diff(a, b domain.Version) (domain.Difference, error)
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

// PointerChangePosition is a place in the list of pointer changes.
type PointerChangePosition struct {
	Number int `json:"m"`
}

// Invalid returns the error for callers where a rule of the domain was broken. It returns other errors unchanged.
func Invalid(err error) error {
	if errors.Is(err, domain.ErrArchived) {
		return errArchived
	}
	if rule, ok := errors.AsType[*domain.RuleError](err); ok {
		return fail.Fields(fail.Field{Field: rule.Field, Code: cmp.Or(rule.Code, "INVALID"), Message: rule.Rule})
	}
	return err
}
