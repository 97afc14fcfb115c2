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

// Model generates answers to prompts. It has no state.
type Model interface {
	// Name returns the provider and the model that answer, to be stored.
	Name() (provider, model string)
	// Reply generates the answer to a prompt. It passes each piece of the answer's text to write as it comes, one after
	// the other, and never after it has returned. Together the pieces are the reply's Content. After a failure the reply
	// has no Content, but has the usage.
	Reply(ctx context.Context, p Prompt, write func(text string)) (domain.Reply, error)
}

// Prompt is the input of a model.
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

// perMessage is how many tokens each message takes in addition to its text.
const perMessage = 8

// TokensOf estimates the tokens of a message of a prompt.
func TokensOf(text string) int { return domain.TokensOf(len(text)) + perMessage }

// Tokens estimates the tokens of the prompt.
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

// Asked is the part of a prompt that a router adds for the model that it has chosen.
type Asked struct {
	Model            string           // the provider's name of it
	History          []domain.Message // earlier ones of the thread, oldest first
	Temperature      *float64
	MaxOutputTokens  *int
	Access           *Access       // nil: the operator's
	FirstTextTimeout time.Duration // until the first text; 0: as long as the whole answer may take
}

// Access is a workspace's own access to a provider. Its key is in no log: Access is only passed by pointer.
type Access struct{ Key, BaseURL string }

// ModelGuard reports which models are not called at the moment, because they have failed too often.
type ModelGuard interface {
	// Away returns for how long none of a prompt's models will be called; 0: one is called now. Own are the providers
	// for which the workspace has a key of its own.
	Away(ctx context.Context, p Prompt, own []string) time.Duration
	// NotAsked reports whether an error of Model.Reply says that no model was called, and for how long none will be.
	NotAsked(err error) (wait time.Duration, ok bool)
}

// Budget limits the costs of a workspace.
type Budget interface {
	// Reserve reserves costs, in millionths of the currency, for a running attempt. It replaces the attempt's earlier
	// reservation. It returns fail.ErrLimitReached where the limit does not allow them beside what other attempts have
	// spent and reserved.
	Reserve(ctx context.Context, turn uuid.UUID, attempt int, micros int64) error
}

// Recall reads what a prompt needs besides the message.
type Recall interface {
	// Recall returns the newest messages of a thread before a number, oldest first: at most limit messages with at most
	// that many bytes together. It also returns the workspace's own accesses by provider.
	Recall(ctx context.Context, thread uuid.UUID, before int64, limit, bytes int) (Recalled, error)
}

// Recalled is the result of Recall.
type Recalled struct {
	History []domain.Message
	Own     map[string]Access
}

// ModelSettings stores which models a workspace uses, and its own keys for them.
type ModelSettings interface {
	Defaults(ctx context.Context) (domain.ModelDefaults, error)
	SetDefaults(ctx context.Context, d domain.ModelDefaults, at time.Time) error
	// Keys returns the keys without their secrets.
	Keys(ctx context.Context) ([]domain.ModelKey, error)
	// PutKey encrypts and stores a key, and replaces the earlier key of its provider.
	PutKey(ctx context.Context, k domain.ModelKey) error
	// DeleteKey returns ErrModelKeyNotFound where there is none.
	DeleteKey(ctx context.Context, provider string) error
}
