package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// Errors about models.
var (
	ErrModelNotAllowed = fail.New(fail.Invalid, "MODEL_NOT_ALLOWED",
		"this model is not served with the operator's key: set settings.model of the bot, or the default of PUT /v1/model-settings, to "+
			"one that is (the operator lists them in MODEL_ALLOW), or bring a key of your own by PUT /v1/model-keys/{provider}")
	ErrModelKeyNotFound = fail.New(fail.NotFound, "NOT_FOUND", "this workspace has no key of its own for this provider")
)

// Model answers prompts. It has no state.
type Model interface {
	// Name returns the provider and the model that answer, to be stored.
	Name() (provider, model string)
	// Reply answers a prompt. It passes each piece of the answer's text to write as it comes, one after the other and never after it
	// has returned; together they are the reply's Content. After a failure the reply has no Content, but what was used.
	Reply(ctx context.Context, p Prompt, write func(text string)) (domain.Reply, error)
}

// Prompt is what a model is asked.
type Prompt struct {
	TurnID   uuid.UUID
	Attempt  int
	Limited  bool // the workspace may have a limit of costs
	ThreadID uuid.UUID
	Seq      int64          // of the message in its thread
	Pinned   *domain.Pinned // nil: no bot
	Defaults domain.ModelDefaults
	Content  string

	Asked
}

// perMessage is how many tokens go round each message.
const perMessage = 8

// TokensOf estimates how many tokens a message of a prompt is.
func TokensOf(text string) int { return domain.TokensOf(len(text)) + perMessage }

// Tokens estimates how many tokens the prompt is.
func (p Prompt) Tokens() int {
	n := TokensOf(p.Content)
	if p.Pinned != nil {
		n += TokensOf(p.Pinned.Instruction)
	}
	for _, m := range p.History {
		n += TokensOf(m.Content)
	}
	return n
}

// Asked is what a router adds for the one model that it has chosen.
type Asked struct {
	Model            string           // as its provider calls it
	History          []domain.Message // earlier ones of the thread, oldest first
	Temperature      *float64
	MaxOutputTokens  *int
	Access           *Access       // nil: the operator's
	FirstTextTimeout time.Duration // until the first text; 0: as long as the whole answer may take
}

// Access is a workspace's own to a provider. Its key is in no log: it is only ever passed by pointer.
type Access struct{ Key, BaseURL string }

// ModelGuard knows which models are not asked at the moment, because they have failed too often.
type ModelGuard interface {
	// Away returns for how long none of a prompt's models will be asked; 0: one is asked now. Own are the providers that the
	// workspace has a key of its own for.
	Away(ctx context.Context, p Prompt, own []string) time.Duration
	// NotAsked reports whether an error of Model.Reply says that no model was asked, and for how long none will be.
	NotAsked(err error) (wait time.Duration, ok bool)
}

// Budget holds a workspace to its limit of costs.
type Budget interface {
	// Reserve keeps so many millionths of the currency for an attempt that runs, in place of what was kept for it before. It
	// returns fail.ErrLimitReached where the limit has no room for it beside what others have spent and reserved.
	Reserve(ctx context.Context, turn uuid.UUID, attempt int, micros int64) error
}

// Recall reads what a prompt needs besides the message.
type Recall interface {
	// Recall returns at most so many of the newest messages of a thread before a number, oldest first, that have at most
	// so many bytes together; and the workspace's own accesses by provider.
	Recall(ctx context.Context, thread uuid.UUID, before int64, limit, bytes int) (Recalled, error)
}

// Recalled is what Recall gives.
type Recalled struct {
	History []domain.Message
	Own     map[string]Access
}

// ModelSettings keeps which models answer in the caller's workspace, and its own keys for them.
type ModelSettings interface {
	Defaults(ctx context.Context) (domain.ModelDefaults, error)
	SetDefaults(ctx context.Context, d domain.ModelDefaults, at time.Time) error
	// Keys are without what is secret.
	Keys(ctx context.Context) ([]domain.ModelKey, error)
	// PutKey encrypts and keeps a key, in the place of the one that was there for its provider.
	PutKey(ctx context.Context, k domain.ModelKey) error
	// DeleteKey returns ErrModelKeyNotFound where there is none.
	DeleteKey(ctx context.Context, provider string) error
}
