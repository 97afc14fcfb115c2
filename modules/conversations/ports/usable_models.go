package ports

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
)

// ErrModelList is the reason why the models of a workspace's own key are not listed, where a retry may succeed.
var ErrModelList = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the provider did not list its models")

// OperatorModels returns which models the operator's keys serve, and their data.
type OperatorModels interface {
	// Offered returns the models that are known by name, in order, and patterns such as openai/gpt-4o*. Any other name
	// that matches a pattern is served too.
	Offered() (models []domain.ModelName, patterns []string)
	Serves(m domain.ModelName) bool
	Facts(m domain.ModelName) domain.ModelFacts
}

// OwnKeys reads the workspace's own keys for providers, decrypted.
type OwnKeys interface {
	// OwnKeys returns the keys by provider.
	OwnKeys(ctx context.Context) (map[string]Access, error)
}

// Providers calls the providers of models with a workspace's own key, outside of turns.
type Providers interface {
	// List returns the provider's names of its models, at most as many as a list may have; cut says that there are more.
	// The result may be some minutes old.
	List(ctx context.Context, provider string, own Access) (names []string, cut bool, err error)
	// Try makes one call that shows whether the key works: it lists the models, or asks the named model for a few
	// tokens. Its errors are those of Model.Reply.
	Try(ctx context.Context, provider, model string, own Access) error
}

// KeyTests records tests of keys, once for the operation id of the call in the context.
type KeyTests interface {
	// Find returns the stored answer of the caller's operation, if there is one.
	Find(ctx context.Context) (answer Answer, found bool, err error)
	// Record stores the result of a test and writes it to the audit log. The model is empty where none was named.
	Record(ctx context.Context, provider, model string, result domain.KeyTest) (Answer, error)
}

// TestLimits limits how often the keys of a workspace are tested; it returns RATE_LIMIT_EXCEEDED.
type TestLimits interface {
	Allow(ctx context.Context, key string) error
}
