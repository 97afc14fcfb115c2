package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures about models that adapters and use cases answer.
var (
	ErrModelNotConfigured = fail.New(fail.Unavailable, "MODEL_NOT_CONFIGURED",
		"no model that may answer is configured: set settings.model of the bot to one that is, or PUT /v1/model-keys/{provider}")
	ErrModelKeyNotFound = fail.New(fail.NotFound, "NOT_FOUND", "this workspace has no key of its own for this provider")
)

// Model answers. It is given all that it may know; it keeps nothing.
type Model interface {
	// Name says who answers, for the record: provider and model.
	Name() (provider, model string)
	// Reply answers a prompt. It tells each piece of the answer's text as it comes, by say, one after the other and never
	// after it has returned; together they are the reply's Content. What was said before a failure is lost to Reply's
	// caller, who may have kept it.
	Reply(ctx context.Context, p Prompt, say func(text string)) (domain.Reply, error)
}

// Prompt is what a model is asked.
type Prompt struct {
	ThreadID uuid.UUID
	Seq      int64          // of the message in its thread
	Pinned   *domain.Pinned // nil: no bot
	Defaults domain.ModelDefaults
	Content  string

	Asked
}

// Asked is what a router adds for the one model that it has chosen.
type Asked struct {
	Model           string           // as its provider calls it
	History         []domain.Message // earlier ones of the thread, oldest first
	Temperature     *float64
	MaxOutputTokens *int
	Access          *Access       // nil: the operator's
	Patience        time.Duration // until the first piece of text; 0: as long as the whole may take
}

// Access is a workspace's own to a provider. Its key is in no log: it is only ever passed by pointer.
type Access struct{ Key, BaseURL string }

// Recall knows what a model has to be told besides the message.
type Recall interface {
	// Recall gives at most so many of the newest messages of a thread before a number, oldest first, that have at most
	// so many bytes together; and the workspace's own accesses by provider.
	Recall(ctx context.Context, thread uuid.UUID, before int64, most, bytes int) (Recalled, error)
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
	// DeleteKey answers ErrModelKeyNotFound where there is none.
	DeleteKey(ctx context.Context, provider string) error
}
